import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readSshKey, sshFingerprintOf } from '../../identity/ssh-key.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** A key that can sign, as OpenSSH knows it. */
export interface SshIdentity {
  /** Line of a public key; its private part is in the agent, or in `file`. */
  readonly line: string
  /** Private key, or public one whose private part the agent holds; null for a key that only the agent has. */
  readonly file: string | null
}

const run = promisify(execFile)
/** As ssh looks for them. */
const USUAL_FILES = ['id_ed25519', 'id_ecdsa', 'id_ed25519_sk', 'id_ecdsa_sk', 'id_rsa']

/**
 * The key to log in with. `wanted` is a file, `agent`, or the fingerprint or comment of a key in the agent; null takes the
 * only key of the agent, or else the first of the usual files.
 * @throws EdgeError `LOGIN_REFUSED` when there is none, or several and nobody says which
 */
export async function chooseSshIdentity(wanted: string | null, env: NodeJS.ProcessEnv): Promise<SshIdentity> {
  if (wanted !== null && wanted !== 'agent' && existsSync(wanted)) return fromFile(wanted)
  const held = await agentLines(env)
  const fitting = wanted === null || wanted === 'agent' ? held : held.filter((line) => isCalled(line, wanted))
  const [line] = fitting
  if (line !== undefined && fitting.length === 1) return { line, file: null }
  if (fitting.length > 1) {
    throw refused(`the agent holds ${fitting.length} keys that can be meant`, [
      `choose one with --key: ${fitting.map(titleOf).join(', ')}`,
    ])
  }
  if (wanted === null) {
    const file = USUAL_FILES.map((name) => join(env.HOME ?? homedir(), '.ssh', name)).find((path) => existsSync(path))
    if (file !== undefined) return fromFile(file)
  }
  throw refused(
    wanted === null ? 'there is no SSH key to log in with' : `neither a file nor the agent has the key ${wanted}`,
    [
      'put one into the agent: ssh-add',
      'or name its file: --key ~/.ssh/id_ed25519',
      'or make one: ssh-keygen -t ed25519',
    ],
  )
}

/**
 * Sign a text with `ssh-keygen -Y sign`, which asks on the terminal for whatever the key needs: a passphrase, a touch.
 * @returns the armoured signature
 * @throws EdgeError `TOOL_MISSING` or `LOGIN_REFUSED`
 */
export async function signWithSsh(
  text: string,
  {
    identity,
    namespace,
    signal,
  }: { readonly identity: SshIdentity; readonly namespace: string; readonly signal: AbortSignal },
): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-login-'))
  try {
    const file = identity.file ?? join(dir, 'key.pub')
    if (identity.file === null) writeFileSync(file, `${identity.line}\n`, { mode: 0o600 })
    const { code, out, errors } = await keygen(['-Y', 'sign', '-n', namespace, '-f', file], text, signal)
    if (code === 0 && out.includes('BEGIN SSH SIGNATURE')) return out
    throw refused(`ssh-keygen does not sign: ${errors.trim().split('\n').at(-1) ?? ''}`, [
      'look whether the key works: ssh-add -l, or ssh-keygen -y -f FILE',
    ])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The public key of an identity, as `ssh-add -l` names it. */
export function titleOf(line: string): string {
  const key = readSshKey(line)
  const comment = line.trim().split(/\s+/).slice(2).join(' ')
  return `${typeof key === 'string' ? 'a key that is not taken' : sshFingerprintOf(key)}${comment === '' ? '' : ` (${comment})`}`
}

function fromFile(path: string): SshIdentity {
  const shown = path.endsWith('.pub') ? path : `${path}.pub`
  return { line: existsSync(shown) ? readFileSync(shown, 'utf8').trim() : '', file: path }
}

function isCalled(line: string, wanted: string): boolean {
  const key = readSshKey(line)
  return (
    (typeof key !== 'string' && sshFingerprintOf(key) === wanted) ||
    line.trim().split(/\s+/).slice(2).join(' ') === wanted
  )
}

/** Public keys in the agent that can log in; none when no agent runs. */
async function agentLines(env: NodeJS.ProcessEnv): Promise<string[]> {
  if (env.SSH_AUTH_SOCK === undefined || env.SSH_AUTH_SOCK === '') return []
  try {
    const { stdout } = await run('ssh-add', ['-L'], { env, timeout: 10_000 })
    return stdout.split('\n').filter((line) => typeof readSshKey(line) !== 'string')
  } catch {
    return []
  }
}

function keygen(
  args: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<{ readonly code: number | null; readonly out: string; readonly errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh-keygen', args, { stdio: ['pipe', 'pipe', 'pipe'], signal })
    let [out, errors] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
      // What a security key is waiting for is said there.
      if (/presence|touch|PIN/i.test(text)) process.stderr.write(text)
    })
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') return reject(refused(`ssh-keygen failed: ${messageOf(cause)}`, []))
      reject(
        new EdgeError('TOOL_MISSING', {
          message: 'ssh-keygen is not installed',
          next: ['install OpenSSH (openssh-client) 8.2 or later'],
          cause,
        }),
      )
    })
    child.on('close', (code) => resolve({ code, out, errors }))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

function refused(message: string, next: readonly string[]): EdgeError {
  return new EdgeError('LOGIN_REFUSED', { message, next })
}
