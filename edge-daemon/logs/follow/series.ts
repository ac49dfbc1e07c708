import { randomBytes } from 'node:crypto'
import type { LineFormat } from '../../config/followed-logs.ts'
import type { FileState } from './checkpoint.ts'
import {
  beginsAs,
  type FileFacts,
  factsOf,
  headOf,
  holdsPlaces,
  lastLineEnd,
  locate,
  type Place,
  realPathOf,
  siblingsOf,
} from './file-place.ts'
import { FollowedFile, newFile, type ReadingOptions } from './followed-file.ts'

/** What lines of a path are called and how they are read. */
export interface SeriesOptions {
  readonly path: string
  readonly source: string
  readonly format: LineFormat
  readonly reading: ReadingOptions
}

/** What a series asks and tells of files. */
export interface SeriesParts {
  /** The file that a key is known as, in any series. */
  readonly known: (key: string) => FollowedFile | null
  /** A file is new and must be known durably before a record of it is kept. */
  readonly onNew: (file: FollowedFile) => void
  /** A file is gone, or is another now, and nothing more will be read of it. */
  readonly onGone: (file: FollowedFile) => void
  /** Where a file is now that is not where it was, nor beside it: it may have been renamed into another pattern. */
  readonly elsewhere: (key: string) => FileFacts | null
  /** Bytes of a file, up to an offset, that are nowhere any more. */
  readonly onLost: (file: FollowedFile, bytes: number, upTo: number, why: string) => void
}

/** Where to look for what came after something that was seen. */
interface Trace {
  /** Real path. */
  readonly path: string
  /** Last change of it, Unix ms. */
  readonly sinceMs: number
}

/** How long a path is remembered at which there is nothing. */
const FORGET_MS = 60_000
/** How long a rotated file is kept open for what its writer may still write. */
const LINGER_MS = 10_000

/**
 * All that stood at one path, one after the other: the file that is there, those that were rotated away and are not read to
 * their end, and those that are. An older file is read to its end before a newer one.
 */
export class Series {
  readonly path: string
  readonly source: string
  readonly format: LineFormat
  readonly #reading: ReadingOptions
  readonly #parts: SeriesParts
  /** To be read, in this order. */
  #files: FollowedFile[] = []
  /** What is at the path now. */
  #current: FollowedFile | null = null
  /** Read to their end, and still there. */
  #finished: FollowedFile[] = []
  /** The newest file that was here, also when it is gone. */
  #trace: Trace | null = null
  /** When anything of it was there last, monotonic ms. */
  #thereAtMs: number

  constructor({ path, source, format, reading }: SeriesOptions, parts: SeriesParts, nowMs: number) {
    this.#thereAtMs = nowMs
    this.path = path
    this.source = source
    this.format = format
    this.#reading = reading
    this.#parts = parts
  }

  /** The file to read now; null when there is none. */
  get next(): FollowedFile | null {
    return this.#files[0] ?? null
  }

  get current(): FollowedFile | null {
    return this.#current
  }

  /** Whether a newer file waits until this one is read. */
  hasSuccessor(file: FollowedFile): boolean {
    return this.#files[0] === file && file !== this.#current
  }

