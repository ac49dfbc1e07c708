import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { readSmallFile } from '../../../durable/durable-file.ts'
import { changeId } from '../../../protocol/change.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import type { AppendOutcome, Journal, JournalEntry, RolloutEvent } from '../contract.ts'
import { claimFile, makeFolder } from './entry-files.ts'
import { decodeEntry, encodeEntry, MAX_ENTRY_BYTES } from './entry-text.ts'
import { journalFailing } from './failing.ts'

const ENTRY_FILE = /^(\d{8})\.json$/
const LOOK_EVERY_MS = 200
const NEXT = ['make room on the disk, or let the folder be writable', 'then go on: nothing was begun meanwhile']

/** What a {@link FileJournal} is made with. */
export interface FileJournalOptions {
  readonly dir: string
  /** Between two looks for what other processes appended, ms. */
  readonly lookEveryMs?: number
}

/**
 * Rollouts on one host: a folder each, and in it a file for every entry, named by its number. An entry is claimed by a hard
 * link, so of several processes that append at once one is right and the others find a conflict; a process that dies or is
 * stopped in the middle leaves neither half an entry nor a lock.
 */
export class FileJournal implements Journal {
  readonly #dir: string
  readonly #lookEveryMs: number
  readonly #wakes = new Set<() => void>()

  constructor({ dir, lookEveryMs = LOOK_EVERY_MS }: FileJournalOptions) {
    this.#dir = dir
    this.#lookEveryMs = lookEveryMs
  }

  async list(): Promise<readonly string[]> {
    return this.#guard(() => {
      if (!existsSync(this.#dir)) return []
      const found = readdirSync(this.#dir, { withFileTypes: true }).flatMap((entry) => {
        if (!entry.isDirectory() || !changeId.safeParse(entry.name).success) return []
        const first = statSync(this.#file(entry.name, 1), { throwIfNoEntry: false })
        return first === undefined ? [] : [{ id: entry.name, beganMs: first.mtimeMs }]
      })
      return found.sort((a, b) => b.beganMs - a.beganMs || (a.id < b.id ? 1 : -1)).map(({ id }) => id)
    })
  }

  async read(rollout: string, afterSeq = 0): Promise<readonly JournalEntry[]> {
    return this.#guard(() => this.#read(rollout, afterSeq))
  }

  async append(rollout: string, event: RolloutEvent, expectedSeq: number): Promise<AppendOutcome> {
    const seq = expectedSeq + 1
    const text = encodeEntry({ seq, event })
    return this.#guard(() => {
      const dir = this.#folder(rollout)
      makeFolder(dir)
      if (expectedSeq > 0 && !this.#has(rollout, expectedSeq)) return CONFLICT
      if (this.#has(rollout, seq) || !claimFile(dir, nameOf(seq), text)) return CONFLICT
      for (const wake of [...this.#wakes]) wake()
      return { ok: true, seq }
    })
  }

  async follow(
    rollout: string,
    afterSeq: number,
    took: (entry: JournalEntry) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let last = afterSeq
    while (!signal.aborted) {
      const woken = Promise.withResolvers<void>()
      const wake = (): void => woken.resolve()
      this.#wakes.add(wake)
      try {
        const entries = await this.#guard(() => this.#read(rollout, last))
        for (const entry of entries) {
          if (signal.aborted) return
          last = entry.seq
          took(entry)
        }
        if (entries.length === 0) await Promise.race([woken.promise, aPause(this.#lookEveryMs, signal)])
      } finally {
        this.#wakes.delete(wake)
      }
    }
  }

  #read(rollout: string, afterSeq: number): JournalEntry[] {
    const entries: JournalEntry[] = []
    for (let seq = afterSeq + 1; ; seq += 1) {
      const held = readSmallFile(this.#file(rollout, seq), MAX_ENTRY_BYTES)
      if (held === null) break
      const entry = decodeEntry(held.text)
      if (typeof entry === 'string' || entry.seq !== seq) {
        const why = typeof entry === 'string' ? entry : `it says that it is number ${entry.seq}`
        throw damaged(this.#file(rollout, seq), why)
      }
      entries.push(entry)
    }
    if (entries.length === 0 && afterSeq === 0) this.#mustBeEmpty(rollout)
    return entries
  }

  /** A journal whose first entry is gone tells of no new rollout. */
  #mustBeEmpty(rollout: string): void {
    const dir = this.#folder(rollout)
    const first = existsSync(dir) ? readdirSync(dir).find((name) => ENTRY_FILE.test(name)) : undefined
    if (first !== undefined && !this.#has(rollout, 1)) throw damaged(join(dir, first), 'entries before it are missing')
  }

  #has(rollout: string, seq: number): boolean {
    return existsSync(this.#file(rollout, seq))
  }

  #file(rollout: string, seq: number): string {
    return join(this.#folder(rollout), nameOf(seq))
  }

  #folder(rollout: string): string {
    if (!changeId.safeParse(rollout).success) {
      throw new EdgeError('ROLLOUT_MISSING', {
        message: 'there is no rollout of that name',
        next: ['see edgedeck rollout list'],
      })
    }
    return join(this.#dir, rollout)
  }

  async #guard<T>(work: () => T): Promise<T> {
    try {
      return work()
    } catch (cause) {
      throw journalFailing(this.#dir, cause, NEXT)
    }
  }
}

const CONFLICT = { ok: false, why: 'conflict' } as const

function nameOf(seq: number): string {
  return `${String(seq).padStart(8, '0')}.json`
}

function damaged(path: string, why: string): EdgeError {
  return new EdgeError('JOURNAL_FAILING', {
    message: `${path} cannot be read, so nothing is done: ${why}`,
    next: ['bring the file back from a copy', 'or end what it began by hand on its nodes, and move the folder away'],
  })
}

async function aPause(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal, ref: true }).catch(() => undefined)
}
