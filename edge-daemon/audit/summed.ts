import type { AuditEntry } from '../../protocol/audit.ts'
import { auditArgs } from '../../protocol/audit-args.ts'
import type { Json } from '../../protocol/canonical-json.ts'

/** How many records may be written as they come, and how the others are summed up. */
export interface SumLimits {
  /** Records at once after a quiet time. */
  readonly burst: number
  /** Records a second in the long run. */
  readonly perSec: number
  /** How often sums are written, ms. */
  readonly everyMs: number
  /** Kinds that are told apart in a sum; what is over is one more. */
  readonly kinds: number
}

interface Sum {
  readonly first: AuditEntry
  last: AuditEntry
  count: number
}

/**
 * Keeps a flood of records small: after a burst, those alike (by phase, verb, who and code) are counted, and one record
 * says how many there were. Somebody who may do nothing must not push out what others did.
 */
export class Summed {
  readonly #limits: SumLimits
  readonly #write: (entry: AuditEntry) => void
  readonly #nowMs: () => number
  readonly #sums = new Map<string, Sum>()
  #tokens: number
  #filledAtMs: number
  #timer: NodeJS.Timeout | null = null

  /** @param nowMs monotonic clock, ms */
  constructor(limits: SumLimits, write: (entry: AuditEntry) => void, nowMs: () => number = () => performance.now()) {
    this.#limits = limits
    this.#write = write
    this.#nowMs = nowMs
    this.#tokens = limits.burst
    this.#filledAtMs = nowMs()
  }

  /** Write a record, or count it. */
  take(entry: AuditEntry): void {
    const { burst, perSec, everyMs, kinds } = this.#limits
    const now = this.#nowMs()
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAtMs) * perSec) / 1000)
    this.#filledAtMs = now
    if (this.#tokens >= 1) {
      this.#tokens -= 1
      this.#write(entry)
      return
    }
    const own = JSON.stringify([entry.phase, entry.verb, entry.who.kind, entry.who.name, entry.code])
    const key = this.#sums.has(own) || this.#sums.size < kinds ? own : ''
    const sum = this.#sums.get(key)
    const its = key === '' ? asAnybody(entry) : entry
    if (sum === undefined) this.#sums.set(key, { first: its, last: its, count: 1 })
    else {
      sum.count += 1
      sum.last = its
    }
    this.#timer ??= setTimeout(() => this.flush(), everyMs).unref()
  }

  /** Write the sums. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    for (const sum of this.#sums.values()) this.#write(sum.count === 1 ? sum.first : summedUp(sum))
    this.#sums.clear()
  }
}

/** One record for many: what is not the same in the first and the last of them is not said of all. */
function summedUp({ first, last, count }: Sum): AuditEntry {
  const { args, args_digest, nonce, why, ...alike } = first
  const told = { ...alike, timestamp: last.timestamp, count, from: first.timestamp }
  if (args === undefined) return told
  if (args_digest !== undefined && args_digest === last.args_digest) return { ...told, args, args_digest }
  const both = auditArgs({ first: args as Json, last: (last.args ?? null) as Json })
  return { ...told, args: both as NonNullable<AuditEntry['args']> }
}

/** What is counted together though it is not alike. */
function asAnybody({ timestamp, phase, route }: AuditEntry): AuditEntry {
  const who = { kind: 'unknown', name: '', role: null } as const
  return { timestamp, phase, verb: 'various', who, route, address: 'various', code: 'VARIOUS' }
}
