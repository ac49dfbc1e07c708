import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { leaseSubject } from '../../../protocol/rollout-subjects.ts'
import { LEASE_MS, LEASE_STREAM } from '../../../protocol/stream-config.ts'
import type { Holder, Lease, LeaseBook } from '../contract.ts'
import type { BusStore, HeldMessage } from './bus-store.ts'

const recordSchema = z.strictObject({
  holder: z.string().max(253),
  nonce: z.string().max(64),
  /** Given back: whoever wants it next has it at once. */
  isOver: z.boolean(),
})

/** What a {@link BusLeases} is made with. */
export interface BusLeasesOptions {
  /** How long the stream keeps a message, ms. */
  readonly leaseMs?: number
}

/**
 * Leases on a bus: the last message on the rollout's subject in a stream that forgets after {@link LEASE_MS}. Whoever takes or
 * renews one names the message that must be last, so the server lets one of several through, and its clock alone says when
 * a lease is over.
 */
export class BusLeases implements LeaseBook {
  readonly #store: BusStore
  readonly #leaseMs: number

  constructor(store: BusStore, { leaseMs = LEASE_MS }: BusLeasesOptions = {}) {
    this.#store = store
    this.#leaseMs = leaseMs
  }

  async look(rollout: string): Promise<Holder | null> {
    return this.#guard(async () => this.#holderOf(await this.#last(rollout)))
  }

  async take(rollout: string, holder: string): Promise<Lease | Holder> {
    return this.#guard(async () => {
      for (;;) {
        const last = await this.#last(rollout)
        const held = this.#holderOf(last)
        if (held !== null) return held
        const record = { holder, nonce: randomBytes(16).toString('base64url'), isOver: false }
        const askedMs = performance.now()
        const stored = await this.#put(rollout, record, last.position)
        if (stored !== null) {
          return this.#lease({ rollout, record, position: stored.position, untilMs: askedMs + this.#leaseMs })
        }
      }
    })
  }

  #lease(of: { rollout: string; record: z.infer<typeof recordSchema>; position: number; untilMs: number }): Lease {
    const { rollout, record } = of
    let { position, untilMs } = of
    return {
      get untilMs() {
        return untilMs
      },
      renew: () =>
        this.#guard(async () => {
          const askedMs = performance.now()
          const stored = await this.#put(rollout, record, position)
          if (stored === null) return this.#findAgain(rollout, record.nonce, (at) => (position = at))
          position = stored.position
          untilMs = askedMs + this.#leaseMs
          return true
        }),
      release: () =>
        this.#guard(async () => {
          untilMs = Number.NEGATIVE_INFINITY
          await this.#put(rollout, { ...record, isOver: true }, position)
        }),
    }
  }

  /** A renewal whose answer was lost is there all the same: it counts from when the one before was asked for. */
  async #findAgain(rollout: string, nonce: string, found: (position: number) => void): Promise<boolean> {
    const last = await this.#last(rollout)
    const record = readRecord(last.data)
    if (record?.nonce !== nonce || record.isOver) return false
    found(last.position)
    return true
  }

  #last(rollout: string): Promise<HeldMessage> {
    return this.#store.last(LEASE_STREAM, leaseSubject(rollout))
  }

  #put(rollout: string, record: z.infer<typeof recordSchema>, position: number) {
    const to = { stream: LEASE_STREAM, subject: leaseSubject(rollout) }
    return this.#store.put(to, JSON.stringify(record), { position })
  }

  #holderOf({ data, position, atMs }: HeldMessage): Holder | null {
    if (position === 0) return null
    const record = readRecord(data)
    if (record?.isOver === true) return null
    // What is no record of ours holds until the server forgets it.
    const forMs = Math.min(this.#leaseMs, Math.max(1, atMs + this.#leaseMs - Date.now()))
    return { heldBy: record?.holder ?? 'somebody', forMs }
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      throw this.#store.failing(cause)
    }
  }
}

function readRecord(data: Uint8Array): z.infer<typeof recordSchema> | null {
  try {
    const read = recordSchema.safeParse(JSON.parse(Buffer.from(data).toString('utf8')))
    return read.success ? read.data : null
  } catch {
    return null
  }
}
