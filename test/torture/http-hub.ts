import { existsSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type HttpCloudProcess, httpCloudProcess } from '../support/http-cloud-process.ts'
import { type CopyMaker, copyOf } from './block-decoder.ts'
import type { CloudCopy } from './evidence.ts'

const HEAD_BYTES = 12

interface Entry {
  readonly at: number
  readonly note: { readonly subject: string; readonly headers: Readonly<Record<string, string>> }
  readonly body: Buffer
}

/** A cloud region that takes blocks over HTTP: the compare-and-store receiver as a process, which can be killed and set back. */
export class HttpHub {
  readonly region = 'http'
  readonly #receiver: HttpCloudProcess
  #isUp = true

  private constructor(receiver: HttpCloudProcess) {
    this.#receiver = receiver
  }

  static async start(): Promise<HttpHub> {
    return new HttpHub(await httpCloudProcess())
  }

  get port(): number {
    return this.#receiver.port
  }

  get isUp(): boolean {
    return this.#isUp
  }

  async kill(): Promise<void> {
    this.#isUp = false
    await this.#receiver.kill()
  }

  async restart(): Promise<void> {
    await this.#receiver.restart()
    this.#isUp = true
  }

  /** Kill it and take its last blocks away, as a disk does that lied about syncing; returns how many are left. */
  async loseTail(blocks: number): Promise<number> {
    await this.kill()
    const entries = this.#entries()
    const left = Math.max(0, entries.length - blocks)
    const cutAt = entries[left]?.at
    if (cutAt !== undefined) truncateSync(this.#path, cutAt)
    await this.restart()
    return left
  }

  get held(): number {
    return this.#entries().length
  }

  async read(): Promise<CloudCopy> {
    const messages = this.#entries().map(({ note, body }, index) => ({
      position: index + 1,
      subject: note.subject,
      header: (name: string) => note.headers[name.toLowerCase()] ?? '',
      data: body,
    }))
    return copyOf({ region: this.region, messages } satisfies CopyMaker)
  }

  async end(): Promise<void> {
    await this.#receiver[Symbol.asyncDispose]()
  }

  get #path(): string {
    return join(this.#receiver.dir, 'blocks.log')
  }

  /** The archive's file by its format: length of the note, length of the body, CRC of both, little-endian. */
  #entries(): Entry[] {
    if (!existsSync(this.#path)) return []
    const bytes = readFileSync(this.#path)
    const entries: Entry[] = []
    let at = 0
    while (at + HEAD_BYTES <= bytes.length) {
      const [noteBytes, bodyBytes] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)]
      const end = at + HEAD_BYTES + noteBytes + bodyBytes
      const content = bytes.subarray(at + HEAD_BYTES, end)
      // The last block is still being written.
      if (end > bytes.length || crc32(content) !== bytes.readUInt32LE(at + 8)) break
      const note = JSON.parse(content.toString('utf8', 0, noteBytes)) as Entry['note']
      entries.push({ at, note, body: content.subarray(noteBytes) })
      at = end
    }
    return entries
  }
}
