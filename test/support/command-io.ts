import { PassThrough } from 'node:stream'
import type { CommandIo } from '../../src/commands/output.ts'

/** Where a plain command writes when it runs inside the test. */
export class CapturedIo implements CommandIo {
  readonly stdout = new PassThrough({ highWaterMark: 64 * 1024 * 1024 })
  readonly stderr = new PassThrough({ highWaterMark: 64 * 1024 * 1024 })
  readonly #abort = new AbortController()
  readonly signal = this.#abort.signal

  /** End the command early. */
  abort(): void {
    this.#abort.abort()
  }

  /** What was written to stdout since the last look. */
  out(): string {
    return this.stdout.read()?.toString() ?? ''
  }

  /** What was written to stderr since the last look. */
  err(): string {
    return this.stderr.read()?.toString() ?? ''
  }
}
