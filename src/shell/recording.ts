import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import type { LinearRegex } from '../../regex/linear-regex.ts'
import type { TerminalSize } from '../remote/contract.ts'
import { type CastCode, type CastHeader, eventLine, headerLine } from './asciicast.ts'
import { RecordingFile, type WrittenFile } from './recording-file.ts'
import { type OutputPiece, Redactor } from './redactor.ts'

/** Kept free below the cap for the remarks at the end, bytes. */
const REMARKS_BYTES = 1024

/** How a session is recorded. */
export interface RecordingOptions {
  readonly file: string
  readonly header: CastHeader
  /** Largest file, bytes. */
  readonly maxBytes: number
  /** The operator's own patterns of secrets. */
  readonly redact: readonly LinearRegex[]
  /** ms, from any start. */
  readonly monotonicMs?: () => number
}

/** What became of a recording. */
export interface RecordingEnd extends Omit<WrittenFile, 'lostBytes'> {
  /** Bytes of output and input that came after the cap or the fault, and are not in it. */
  readonly unrecordedBytes: number
}

/**
 * A session as it is written down: what came out, secrets hidden ({@link Redactor}), sizes, and what was typed where that
 * is asked for. Nothing here makes the session wait but {@link isBehind}; nothing throws.
 */
export class Recording {
  readonly path: string
  readonly #file: RecordingFile
  readonly #options: RecordingOptions
  readonly #startMs: number
  readonly #monotonicMs: () => number
  readonly #decoders = { o: new StringDecoder('utf8'), i: new StringDecoder('utf8') }
  readonly #redactors: { readonly o: Redactor; readonly i: Redactor }
  #leftBytes: number
  #unrecordedBytes = 0

  private constructor(file: RecordingFile, options: RecordingOptions, headerBytes: number) {
    this.path = file.path
    this.#file = file
    this.#options = options
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now())
    this.#startMs = this.#monotonicMs()
    this.#redactors = { o: new Redactor(options.redact), i: new Redactor(options.redact) }
    this.#leftBytes = options.maxBytes - REMARKS_BYTES - headerBytes
  }

  /** @throws EdgeError `RECORDING_FAILING` */
  static async begin(options: RecordingOptions): Promise<Recording> {
    const header = headerLine(options.header)
    return new Recording(await RecordingFile.create(options.file, header), options, Buffer.byteLength(header))
  }

  /** The disk is slower than the session. */
  get isBehind(): boolean {
    return this.#file.isBehind
  }

  /** Hear when the disk has caught up. */
  onCaughtUp(listener: () => void): void {
    this.#file.onCaughtUp(listener)
  }

  output(chunk: Uint8Array): void {
    this.#take('o', chunk)
  }

  /** What was typed; only where that is asked for. */
  input(chunk: Uint8Array): void {
    if (this.#options.header.about.input) this.#take('i', chunk)
  }

  resize({ columns, rows }: TerminalSize): void {
    this.#write(this.#redactors.o.flush(), 'o')
    this.#event('r', `${columns}x${rows}`, this.#nowMs())
  }

  /** Write how it ended, and bring all to the disk. Never rejects. */
  async finish(end: string): Promise<RecordingEnd> {
    this.#write(this.#redactors.o.flush(), 'o')
    this.#write(this.#redactors.i.flush(), 'i')
    const atMs = this.#nowMs()
    const lost = this.#unrecordedBytes
    this.#leftBytes = REMARKS_BYTES
    if (lost > 0) this.#event('m', `${lost} bytes after the limit of this recording are not in it`, atMs)
    this.#event('x', end.slice(0, 200), atMs)
    const { lostBytes, ...written } = await this.#file.finish()
    return { ...written, unrecordedBytes: lost + lostBytes }
  }

  #take(code: 'o' | 'i', chunk: Uint8Array): void {
    if (this.#leftBytes <= 0 || this.#file.fault !== null) {
      this.#unrecordedBytes += chunk.byteLength
      return
    }
    const text = this.#decoders[code].write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    if (text !== '') this.#write(this.#redactors[code].feed({ atMs: this.#nowMs(), text }), code)
  }

  #write(pieces: readonly OutputPiece[], code: 'o' | 'i'): void {
    for (const { atMs, text } of pieces) this.#event(code, text, atMs)
  }

  #event(code: CastCode, data: string, atMs: number): void {
    const bytes = Buffer.byteLength(data)
    if (!this.#append(eventLine({ atMs, code, data }), code === 'o' || code === 'i' ? bytes : 0)) {
      this.#unrecordedBytes += bytes
    }
  }

  /** Append a line while there is room; the first that has none ends the recording. */
  #append(line: string, standsFor: number): boolean {
    const bytes = Buffer.byteLength(line)
    if (bytes > this.#leftBytes) {
      this.#leftBytes = 0
      return false
    }
    this.#leftBytes -= bytes
    this.#file.append(line, standsFor)
    return true
  }

  #nowMs(): number {
    return this.#monotonicMs() - this.#startMs
  }
}

/** Where a session is recorded: `<dir>/<context>/<time>-<node>.cast`, the time in UTC. */
export function recordingPath(
  dir: string,
  { context, node, atMs }: { readonly context: string; readonly node: string; readonly atMs: number },
): string {
  const time = new Date(atMs).toISOString().replace(/[-:]/g, '').replace('.', '')
  const safe = node.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 100)
  return join(dir, context, `${time}-${safe}.cast`)
}
