import { type ChildProcess, execFile, spawn } from 'node:child_process'
import type { Collector, Progress } from '../follow/collector.ts'
import type { FollowNotice, FollowSettings, SourceFault } from '../follow/contract.ts'
import type { Place } from '../follow/file-place.ts'
import type { Positions } from '../follow/positions.ts'
import type { LineReader } from '../follow/reader.ts'
import { LineSplitter } from '../follow/splitter.ts'
import { type JournalEntry, parseJournalLine } from './journal-line.ts'

/** What the follower of files lends to the one of the journal. */
export interface JournalParts {
  readonly collector: Collector
  readonly reader: LineReader
  readonly positions: Positions
  /** Write positions down now. */
  savePositions(): void
}

/** Bytes of one entry; what is longer is skipped, and journald itself cuts at far less. */
const MAX_ENTRY_BYTES = 1024 * 1024
const FIRST_WAIT_MS = 1000
const LONGEST_WAIT_MS = 60_000
const FIRST_LOOK_MS = 10_000
/** How often a paused child is asked to go on. */
const RESUME_MS = 20

/**
 * Follows journald through `journalctl`, which reads all kinds of journals. It is started again where the store's records end
 * whenever it ends; while the store is busy it waits with its pipe full.
 */
export class JournalFollower {
  readonly #settings: FollowSettings
  readonly #parts: JournalParts
  readonly #notice: (notice: FollowNotice) => void
  readonly #progress: JournalProgress
  #child: ChildProcess | null = null
  #timer: NodeJS.Timeout | null = null
  #waitMs = FIRST_WAIT_MS
  #fault: string | null = null
  #isStopped = false

  constructor(settings: FollowSettings, parts: JournalParts, notice: (notice: FollowNotice) => void) {
    this.#settings = settings
    this.#parts = parts
    this.#notice = notice
    this.#progress = new JournalProgress(parts.positions)
  }

  /** Start `journalctl`, where units are configured; at the first start from the place that is configured. */
  start(): void {
    const { units, from } = this.#settings
    if (units.length === 0 || this.#isStopped) return
    const names = units.includes('*') ? [] : units.map((unit) => `--unit=${unit}`)
    if (this.#parts.positions.journal !== null) this.#follow(names)
    else if (from === 'start') this.#begin(null, names)
    else this.#child = lookForNewest(names, (cursor) => this.#begin(cursor, names))
  }

  #begin(cursor: string | null, names: readonly string[]): void {
    if (this.#isStopped) return
    // Written down before anything is read, so that a crash does not begin at another place.
    this.#parts.positions.journalAt({ cursor, marks: {} })
    this.#parts.savePositions()
    this.#follow(names)
  }

  #follow(names: readonly string[]): void {
    const cursor = this.#progress.cursor
    const place = cursor === null ? [] : [`--after-cursor=${cursor}`]
    // Without `--no-tail` it shows ten entries behind the cursor and the others once another is written.
    const args = ['--output=json', '--follow', '--no-tail', '--all', '--quiet', ...place, ...names]
    const child = spawn('journalctl', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const splitter = new LineSplitter(MAX_ENTRY_BYTES, 0)
    let stderr = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-1000)
    })
    child.stdout?.on('data', (chunk: Buffer) => {
      this.#waitMs = FIRST_WAIT_MS
      this.#fault = null
      splitter.push(chunk, ({ text }) => this.#take(text))
      this.#parts.collector.flush()
      this.#yield(child)
    })
    child.once('error', (error: NodeJS.ErrnoException) => {
      this.#again(
        error.code === 'ENOENT'
          ? 'journalctl is not installed; install systemd or leave logs.journald.units out'
          : error.message,
      )
    })
    child.once('close', (code, signal) => this.#again(stderr.trim() || `journalctl ended with ${signal ?? code}`))
  }

  /** Let go of `journalctl`. */
  stop(): void {
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#child?.kill('SIGKILL')
  }