  get files(): readonly FollowedFile[] {
    return [...this.#files, ...this.#finished]
  }

  /** Whether nothing of it has been there for so long that what comes to its path is another log. */
  isOver(nowMs: number): boolean {
    if (this.#current !== null || this.files.length > 0) this.#thereAtMs = nowMs
    return nowMs - this.#thereAtMs > FORGET_MS
  }

  /** Go on with files that were known when the daemon ended; those that are gone, or are others now, are told. */
  restore(states: readonly FileState[], nowMs: number): void {
    const found: FollowedFile[] = []
    this.#trace = lastSeen(states)
    for (const state of states) {
      const file = new FollowedFile(state, this.#reading)
      file.grewAtMs = nowMs
      if (file.knownPlaces().length === 0) {
        // Nothing tells it from another file that has its inode by now: it is looked for as any that nobody saw.
        continue
      }
      const facts = this.#whereIs(file)
      if (facts === null) {
        const unread = Math.max(0, state.size - file.keptUpTo)
        this.#parts.onLost(file, unread, state.size, 'it went while nobody read it')
        this.#parts.onGone(file)
        continue
      }
      file.key = facts.key
      file.path = facts.path
      file.size = facts.size
      file.mtimeMs = facts.mtimeMs
      found.push(file)
    }
    found.sort((a, b) => a.mtimeMs - b.mtimeMs)
    const at = factsOf(this.path)
    this.#current = found.find(({ key }) => key === at?.key) ?? null
    this.#files = found.filter((file) => file !== this.#current)
    if (this.#current !== null) this.#files.push(this.#current)
  }

  /** Look what is at the path. `from` says where to begin in a file that is new: at its end, or at its start. */
  look(nowMs: number, from: 'start' | 'end' = 'start'): void {
    const facts = factsOf(this.path)
    const current = this.#current
    if (facts === null) {
      this.#current = null
      return
    }
    if (current !== null && facts.key === current.key) {
      this.#see(current, facts, nowMs)
      return
    }
    if (!this.#isUnknown(facts)) {
      const known = this.#parts.known(facts.key)
      // Renamed back, or this name is one that a rotation gave to a file that is followed already.
      this.#current = known?.series === this.path ? known : null
      if (known !== null && this.#finished.includes(known)) this.#goOn(known)
      return
    }
    const previous = current ?? this.#files.at(-1) ?? this.#finished.at(-1) ?? null
    const since = previous === null ? this.#trace : traceOf(previous)
    if (since !== null) for (const missed of this.#missed(since, facts.key)) this.#add(missed, nowMs)
    const begin = from === 'end' ? lastLineEnd(facts) : undefined
    this.#current = this.#add({ ...facts, path: realPathOf(this.path) }, nowMs, begin)
  }

  /** A file is read to its end and another stands at its place: it is read on only if somebody writes to it still. */
  finish(file: FollowedFile): void {
    // An empty one cannot be told from another file that gets its inode.
    if (file.position === 0) this.#forget(file)
    else {
      this.#files = this.#files.filter((other) => other !== file)
      this.#finished.push(file)
    }
  }

  /**
   * A file is not what it was. What was not read of it may stand in a copy beside it, as `copytruncate` makes one; else it is
   * lost. What stands at its path now is new.
   */
  changed(file: FollowedFile, nowMs: number, endAll: () => void): void {
    const wasCurrent = file === this.#current
    const { key, sameSinceMs } = file
    file.close()
    if (wasCurrent) this.#current = null
    const copy = this.#copyOf(file)
    if (copy !== null) {
      file.key = copy.key
      file.path = copy.path
      file.size = copy.size
    }
    // Copies of what stood there in between, which nobody saw.
    const missed = wasCurrent ? this.#missed({ path: realPathOf(this.path), sinceMs: sameSinceMs }, key) : []
    if (copy === null) {
      endAll()
      if (file.lostBytes > 0 && missed.length === 0) {
        this.#parts.onLost(file, file.lostBytes, file.position + file.lostBytes, 'it was cut before it was read')
      }
      this.drop(file)
      this.#parts.onGone(file)
    }
    if (!wasCurrent) return
    for (const facts of missed) this.#add(facts, nowMs)
    const facts = factsOf(this.path)
    if (facts !== null && (facts.key === key || this.#isUnknown(facts))) {
      this.#current = this.#add({ ...facts, path: realPathOf(this.path) }, nowMs)
    }
  }

  /**
   * The first bytes of a file were read: what stood at its path since it was found, and was copied away before they were
   * written, comes before it. Returns whether there is nothing such, so that they may be taken.
   */
  isFirst(file: FollowedFile, bytes: Buffer, nowMs: number): boolean {
    if (file !== this.#current) return true
    // It may have been rotated away itself since the last look: what came later was changed later.
    const isThere = factsOf(this.path)?.key === file.key
    const untilMs = isThere ? Number.POSITIVE_INFINITY : (file.look()?.mtimeMs ?? 0)
    const trace = { path: realPathOf(this.path), sinceMs: file.sameSinceMs }
    const missed = this.#missed(trace, file.key, bytes).filter(({ mtimeMs }) => mtimeMs < untilMs)
    if (missed.length === 0) return true
    this.#files = this.#files.filter((other) => other !== file)
    for (const facts of missed) this.#add(facts, nowMs)
    this.#files.push(file)
    return false
  }

  /** Look after the files that are read: close them in time, forget those that are gone, go on with one that grew. */
  tidy(nowMs: number): void {
    for (const file of [...this.#finished]) {
      const facts = file.look() ?? this.#locate(file)
      if (facts === null || (!file.isOpen && !isSame(file, facts))) {
        this.#forget(file)
        continue
      }
      file.path = facts.path
      if (facts.size > file.position) {
        this.#goOn(file)
      } else if (file.isOpen && nowMs - file.grewAtMs > LINGER_MS) file.close()
    }
  }

  close(): void {
    for (const file of this.files) file.close()
  }

  /** A file could not be opened where it was: it has another name now, or is gone. */
  vanished(file: FollowedFile, endAll: () => void): void {
    const facts = this.#whereIs(file)
    if (facts !== null) {
      file.key = facts.key
      file.path = facts.path
      return
    }
    endAll()
    if (file.lagBytes > 0) this.#parts.onLost(file, file.lagBytes, file.size, 'it went before it was read')
    this.#forget(file)
  }

  /** Know a file no more. */
  drop(file: FollowedFile): void {
    if (file === this.#current) this.#current = null
    this.#files = this.#files.filter((other) => other !== file)
    this.#finished = this.#finished.filter((other) => other !== file)
  }

  #goOn(file: FollowedFile): void {
    file.isDue = true
    this.#finished = this.#finished.filter((other) => other !== file)
    this.#files.unshift(file)
  }

  #forget(file: FollowedFile): void {
    file.close()
    this.drop(file)
    this.#parts.onGone(file)
  }

  #see(file: FollowedFile, { size, mtimeMs }: FileFacts, nowMs: number): void {
    if (size !== file.size || mtimeMs !== file.mtimeMs) {
      file.grewAtMs = nowMs
      file.isDue = true
    }
    file.size = size
    file.mtimeMs = mtimeMs
  }

  #add(facts: FileFacts, nowMs: number, from?: Place): FollowedFile {
    const id = randomBytes(5).toString('hex')
    const place = from === undefined ? {} : { from }
    const file = new FollowedFile(newFile(facts, { id, series: this.path, ...place }), this.#reading)
    file.grewAtMs = nowMs
    this.#files.push(file)
    this.#parts.onNew(file)
    return file
  }

  /** Files that came and were rotated away since: newer, known to nobody, and no copies of what is at the path (`begin`, if it was read). */
  #missed({ path, sinceMs }: Trace, currentKey: string, begin?: Buffer): readonly FileFacts[] {
    return siblingsOf(path, this.path).filter(
      (facts) =>
        facts.key !== currentKey &&
        facts.size > 0 &&
        facts.mtimeMs >= sinceMs &&
        this.#isUnknown(facts) &&
        !this.files.some((file) => isCopy(file, facts)) &&
        // A copy that is being made of what stands at the path now.
        !beginsAs(facts, begin ?? headOf(this.path)),
    )
  }

  /** Whether nobody follows a file. One that was followed and whose inode is another file's now is gone. */
  #isUnknown(facts: FileFacts): boolean {
    const known = this.#parts.known(facts.key)
    if (known === null) return true
    if (isSame(known, facts)) return false
    if (known.lagBytes > 0) this.#parts.onLost(known, known.lagBytes, known.size, 'another file took its place')
    this.#parts.onGone(known)
    return true
  }

  #locate({ key, path }: FollowedFile): FileFacts | null {
    return locate(key, path) ?? this.#parts.elsewhere(key)
  }

  /** Where a file is, or the copy that holds what it held; null when it is nowhere. */
  #whereIs(file: FollowedFile): FileFacts | null {
    const facts = this.#locate(file)
    return facts !== null && isSame(file, facts) ? facts : this.#copyOf(file)
  }

  #copyOf(file: FollowedFile): FileFacts | null {
    const candidates = [...siblingsOf(realPathOf(this.path), this.path), ...siblingsOf(file.path, this.path)]
    return candidates.find((facts) => isCopy(file, facts) && this.#isUnknown(facts)) ?? null
  }
}

/** The newest that was read; where nothing was, the oldest that was seen. */
function lastSeen(states: readonly FileState[]): Trace | null {
  const byAge = states.toSorted((a, b) => a.mtimeMs - b.mtimeMs)
  const last = byAge.findLast(({ from, marks }) => from.end > 0 || Object.keys(marks).length > 0) ?? byAge[0]
  return last === undefined ? null : { path: last.path, sinceMs: last.mtimeMs }
}

function traceOf({ path, sameSinceMs }: FollowedFile): Trace {
  return { path: realPathOf(path), sinceMs: sameSinceMs }
}

/** Whether what is there now is still a file: an inode may be used for another one, and a file may be written anew. */
function isSame(file: FollowedFile, facts: FileFacts): boolean {
  return file.isOpen ? file.key === facts.key : holdsAll(file, facts)
}

/** Whether a file is a copy of another: it holds what that one held. */
function isCopy(file: FollowedFile, facts: FileFacts): boolean {
  return file.knownPlaces().length > 0 && holdsAll(file, facts)
}

function holdsAll(file: FollowedFile, facts: FileFacts): boolean {
  const places = file.knownPlaces()
  if (places.length === 0) return true
  if (places.some(({ end }) => end > facts.size)) return false
  try {
    return holdsPlaces(facts, places)
  } catch {
    return false
  }
}
