import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type JoinToken, readJoinToken } from '../protocol/enrolment.ts'
import { EdgeError, messageOf } from '../protocol/errors.ts'

/** What is to be done about who this node is. */
export type IdentityTask =
  | { readonly what: 'join'; readonly token: JoinToken }
  /** Write a request that is carried to the authority by hand; `-` is standard output. */
  | { readonly what: 'request'; readonly file: string }
  | { readonly what: 'answer'; readonly file: string; readonly pin: string | null }
  | { readonly what: 'show'; readonly output: 'table' | 'json' }

/** `join` or `identity` as it was typed. */
export interface IdentityRequest {
  readonly task: IdentityTask
  readonly config: string | undefined
  readonly stateDir: string | undefined
}

/** Where a token may be handed over, so that it stands neither in a list of processes nor in the history of a shell. */
const TOKEN_VARIABLE = 'EDGEDECK_JOIN_TOKEN'
const CURE = { next: ['see edge-daemon --help'] }
const PLACES = { config: { type: 'string' }, 'state-dir': { type: 'string' } } as const

/** Read the arguments behind `join`. @throws EdgeError `USAGE`, `TOKEN_INVALID`. */
export function readJoinCommand(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): IdentityRequest {
  const {
    config,
    'state-dir': stateDir,
    pin,
    ...ways
  } = parsed(() => {
    const options = {
      ...PLACES,
      token: { type: 'string' },
      'token-file': { type: 'string' },
      request: { type: 'string' },
      answer: { type: 'string' },
      pin: { type: 'string' },
    } as const
    return parseArgs({ args: [...args], options }).values
  })
  const { token, 'token-file': tokenFile, request, answer } = ways
  const given = Object.values(ways).filter((way) => way !== undefined)
  const fromEnv = given.length === 0 ? env[TOKEN_VARIABLE] : undefined
  if (given.length + (fromEnv === undefined ? 0 : 1) !== 1) {
    throw new EdgeError('USAGE', {
      message: 'join takes one of --token, --token-file, --request and --answer',
      next: ['make a token where the controller runs: edgedeck pki token --site S --node N'],
    })
  }
  if (pin !== undefined && answer === undefined)
    throw new EdgeError('USAGE', { message: '--pin goes with --answer', ...CURE })
  const place = { config, stateDir }
  if (request !== undefined) return { task: { what: 'request', file: request }, ...place }
  if (answer !== undefined) return { task: { what: 'answer', file: answer, pin: pin ?? null }, ...place }
  const text = token ?? fromEnv ?? textOf(tokenFile ?? '')
  const read = readJoinToken(text)
  if (read !== null) return { task: { what: 'join', token: read }, ...place }
  throw new EdgeError('TOKEN_INVALID', {
    message: 'this is no join token; it begins with edj1. and may have been cut off',
    next: ['copy the whole line that edgedeck pki token printed'],
  })
}

/** Read the arguments behind `identity`. @throws EdgeError `USAGE`. */
export function readIdentityCommand(args: readonly string[]): IdentityRequest {
  const values = parsed(() => {
    const options = { ...PLACES, output: { type: 'string', short: 'o', default: 'table' } } as const
    return parseArgs({ args: [...args], options }).values
  })
  const { output } = values
  if (output !== 'table' && output !== 'json') {
    throw new EdgeError('USAGE', { message: `-o takes table or json, not "${output}"`, ...CURE })
  }
  return { task: { what: 'show', output }, config: values.config, stateDir: values['state-dir'] }
}

function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw new EdgeError('USAGE', { message: messageOf(cause), ...CURE, cause })
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    throw new EdgeError('USAGE', {
      message: `${file} cannot be read: ${messageOf(cause)}`,
      next: ['check the path'],
      cause,
    })
  }
}
