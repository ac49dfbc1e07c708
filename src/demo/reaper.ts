import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { programFile } from './places.ts'

/** What the demo tells its reaper, one JSON object a line. */
export type ReaperNote =
  | { readonly kind: 'started' | 'ended'; readonly pid: number }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'done' }

/**
 * Starts and informs the process that cleans up after the demo when the demo itself cannot any more, after SIGKILL for
 * one. It lives in a session of its own, so that no terminal takes it along.
 */
export class Reaper {
  #child: ChildProcess | null = null

  start(): void {
    this.#child = spawn(process.execPath, [programFile('reaper')], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#child.on('error', () => undefined)
    this.#child.stdin?.on('error', () => undefined)
  }

  /** A folder to remove. */
  folder(path: string): void {
    this.#tell({ kind: 'folder', path })
  }

  /** A process to kill, with its group if it leads one. */
  started(pid: number): void {
    this.#tell({ kind: 'started', pid })
  }

  /** A process that is gone; its id may belong to somebody else from now on. */
  ended(pid: number): void {
    this.#tell({ kind: 'ended', pid })
  }

  /** Everything was cleaned up; resolves when the reaper is gone. */
  async dismiss(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.stdin?.end(`${JSON.stringify({ kind: 'done' } satisfies ReaperNote)}\n`)
    await gone
  }

  #tell(note: ReaperNote): void {
    this.#child?.stdin?.write(`${JSON.stringify(note)}\n`)
  }
}
