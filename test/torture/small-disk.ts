import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** A disk of a few megabytes over a folder, which outlives the daemons on it; any user may have one. */
export class SmallDisk {
  readonly #dir: string
  readonly #holder: ChildProcess

  private constructor(dir: string, holder: ChildProcess) {
    this.#dir = dir
    this.#holder = holder
  }

  /** Mount it in a namespace of its own, which a process holds open. */
  static async mount(dir: string, sizeBytes: number): Promise<SmallDisk> {
    const asUser = process.getuid?.() === 0 ? [] : ['--map-root-user']
    const script = `mount -t tmpfs -o size=${sizeBytes} tmpfs "$0" && echo mounted && exec sleep infinity`
    const holder = spawn('unshare', ['--mount', ...asUser, 'sh', '-c', script, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await Promise.race([
      once(createInterface({ input: holder.stdout }), 'line'),
      once(holder, 'exit'),
    ])) as [unknown]
    if (line !== 'mounted') throw new Error(`no small disk can be mounted on ${dir}`)
    return new SmallDisk(dir, holder)
  }

  /** The command line that starts a process which sees the disk. */
  under(): string[] {
    const asUser = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials']
    return ['nsenter', '--target', String(this.#holder.pid), '--mount', ...asUser]
  }

  /** Where this process reaches the disk. */
  get path(): string {
    return `/proc/${this.#holder.pid}/root${this.#dir}`
  }

  /** Let somebody else take all space but `leaveBytes`. */
  fill(leaveBytes = 0): void {
    const { bavail, bsize } = statfsSync(this.path)
    try {
      writeFileSync(`${this.path}/filler`, Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes)))
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error
    }
  }

  /** Give the space back. */
  free(): void {
    rmSync(`${this.path}/filler`, { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#holder, 'exit')
    this.#holder.kill('SIGKILL')
    await gone
  }
}
