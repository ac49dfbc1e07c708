import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PtyProcess } from './pty.ts'
import { Sshd } from './sshd.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/edgedeck.js', import.meta.url))

const DISK_BYTES = 1024 * 1024

/** What is not as usual in a {@link ShellFleet}. */
export interface ShellFleetOptions {
  readonly production?: boolean
  /** Begin without a known key of the server. */
  readonly isUnknown?: boolean
  /** URLs of further nodes by name, on the same machine. */
  readonly nodes?: Readonly<Record<string, string>>
  /** Further lines of the configuration. */
  readonly config?: readonly string[]
}

/** One node that is down, `press-4`, and others if wanted, with a real sshd on it, and the operator's own folders: what ships, on a terminal. */
export class ShellFleet {
  readonly dir = mkdtempSync(join(tmpdir(), 'edgedeck-shell-'))
  readonly sshd: Sshd
  readonly env: NodeJS.ProcessEnv
  readonly #terminals: PtyProcess[] = []

  private constructor(
    sshd: Sshd,
    { production = false, isUnknown = false, nodes = {}, config = [] }: ShellFleetOptions,
  ) {
    this.sshd = sshd
    const key = join(this.dir, 'id')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'mia', '-f', key])
    sshd.authorize(readFileSync(`${key}.pub`, 'utf8').trim())
    writeFileSync(join(this.dir, 'known_hosts'), isUnknown ? '' : sshd.knownHosts)
    writeFileSync(join(this.dir, 'ssh_config'), `Host *\n  IdentityFile ${key}\n  IdentityAgent none\n`)
    const lines = [
      'nodes:',
      ...Object.entries({ 'press-4': 'ws://127.0.0.1:1/live', ...nodes }).map(
        ([name, url]) => `  - {name: ${name}, url: "${url}", ssh: "${sshd.user}@${sshd.host}:${sshd.port}"}`,
      ),
      `ssh: {config: ${join(this.dir, 'ssh_config')}, knownHosts: ${join(this.dir, 'known_hosts')}}`,
      `production: ${production}`,
      ...config,
    ]
    writeFileSync(this.configFile, `${lines.join('\n')}\n`)
    this.env = {
      ...process.env,
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      XDG_CONFIG_HOME: join(this.dir, 'config'),
      XDG_STATE_HOME: this.dir,
    }
  }

  static async start(options: ShellFleetOptions = {}): Promise<ShellFleet> {
    return new ShellFleet(await Sshd.start({ config: ['PrintLastLog no'] }), options)
  }

  get configFile(): string {
    return join(this.dir, 'config.yaml')
  }

  /** Arguments of Node that run what ships. */
  command(args: readonly string[]): string[] {
    return [LAUNCHER, '--config', this.configFile, ...args]
  }

  /**
   * What ships, on a terminal of its own. With a `disk` its recordings lie on one that has so many bytes left; root alone can
   * have that.
   */
  terminal(
    args: readonly string[] = [],
    { disk, env = {}, ...size }: { columns?: number; rows?: number; disk?: number; env?: NodeJS.ProcessEnv } = {},
  ): PtyProcess {
    const within = disk === undefined ? [] : this.#onDisk(disk)
    const pty = new PtyProcess([...within, process.execPath, ...this.command(args)], {
      columns: 100,
      rows: 30,
      ...size,
      env: { ...this.env, ...env },
    })
    pty.answer()
    this.#terminals.push(pty)
    return pty
  }

  #onDisk(bytes: number): string[] {
    const folder = join(this.dir, 'edgedeck', 'recordings')
    mkdirSync(folder, { recursive: true })
    const filled = DISK_BYTES - bytes
    const mount = `mount -t tmpfs -o size=${DISK_BYTES} tmpfs '${folder}' && head -c ${filled} /dev/zero > '${folder}/else'`
    return ['unshare', '--mount', 'sh', '-c', `${mount} && exec "$@"`, 'sh']
  }

  /** Paths of the recordings, oldest first. */
  recordings(): string[] {
    const folder = join(this.dir, 'edgedeck', 'recordings', 'default')
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
  }

  /** Records of the operator's journal. */
  journal(): Record<string, unknown>[] {
    const folder = join(this.dir, 'edgedeck', 'audit', 'default')
    const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.ndjson'))
    return readFileSync(join(folder, file), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const terminal of this.#terminals) await terminal.dispose()
    await this.sshd.stop()
    rmSync(this.dir, { recursive: true, force: true })
  }
}
