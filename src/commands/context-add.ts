import { chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { chooseContext, parseConsoleConfig } from '../config/console-config.ts'
import { type WrittenContext, withContext } from '../config/edit-contexts.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { type Finding, FindingsOf, verdictOf } from '../doctor/finding.ts'
import { IDENTITY_FILES, readIdentityFolder } from '../identity/identity-folder.ts'
import { changeConfig, readConfigText } from './config-file.ts'
import { accessOf } from './context-access.ts'
import type { ContextWish } from './context-wish.ts'
import { diagnose } from './doctor.ts'
import { findingsAsText } from './findings-text.ts'
import { type LoginPlace, runLogin } from './login.ts'
import type { CommandIo } from './output.ts'

/** A context that is to be added: everything that is needed was said. */
export interface ContextAddition {
  readonly name: string
  readonly wish: Omit<ContextWish, 'name'>
  readonly nodes: readonly NodeAddress[]
  /** Regions, as typed: `[NAME=]nats://host:4222`. */
  readonly clouds: readonly { readonly name: string; readonly servers: readonly string[]; readonly stream: string }[]
  readonly timeoutMs: number
}

/** What surrounds it. */
export interface ContextAddPlace {
  readonly configFile: string
  readonly identityDir: (context: string) => string
  readonly version: string
  readonly login: Pick<LoginPlace, 'user' | 'env' | 'ask'>
  readonly columns: number
  readonly ascii: boolean
  /** Unix ms. */
  readonly now: () => number
}

/**
 * Add a context: get an identity, test every step of it as `edgedeck doctor` would, and only then write it down. Resolves with what the
 * tests say; nothing is changed on the disk when one finds a fault, unless it is wanted by force.
 * @throws EdgeError when the name is taken, or what is wanted could not be a context
 */
export async function runContextAdd(
  addition: ContextAddition,
  place: ContextAddPlace,
  io: CommandIo,
): Promise<'fine' | 'faulty' | 'untested'> {
  const { name, wish } = addition
  const { configFile } = place
  const before = readConfigText(configFile)
  const config = parseConsoleConfig(before, configFile)
  if (Object.hasOwn(config.contexts, name) && !wish.force) {
    throw new EdgeError('USAGE', {
      message: `there is a context "${name}" already`,
      next: ['choose another name', `or take it out: edgedeck context remove ${name}`, 'or write it anew with --force'],
    })
  }
  const context = written(addition)
  const isCurrent = wish.use || (Object.keys(config.contexts).length === 0 && config.nodes.length === 0)
  const change = (text: string): string => withContext(text, { name, context, isCurrent, file: configFile })
  const draft = chooseContext(parseConsoleConfig(change(before), configFile), name)
  const staged = stage(place.identityDir(name))
  try {
    const identity = await getIdentity(addition, staged, place, io)
    const access = accessOf(draft, { configFile, identityDir: staged, version: place.version })
    const load = () => ({ context: draft, configFile, nodes: draft.nodes, clouds: draft.clouds, access })
    const task = { names: [], format: 'table', timeoutMs: addition.timeoutMs } as const
    const tested = await diagnose(task, { ...place, load, identityDir: () => staged }, io.signal)
    const findings = [...identity, ...tested]
    io.stdout.write(findingsAsText(findings, { ...place, isBrief: true }))
    const verdict = verdictOf(findings)
    if (verdict === 'faulty' && !wish.force) {
      io.stderr.write('edgedeck: nothing was written; do what is said above, or write it all the same with --force\n')
      return verdict
    }
    changeConfig(configFile, change)
    keep(staged, place.identityDir(name))
    const how = isCurrent
      ? 'and is the current one'
      : `; look at it with --context ${name}, or edgedeck context use ${name}`
    io.stdout.write(`${name} is in ${configFile} ${how}\n`)
    return verdict
  } finally {
    rmSync(staged, { recursive: true, force: true })
  }
}

function written({ wish, nodes, clouds }: ContextAddition): WrittenContext {
  const { production, insecure, controller, nats, natsCa } = wish
  return {
    ...(production ? { production } : {}),
    ...(insecure ? { insecure } : {}),
    ...(controller === null ? {} : { controller }),
    ...(nats.length === 0 ? {} : { nats: { servers: nats, ...(natsCa === null ? {} : { ca: resolve(natsCa) }) } }),
    ...(nodes.length === 0
      ? {}
      : {
          nodes: nodes.map(({ key, site, url }) => ({
            name: key,
            ...(site === undefined ? {} : { site }),
            ...(url === null ? {} : { url }),
          })),
        }),
    ...(clouds.length === 0
      ? {}
      : {
          clouds: clouds.map(({ name, servers, stream }) => ({
            name,
            servers,
            ...(stream === 'EDGE' ? {} : { stream }),
          })),
        }),
  }
}

/** A folder beside the identity's, for its owner alone, with what is held already. */
function stage(dir: string): string {
  makeFolderSync(dirname(dir), { mode: 0o700 })
  const staged = mkdtempSync(join(dirname(dir), '.adding-'))
  if (existsSync(dir)) cpSync(dir, staged, { recursive: true })
  return staged
}

function keep(staged: string, dir: string): void {
  const files = readdirSync(staged)
  if (files.length === 0) return
  makeFolderSync(dir, { mode: 0o700 })
  for (const file of files) cpSync(join(staged, file), join(dir, file))
}

/** Take the identity from files, or log in, as it is wanted; whose it is, is told by the tests. */
async function getIdentity(
  { name, wish, timeoutMs }: ContextAddition,
  staged: string,
  { login: { user, env, ask }, now }: ContextAddPlace,
  io: CommandIo,
): Promise<readonly Finding[]> {
  const say = new FindingsOf('identity')
  const { identityFrom, login, controller, pin, key } = wish
  try {
    if (identityFrom !== null) {
      for (const file of Object.values(IDENTITY_FILES)) {
        if (existsSync(join(identityFrom, file))) cpSync(join(identityFrom, file), join(staged, file))
      }
      for (const secret of [IDENTITY_FILES.key, IDENTITY_FILES.credentials]) {
        if (existsSync(join(staged, secret))) chmodSync(join(staged, secret), 0o600)
      }
      if (readIdentityFolder(staged) === null) {
        say.fault(
          'files',
          `there is no ${IDENTITY_FILES.cert} in ${identityFrom}`,
          'name the folder that "edgedeck pki operator --out" wrote',
        )
      }
    }
    if (login !== null) {
      const task = { controller, name: login === '' ? null : login, key, pin, timeoutMs }
      const quiet = { ...io, stdout: io.stderr }
      await runLogin(task, { context: name, identityDir: staged, controller, user, env, ask, nowMs: now() }, quiet)
    }
  } catch (error) {
    const next =
      error instanceof EdgeError && error.next.length > 0 ? error.next.join('; ') : 'see the log of the controller'
    say.fault(login === null ? 'files' : 'login', untrusted(messageOf(error)), next)
  }
  return say.all
}
