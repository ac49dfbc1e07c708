import { EventEmitter } from 'node:events'

/** A terminal's input whose bytes a test types. */
export class FakeInput extends EventEmitter {
  isRaw = false
  paused = true

  setRawMode(raw: boolean): this {
    this.isRaw = raw
    return this
  }

  resume(): this {
    this.paused = false
    return this
  }

  pause(): this {
    this.paused = true
    return this
  }

  /** Type text or bytes, as one chunk. */
  type(keys: string | Buffer): void {
    this.emit('data', Buffer.from(keys as string))
  }
}
