import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readSmallFile, replaceFile } from '../../../durable/durable-file.ts'
import { changeId } from '../../../protocol/change.ts'
import { LEASE_MS } from '../../../protocol/stream-config.ts'
import type { Holder, Lease, LeaseBook } from '../contract.ts'
import { claimFile, makeFolder } from './entry-files.ts'
import { journalFailing } from './failing.ts'

const LEASE_FILE = /^lease-(\d{8})\.json$/
const MAX_RECORD_BYTES = 64 * 1024
const NS_PER_MS = 1_000_000n
const NEXT = ['make room on the disk, or let the folder be writable']

const recordSchema = z.strictObject({
  holder: z.string().max(253),
  /** Who wrote it, of all that ever did. */
  nonce: z.string().max(64),
  /** Start of the machine: what was held before it counts no more. */
  boot: z.string().max(64),
  /** Monotonic ms of the machine. */
  untilMs: z.number(),
})
type LeaseRecord = z.infer<typeof recordSchema>

/** What a {@link FileLeases} is made with. */
export interface FileLeasesOptions {
  /** That of the journal. */
  readonly dir: string
  readonly leaseMs?: number
}

/**
 * Leases on one host, beside the entries of each rollout. Who takes one claims the next number by a hard link and rewrites
 * their own file for as long as they live; the highest number holds. Times are those of the machine's monotonic clock, which
 * all its processes share.
 */
export class FileLeases implements LeaseBook {
  readonly #dir: string
  readonly #leaseMs: number

  constructor({ dir, leaseMs = LEASE_MS }: FileLeasesOptions) {
    this.#dir = dir
    this.#leaseMs = leaseMs
  }

  async look(rollout: string): Promise<Holder | null> {
    return this.#guard(() => heldBy(this.#newest(rollout)?.record ?? null))
  }

  async take(rollout: string, holder: string): Promise<Lease | Holder> {
    return this.#guard(() => {
      const dir = this.#folder(rollout)
      makeFolder(dir)
      for (;;) {
        const newest = this.#newest(rollout)
        const held = heldBy(newest?.record ?? null)
        if (held !== null) return held
        const number = (newest?.number ?? 0) + 1
        const nonce = randomBytes(16).toString('base64url')
        const record = this.#record(holder, nonce)
        if (!claimFile(dir, nameOf(number), JSON.stringify(record))) continue
        for (const { name, number: other } of numbersIn(dir))
          if (other < number) rmSync(join(dir, name), { force: true })
        return this.#lease({ rollout, number, holder, nonce, untilMs: ownMs(record.untilMs) })
      }
    })
  }

  #lease(of: { rollout: string; number: number; holder: string; nonce: string; untilMs: number }): Lease {
    const { rollout, number, holder, nonce } = of
    let { untilMs } = of
    const write = (record: LeaseRecord): boolean => {
      const dir = this.#folder(rollout)
      const isMine = (): boolean => {
        const newest = this.#newest(rollout)
        return newest?.number === number && newest.record?.nonce === nonce
      }
      if (!isMine()) return false
      replaceFile(join(dir, nameOf(number)), JSON.stringify(record))
      // Whoever was stopped between the look and the rename may have been followed by somebody meanwhile.
      return isMine()
    }
    return {
      get untilMs() {
        return untilMs
      },
      renew: () =>
        this.#guard(() => {
          // Once it is over somebody may be about to take it.
          if (performance.now() >= untilMs) return false
          const record = this.#record(holder, nonce)
          if (!write(record)) return false
          untilMs = ownMs(record.untilMs)
          return true
        }),
      release: () =>
        this.#guard(() => {
          untilMs = Number.NEGATIVE_INFINITY
          write({ ...this.#record(holder, nonce), untilMs: 0 })
        }),
    }
  }

  #record(holder: string, nonce: string): LeaseRecord {
    return { holder, nonce, boot: bootId(), untilMs: machineMs() + this.#leaseMs }
  }

  /** The lease with the highest number; its record is null when it cannot be read. */
  #newest(rollout: string): { readonly number: number; readonly record: LeaseRecord | null } | null {
    const dir = this.#folder(rollout)
    const newest = numbersIn(dir).sort((a, b) => b.number - a.number)[0]
    return newest === undefined ? null : { number: newest.number, record: readRecord(join(dir, newest.name)) }
  }

  #folder(rollout: string): string {
    return join(this.#dir, changeId.parse(rollout))
  }

  async #guard<T>(work: () => T): Promise<T> {
    try {
      return work()
    } catch (cause) {
      throw journalFailing(this.#dir, cause, NEXT)
    }
  }
}

function heldBy(record: LeaseRecord | null): Holder | null {
  if (record === null || record.boot !== bootId()) return null
  const forMs = record.untilMs - machineMs()
  return forMs > 0 ? { heldBy: record.holder, forMs } : null
}

function readRecord(path: string): LeaseRecord | null {
  const held = readSmallFile(path, MAX_RECORD_BYTES)
  try {
    const read = recordSchema.safeParse(JSON.parse(held?.text ?? ''))
    return read.success ? read.data : null
  } catch {
    return null
  }
}

function numbersIn(dir: string): { readonly name: string; readonly number: number }[] {
  let names: string[]
  try {
    names = readdirSync(dir)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return names.flatMap((name) => {
    const found = LEASE_FILE.exec(name)
    return found === null ? [] : [{ name, number: Number(found[1]) }]
  })
}

function nameOf(number: number): string {
  return `lease-${String(number).padStart(8, '0')}.json`
}

/** Ms of a clock that all processes of this machine share and nobody sets. */
function machineMs(): number {
  return Number(process.hrtime.bigint() / NS_PER_MS)
}

/** A time of {@link machineMs} by `performance.now()`. */
function ownMs(untilMs: number): number {
  return performance.now() + untilMs - machineMs()
}

/** Changes with every start of the machine; empty where nobody knows. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}
