import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { readRecording } from '../shell/read-recording.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** A recording of the list; texts are safe to show. */
interface RecordingRow {
  readonly file: string
  /** Unix ms. */
  readonly startedAt: number
  readonly node: string
  readonly where: string
  readonly who: string
  readonly why: string | null
  readonly lengthMs: number
  /** How it ended; null where it was cut off. */
  readonly end: string | null
}

const COLUMNS: readonly PrintedColumn<RecordingRow>[] = [
  { title: 'STARTED (UTC)', text: ({ startedAt }) => new Date(startedAt).toISOString().slice(0, 19).replace('T', ' ') },
  { title: 'NODE', text: ({ node }) => node },
  { title: 'WHERE', text: ({ where }) => where },
  { title: 'WHO', text: ({ who }) => who },
  { title: 'LENGTH', align: 'right', text: ({ lengthMs }) => lengthText(lengthMs) },
  { title: 'END', text: ({ end }) => end ?? 'cut off' },
  { title: 'FILE', text: ({ file }) => file },
]

/** List the recordings in a folder, the oldest first. What is no recording is left out. */
export async function runRecordings(dir: string, format: OutputFormat, io: CommandIo): Promise<void> {
  const rows: RecordingRow[] = []
  for (const file of filesOf(dir)) {
    if (io.signal.aborted) return
    const row = await rowOf(dir, file)
    if (row !== null) rows.push(row)
  }
  if (format !== 'table') io.stdout.write(printJson(rows, format))
  else if (rows.length === 0) io.stderr.write(`edgedeck: nothing is recorded in ${untrusted(dir)}\n`)
  else io.stdout.write(printTable(COLUMNS, rows))
}

function filesOf(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((name) => name.endsWith('.cast'))
      .sort()
  } catch {
    // No session was recorded yet.
    return []
  }
}

async function rowOf(dir: string, file: string): Promise<RecordingRow | null> {
  try {
    const { header, events } = await readRecording(join(dir, file))
    let lengthMs = 0
    let end: string | null = null
    for await (const event of events) {
      lengthMs = event.atMs
      if (event.code === 'x') end = untrusted(event.data)
    }
    const { node = '', where = '', who = '', why = null } = header.about ?? {}
    return {
      file: untrusted(file),
      startedAt: header.startedMs,
      node: untrusted(node),
      where: untrusted(where),
      who: untrusted(who),
      why: why === null ? null : untrusted(why),
      lengthMs: Math.round(lengthMs),
      end,
    }
  } catch {
    return null
  }
}

function lengthText(ms: number): string {
  const sec = Math.round(ms / 1000)
  return `${Math.floor(sec / 60)}:${String(sec % 60).padStart(2, '0')}`
}
