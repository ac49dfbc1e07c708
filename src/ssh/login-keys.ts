import { existsSync, readFileSync, statSync } from 'node:fs'
import ssh2, { type ParsedKey } from 'ssh2'
import { messageOf } from '../../protocol/errors.ts'
import type { Prompter } from '../remote/contract.ts'
import { readPublicPart } from './key-file.ts'
import { keyTypeOf } from './known-hosts.ts'
import type { LoginRule } from './target.ts'

/** A key to log in with. Its private part is only looked for once a server says that it would take the key. */
export interface LoginKey {
  /** Where it is from, for messages: a file, or the agent. */
  readonly name: string
  /** Public part in SSH's wire form. */
  readonly blob: Buffer
  /** @param hash `sha256`, `sha512` … for RSA; undefined where the type of the key settles it @throws Error that says why not */
  sign(data: Buffer, hash: string | undefined): Promise<Buffer>
}

/** Keys in the order in which they are offered, and what there is to say about those that are not. */
export interface LoginKeys {
  readonly keys: readonly LoginKey[]
  /** Safe to show once made untrusted. */
  readonly remarks: readonly string[]
}

const OTHERS = 0o077
const PASSPHRASE_TRIES = 3
const AGENT_TIMEOUT_MS = 5_000
/** An agent may ask its user before it signs. */
const SIGN_TIMEOUT_MS = 60_000

/**
 * Keys of the agent that a file names, then the agent's others, then files: OpenSSH's order. No passphrase is asked for yet.
 */
export async function loginKeys(rule: LoginRule, prompter: Prompter): Promise<LoginKeys> {
  const remarks: string[] = []
  const files = rule.keyFiles.flatMap((file) => keyOfFile(file, prompter, remarks) ?? [])
  const held = rule.agent === null ? [] : await keysOfAgent(rule.agent, remarks)
  const isNamed = ({ blob }: LoginKey): boolean => files.some((file) => file.blob.equals(blob))
  const others = rule.onlyKeyFiles ? [] : held.filter((key) => !isNamed(key))
  const rest = files.filter((file) => !held.some(({ blob }) => blob.equals(file.blob)))
  return { keys: [...held.filter(isNamed), ...others, ...rest], remarks }
}

async function keysOfAgent(socket: string, remarks: string[]): Promise<LoginKey[]> {
  const agent = new ssh2.OpenSSHAgent(socket)
  try {
    const found = await inTime(
      new Promise<readonly unknown[]>((resolve, reject) => {
        agent.getIdentities((error, keys) => (error ? reject(error) : resolve(keys ?? [])))
      }),
      AGENT_TIMEOUT_MS,
    )
    return found.flatMap((identity) => {
      const key = ssh2.utils.parseKey(identity as Buffer)
      if (key instanceof Error) return []
      const blob = key.getPublicSSH()
      const sign = (data: Buffer, hash: string | undefined): Promise<Buffer> =>
        inTime(
          new Promise((resolve, reject) => {
            agent.sign(blob, data, hash === undefined ? {} : { hash: hash as 'sha256' }, (error, signature) =>
              error || signature === undefined ? reject(error ?? new Error('it gave none')) : resolve(signature),
            )
          }),
          SIGN_TIMEOUT_MS,
        )
      return [{ name: `${key.comment || keyTypeOf(blob)} of the agent`, blob, sign }]
    })
  } catch (error) {
    remarks.push(`the agent at ${socket} does not answer: ${messageOf(error)}`)
    return []
  }
}

/** A key file; null when it is not there or cannot be used, which a remark says. */
function keyOfFile(file: string, prompter: Prompter, remarks: string[]): LoginKey | null {
  if (!existsSync(file)) return existsSync(`${file}.pub`) ? publicAlone(file, remarks) : null
  try {
    if ((statSync(file).mode & OTHERS) !== 0) {
      remarks.push(`${file} is open to others of this machine and not used: chmod 600 ${file}`)
      return null
    }
    if (existsSync(`${file}-cert.pub`)) remarks.push(`${file}-cert.pub: SSH certificates are not shown to servers here`)
    const text = readFileSync(file)
    const part = readPublicPart(file, text)
    if (typeof part === 'string') {
      remarks.push(`${file} is not used: ${part}`)
      return null
    }
    let opened: Promise<ParsedKey> | null = null
    const sign = async (data: Buffer, hash: string | undefined): Promise<Buffer> => {
      opened ??= open(file, text, prompter)
      const signature: Buffer | Error = (await opened).sign(data, hash)
      if (signature instanceof Error) throw signature
      return signature
    }
    return { name: file, blob: part.blob, sign }
  } catch (error) {
    remarks.push(`${file} cannot be read: ${messageOf(error)}`)
    return null
  }
}

/** Only the public part is there: a name for a key that the agent must hold. */
function publicAlone(file: string, remarks: string[]): LoginKey | null {
  const part = readPublicPart(file, Buffer.alloc(0))
  if (typeof part === 'string') return null
  remarks.push(`${file}.pub is there without its private key`)
  return { name: file, blob: part.blob, sign: () => Promise.reject(new Error('only its public part is here')) }
}

async function open(file: string, text: Buffer, prompter: Prompter): Promise<ParsedKey> {
  const plain = parsed(text)
  if (!(plain instanceof Error)) return plain
  for (let tries = 0; tries < PASSPHRASE_TRIES; tries++) {
    const again = tries === 0 ? '' : 'That was not it. '
    const passphrase = await prompter.ask({ text: `${again}Passphrase of ${file}: `, secret: true })
    if (passphrase === null || passphrase === '') throw new Error('its passphrase is needed')
    const key = parsed(text, passphrase)
    if (!(key instanceof Error)) return key
  }
  throw new Error(`none of ${PASSPHRASE_TRIES} passphrases opened it`)
}

function parsed(text: Buffer, passphrase?: string): ParsedKey | Error {
  const read = ssh2.utils.parseKey(text, passphrase) as ParsedKey | ParsedKey[] | Error
  return Array.isArray(read) ? (read[0] ?? new Error('it holds no key')) : read
}

async function inTime<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${timeoutMs / 1000} s`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
