import type { RunRecording } from '../../src/shell/fan-out-exec.ts'

/** A recording that is held in memory. */
export class RememberedRecording implements RunRecording {
  readonly path = '/recordings/default/run.cast'
  readonly isBehind = false
  text = ''
  end: string | null = null

  onCaughtUp(): void {}

  output(chunk: Uint8Array): void {
    this.text += Buffer.from(chunk).toString()
  }

  async finish(end: string) {
    this.end = end
    return { sha256: 'ab'.repeat(32), fault: null, unrecordedBytes: 0 }
  }
}