  /** What keeps the journal from being followed. */
  faults(): readonly SourceFault[] {
    return this.#fault === null ? [] : [{ what: 'journald', msg: this.#fault }]
  }

  #take(line: string): void {
    const entry = parseJournalLine(line)
    if (entry === null || entry.text.trim() === '') return
    const { reader, collector } = this.#parts
    const draft = reader.draft(entry.source, {
      text: entry.text,
      cutChars: 0,
      notedAt: entry.timestamp,
      origin: entry.origin,
      source: entry.source,
      format: 'auto',
      noted: { level: entry.level, fields: entry.fields },
    })
    if (!this.#progress.isKept(entry, reader.classBefore(draft))) {
      const place = { end: entry.cursor.number, check: 0 }
      reader.add(draft, this.#progress, `${entry.cursor.sequence}|${draft.class}`, place)
    }
    this.#progress.read(entry.origin)
    collector.resumeAt(this.#progress, { end: this.#progress.count, check: 0 })
  }

  /** Read no more while the store is busy. */
  #yield(child: ChildProcess): void {
    const { collector } = this.#parts
    if (collector.hasRoom || child.stdout === null) return
    child.stdout.pause()
    const timer = setInterval(() => {
      if (!collector.hasRoom && !this.#isStopped) return
      clearInterval(timer)
      child.stdout?.resume()
    }, RESUME_MS)
  }

  #again(why: string): void {
    if (this.#isStopped || this.#timer !== null) return
    this.#child = null
    if (this.#fault !== why) this.#notice({ level: 'warn', event: 'logs.journal_ended', msg: `${why}; tried again` })
    this.#fault = why
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.start()
    }, this.#waitMs)
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2)
  }
}

/** How far the journal is kept: a cursor, and by sequence and class the numbers behind it. */
class JournalProgress implements Progress {
  readonly #positions: Positions
  readonly #marks: Map<string, number>
  /** Cursors that were read and may not be kept yet, by a count that rises. */
  readonly #read: { readonly count: number; readonly cursor: string }[] = []
  count = 0

  constructor(positions: Positions) {
    this.#positions = positions
    this.#marks = new Map(Object.entries(positions.journal?.marks ?? {}))
  }

  /** Behind which reading goes on. */
  get cursor(): string | null {
    return this.#read.at(-1)?.cursor ?? this.#positions.journal?.cursor ?? null
  }

  isKept({ cursor }: JournalEntry, lineClass: 'log' | 'error'): boolean {
    return cursor.number <= (this.#marks.get(`${cursor.sequence}|${lineClass}`) ?? 0)
  }

  read(cursor: string): void {
    this.count += 1
    this.#read.push({ count: this.count, cursor })
  }

  advance(from: Place | null, marks: ReadonlyMap<string, Place>): void {
    for (const [key, { end }] of marks) this.#marks.set(key, end)
    let cursor = this.#positions.journal?.cursor ?? null
    let kept = 0
    while (from !== null && (this.#read[kept]?.count ?? Number.POSITIVE_INFINITY) <= from.end) {
      cursor = this.#read[kept]?.cursor ?? cursor
      kept += 1
    }
    this.#read.splice(0, kept)
    this.#positions.journalAt({ cursor, marks: Object.fromEntries(this.#marks) })
  }
}

/**
 * Ask for the cursor of the newest entry, while files are followed: a large journal is slow to open on a slow disk. It is null
 * for an empty journal, of which everything to come is new, or one that cannot be read now.
 */
function lookForNewest(names: readonly string[], found: (cursor: string | null) => void): ChildProcess {
  const args = ['--output=json', '--lines=1', '--quiet', ...names]
  const bounds = { timeout: FIRST_LOOK_MS, maxBuffer: MAX_ENTRY_BYTES, killSignal: 'SIGKILL' } as const
  return execFile('journalctl', args, bounds, (_error, stdout) =>
    found(parseJournalLine(stdout.trim())?.origin ?? null),
  )
}
