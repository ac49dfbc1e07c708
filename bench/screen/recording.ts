import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Terminal } from '@xterm/headless'

// A CommonJS package whose names Node does not find by itself.
const { Terminal: Emulator } = createRequire(import.meta.url)('@xterm/headless') as typeof import('@xterm/headless')

/** What one run of a console came to. */
export interface Measured {
  /** Start of the process to the first screen that has a row of the table, ms; null when nothing is drawn. */
  readonly firstFrameMs: number | null
  /** While nobody typed: % of one core. */
  readonly cpuPct: number
  /** While nobody typed: bytes a second to the terminal. */
  readonly bytesPerSec: number
  /** From writing a cursor key to the chunk of output that showed the cursor on another node, at most to the next key; ms. */
  readonly keyMs: readonly number[]
  /** Keys whose answer had not come when the next key was due. */
  readonly lateKeys: number
}

interface Event {
  readonly kind: 'o' | 'k' | 'c'
  readonly atMs: number
  readonly data: Buffer
}

const HEADER_BYTES = 13

/**
 * Read what `meter.py` wrote and play it into a terminal emulator chunk by chunk, so that both contenders are judged by
 * what a person would see and not by how they write it.
 * @throws Error when the table was never shown or no key was answered
 */
export async function readRecording(
  file: string,
  options: {
    readonly columns: number
    readonly rows: number
    readonly ticksPerSec: number
    readonly draws: boolean
  },
): Promise<Measured> {
  const events = parse(await readFile(file))
  const shown = new Shown(options.columns, options.rows)
  let firstFrameMs: number | null = null
  let waiting: { readonly atMs: number; readonly from: string | null } | null = null
  let keys = 0
  let lateKeys = 0
  const keyMs: number[] = []
  for (const { kind, atMs, data } of events) {
    if (kind === 'k') {
      const key = data.toString()
      if (waiting !== null) {
        lateKeys += 1
        keyMs.push(atMs - waiting.atMs)
      }
      waiting = key === 'j' || key === 'k' ? { atMs, from: shown.cursorNode() } : null
      if (waiting !== null) keys += 1
    } else if (kind === 'o') {
      await shown.write(data)
      if (firstFrameMs !== null && waiting === null) continue
      const node = shown.cursorNode()
      if (node !== null) firstFrameMs ??= atMs
      if (waiting === null || node === null || node === waiting.from) continue
      keyMs.push(atMs - waiting.atMs)
      waiting = null
    }
  }
  const screen = shown.screen()
  shown.dispose()
  if (options.draws && firstFrameMs === null) throw new Error(`the table was never shown:\n${screen}`)
  if (keys > 0 && keyMs.length === 0) throw new Error(`no key moved the cursor:\n${screen}`)
  return { firstFrameMs, ...watched(events, options.ticksPerSec), keyMs, lateKeys }
}

function watched(events: readonly Event[], ticksPerSec: number): { cpuPct: number; bytesPerSec: number } {
  const [from, to] = events.filter((event) => event.kind === 'c')
  if (from === undefined || to === undefined) throw new Error('the recording was cut short')
  const seconds = (to.atMs - from.atMs) / 1000
  const cpuSec = (Number(to.data.toString()) - Number(from.data.toString())) / ticksPerSec
  const bytes = events
    .filter((event) => event.kind === 'o' && event.atMs >= from.atMs && event.atMs < to.atMs)
    .reduce((sum, event) => sum + event.data.length, 0)
  return { cpuPct: (100 * cpuSec) / seconds, bytesPerSec: bytes / seconds }
}

function parse(data: Buffer): Event[] {
  const events: Event[] = []
  for (let at = 0; at + HEADER_BYTES <= data.length; ) {
    const length = data.readUInt32LE(at + 9)
    events.push({
      kind: String.fromCharCode(data[at] ?? 0) as Event['kind'],
      atMs: Number(data.readBigUInt64LE(at + 1)) / 1e6,
      data: data.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length),
    })
    at += HEADER_BYTES + length
  }
  return events
}

/** What a person sees. */
class Shown {
  readonly #terminal: Terminal

  constructor(columns: number, rows: number) {
    this.#terminal = new Emulator({ cols: columns, rows, allowProposedApi: true })
  }

  /** Resolves when it is on the screen. */
  write(data: Buffer): Promise<void> {
    return new Promise((resolve) => this.#terminal.write(data, resolve))
  }

  /** The node in the row of the table that carries the cursor; null while there is none. */
  cursorNode(): string | null {
    const row = this.#text().find((text) => text.startsWith('▶'))
    return row === undefined ? null : (/(node-\d+)/.exec(row)?.[1] ?? null)
  }

  screen(): string {
    return this.#text().join('\n')
  }

  dispose(): void {
    this.#terminal.dispose()
  }

  #text(): string[] {
    const { active } = this.#terminal.buffer
    return Array.from(
      { length: this.#terminal.rows },
      (_, row) => active.getLine(active.baseY + row)?.translateToString(true) ?? '',
    )
  }
}
