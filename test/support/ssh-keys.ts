import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSshKey, type SshKey } from '../../identity/ssh-key.ts'

/** A key that ssh-keygen made for a test. */
export interface MadeSshKey {
  readonly file: string
  /** Its public part as a line. */
  readonly line: string
  readonly key: SshKey
}

/** A folder for SSH keys and a real ssh-agent of its own; disposing it ends the agent. */
export class SshKeys {
  readonly dir = mkdtempSync(join(tmpdir(), 'edgedeck-ssh-'))
  readonly socket = join(this.dir, 'agent')
  #agent: ChildProcess | null = null

  /** Make a key; an empty passphrase leaves it in plain. */
  make(name: string, passphrase = '', type = 'ed25519'): MadeSshKey {
    const file = join(this.dir, name)
    // One round of the passphrase's derivation: it costs a second in many tests, and protects nothing here.
    execFileSync('ssh-keygen', ['-q', '-t', type, '-a', '1', '-N', passphrase, '-C', name, '-f', file])
    const line = readFileSync(`${file}.pub`, 'utf8').trim()
    const key = readSshKey(line)
    if (typeof key === 'string') throw new Error(key)
    return { file, line, key }
  }

  /** Start the agent and put keys into it. */
  async startAgent(...keys: readonly MadeSshKey[]): Promise<void> {
    const agent = spawn('ssh-agent', ['-D', '-a', this.socket], { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#agent = agent
    await new Promise((resolve, reject) => {
      agent.stdout.once('data', resolve)
      agent.once('error', reject)
    })
    const env = { ...process.env, SSH_AUTH_SOCK: this.socket }
    for (const { file } of keys) execFileSync('ssh-add', ['-q', file], { env, stdio: 'pipe' })
  }

  [Symbol.dispose](): void {
    this.#agent?.kill()
    rmSync(this.dir, { recursive: true, force: true })
  }
}
