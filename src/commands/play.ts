import { join } from 'node:path'
import { setTimeout as sleepFor } from 'node:timers/promises'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { CastEvent } from '../shell/asciicast.ts'
import { DrawOnly } from '../shell/draw-only.ts'
import { PlainText } from '../shell/plain-text.ts'
import { Player } from '../shell/player.ts'
import { type ReadRecording, readRecording } from '../shell/read-recording.ts'
import type { BorrowedTerminal } from '../shell/session.ts'
import type { CommandIo } from './output.ts'

/** What `edgedeck play` was asked. */
export interface PlayRequest {
  /** Path of the recording. */
  readonly file: string
  readonly speed: number
  readonly idleLimitMs: number | null
}

/** Where a recording is played: a terminal that is lent, or null for plain text. */
export type PlayTerminal = (<T>(work: (terminal: BorrowedTerminal) => Promise<T>) => Promise<T>) | null

/**
 * Play a recording on a terminal in its own times, or print it as text. Only what draws reaches the terminal.
 * @throws EdgeError `RECORDING_UNUSABLE`
 */
export async function runPlay(request: PlayRequest, terminal: PlayTerminal, io: CommandIo): Promise<void> {
  const recording = await readRecording(request.file)
  if (terminal === null) {
    await printAsText(recording, io)
    return
  }
  io.stderr.write(`${aboutLine(recording)}\n`)
  const isWhole = await terminal((lent) => play(request, recording, lent, io.signal))
  io.stderr.write(isWhole ? '' : 'edgedeck: left before its end\n')
}

async function play(
  { speed, idleLimitMs }: PlayRequest,
  { events }: ReadRecording,
  terminal: BorrowedTerminal,
  signal: AbortSignal,
): Promise<boolean> {
  const filter = new DrawOnly()
  let drained: () => void = () => undefined
  terminal.onDrain(() => drained())
  let end = ''
  const player = new Player({
    speed,
    idleLimitMs,
    draw: (data) => {
      if (terminal.write(filter.feed(data))) return undefined
      return new Promise<void>((resolve) => {
        drained = resolve
      })
    },
    told: ({ code, data }: CastEvent) => {
      if (code === 'x' || code === 'm') end += `\r\n\x1b[medgedeck: ${untrusted(data)}`
    },
    sleep: (ms, waking) => sleepFor(ms, undefined, { signal: waking }).catch(() => undefined),
  })
  const stop = (): void => player.stop()
  signal.addEventListener('abort', stop, { once: true })
  terminal.onInput((chunk) => {
    for (const key of chunk.toString('latin1')) {
      if (key === ' ') player.toggle()
      else if (key === '.') player.step()
      else if (key === 'q' || key === '\x03') player.stop()
    }
  })
  const isWhole = await player.play(events)
  signal.removeEventListener('abort', stop)
  // It may have ended on the other screen.
  terminal.write(`\x1b[?1049l${end}\r\n`)
  return isWhole
}

async function printAsText({ events }: ReadRecording, io: CommandIo): Promise<void> {
  const text = new PlainText()
  const write = async (lines: readonly string[]): Promise<void> => {
    if (lines.length === 0 || io.stdout.write(`${lines.join('\n')}\n`)) return
    await new Promise<void>((resolve) => io.stdout.once('drain', () => resolve()))
  }
  for await (const { code, data } of events) {
    if (io.signal.aborted) return
    if (code === 'o') await write(text.feed(data))
    else if (code === 'm' || code === 'x') await write([...text.flush(), `[${untrusted(data)}]`])
  }
  await write(text.flush())
}

function aboutLine({ header }: ReadRecording): string {
  const { width, height, about, title } = header
  const whose = about === null ? title : `${about.node} (${about.where}) by ${about.who} in ${about.context}`
  const when = new Date(header.startedMs).toISOString().slice(0, 16).replace('T', ' ')
  return `edgedeck: ${untrusted(whose)}, ${when} UTC, ${width}×${height}; space holds, . steps, q leaves`
}

/** Where a recording is that was named: what looks like a path is one, else it is in the context's folder. */
export function recordingFile(dir: string, named: string): string {
  return named.includes('/') ? named : join(dir, named.endsWith('.cast') ? named : `${named}.cast`)
}
