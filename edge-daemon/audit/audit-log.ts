import type { AuditEntry, AuditRecord } from '../../protocol/audit.ts'
import { AUDIT_GENESIS, type AuditHead, headOf, link } from '../../protocol/audit-chain.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { NewRecord, Store } from '../store/contract.ts'
import { chainBreak } from './chain-break.ts'

/** What an {@link AuditLog} is made of. */
export interface AuditLogOptions {
  readonly store: Pick<Store, 'append' | 'read'>
  /** Value of `node_id` in every record: the chain is over it too. */
  readonly nodeName: string
  /** Time until what the disk refused is tried again, ms. */
  readonly retryMs?: number
  /** Told at the start why nothing can be written down now. */
  readonly onFault?: (msg: string) => void
}

/** A record as it is hashed and appended, without what the store adds. */
type Placed = ReturnType<typeof link<AuditEntry & { node_id: string }>>

interface Waiting {
  readonly entry: AuditEntry
  /** Null for what is tried until it is kept. */
  readonly answer: { readonly kept: (n: number) => void; readonly refused: (error: EdgeError) => void } | null
}

const RETRY_MS = 2000
/** Records that may wait for a disk that refuses; more are counted in the ledger. */
const MAX_WAITING = 1000
/** Records of one append: well below what the store takes at once. */
const MAX_BATCH = 200

/**
 * The node's own account of who did what: records that each name the one before by its hash, in the store. One writer, in
 * order; whatever gathers while one append runs goes with the next. The chain goes on from the newest record that the
 * store holds, at the start and after every refusal, since a store that died while it answered may hold what it was given.
 */
export class AuditLog {
  readonly #options: AuditLogOptions
  #waiting: Waiting[] = []
  #head: AuditHead | null = null
  /** What was tried last and had no good answer. */
  #doubtful: { readonly batch: readonly Waiting[]; readonly placed: readonly Placed[] } | null = null
  #lost = 0
  #running: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null
  #isStopped = false
  /** The end of the chain is known. */
  #hasBegun = false

  constructor(options: AuditLogOptions) {
    this.#options = options
  }

  /** The end of the chain; null while nothing is written down. */
  get head(): AuditHead | null {
    return this.#head
  }

  /**
   * Find where the chain goes on. A node whose newest record cannot be read now, since its key is missing, serves all the
   * same and carries out no command: it is looked for again before each write.
   */
  async start(): Promise<void> {
    try {
      await this.#begin()
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      this.#options.onFault?.(error.message)
    }
    if (this.#waiting.length > 0) this.#run()
  }

  /** Resolves when what waits is on the disk or was refused once more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#running
    await this.#run()
  }

  /**
   * Write a record before something is done. Resolves with its number once it is durable.
   * @throws EdgeError `AUDIT_FAILING` when the disk refuses it
   */
  write(entry: AuditEntry): Promise<number> {
    return new Promise((kept, refused) => this.#take({ entry, answer: { kept, refused } }))
  }

  /** Write what has happened already; what the disk refuses is tried again. */
  keep(entry: AuditEntry): void {
    this.#take({ entry, answer: null })
  }

  #take(waiting: Waiting): void {
    this.#waiting.push(waiting)
    const over = this.#waiting.filter(({ answer }) => answer === null).length - MAX_WAITING
    if (over > 0) {
      const oldest = this.#waiting.find(({ answer }) => answer === null)
      this.#waiting = this.#waiting.filter((its) => its !== oldest)
      this.#lost += 1
    }
    this.#run()
  }

  #run(): Promise<void> {
    this.#running ??= this.#work().finally(() => {
      this.#running = null
      // What came when the last append had just ended.
      if (this.#waiting.length > 0 && this.#timer === null && !this.#isStopped) this.#run()
    })
    return this.#running
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const refusal = await this.#writeNext()
      if (refusal === null) continue
      const asked = this.#waiting.filter(({ answer }) => answer !== null)
      this.#waiting = this.#waiting.filter(({ answer }) => answer === null)
      for (const { answer } of asked) answer?.refused(failing(refusal))
      this.#tryLater()
      return
    }
  }

  async #begin(): Promise<void> {
    if (this.#hasBegun) return
    this.#head = await this.#newest()
    const broken = await chainBreak(this.#options.store, this.#options.nodeName)
    this.#hasBegun = true
    if (broken !== null) this.#waiting.unshift({ entry: broken, answer: null })
  }

  /** Append what waits. Null when it is kept, or why not. */
  async #writeNext(): Promise<string | null> {
    let batch: readonly Waiting[] = []
    try {
      await this.#begin()
      await this.#settle()
      batch = this.#waiting.slice(0, MAX_BATCH)
      if (batch.length === 0) return null
      let head = this.#head ?? AUDIT_GENESIS
      const placed = batch.map(({ entry }) => {
        const record = link({ node_id: this.#options.nodeName, ...entry }, head)
        head = headOf(record)
        return record
      })
      this.#doubtful = { batch, placed }
      const lost = this.#lost
      const appended = await this.#options.store.append([...placed.map(asRecord), ...lossOf(lost)])
      if (!appended.stored) {
        this.#waiting = this.#waiting.filter((its) => !(batch.includes(its) && its.answer !== null))
        for (const { answer } of batch) answer?.refused(failing(appended.msg))
        return appended.msg
      }
      this.#lost -= lost
      this.#kept(batch, placed)
      return null
    } catch (error) {
      return messageOf(error)
    }
  }

  /** After a refusal: what does the store hold? What it kept all the same is not written again. */
  async #settle(): Promise<void> {
    const doubtful = this.#doubtful
    if (doubtful === null) return
    const newest = await this.#newest()
    this.#head = newest
    this.#doubtful = null
    const last = doubtful.placed.at(-1)
    if (last === undefined || last.chain.hash !== newest?.hash) return
    this.#waiting = this.#waiting.filter((its) => !doubtful.batch.includes(its))
    for (const [at, { entry, answer }] of doubtful.batch.entries()) {
      // Whoever asked was told that nothing is kept, and did nothing.
      const n = doubtful.placed[at]?.chain.n
      if (answer === null || n === undefined) continue
      const msg = 'it was not carried out: the store died while it answered'
      this.#waiting.push({ entry: { ...entry, phase: 'outcome', of: n, code: 'AUDIT_FAILING', msg }, answer: null })
    }
  }

  #kept(batch: readonly Waiting[], placed: readonly Placed[]): void {
    this.#doubtful = null
    const last = placed.at(-1)
    if (last !== undefined) this.#head = headOf(last)
    this.#waiting = this.#waiting.filter((its) => !batch.includes(its))
    for (const [at, { answer }] of batch.entries()) answer?.kept(placed[at]?.chain.n ?? 0)
  }

  #tryLater(): void {
    if (this.#isStopped || this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#run()
    }, this.#options.retryMs ?? RETRY_MS).unref()
  }

  /** A newest record that cannot be opened now must not be passed over: the chain would fork. */
  async #newest(): Promise<AuditHead | null> {
    const [newest] = await this.#options.store.read({
      classes: ['audit'],
      limit: 1,
      newestFirst: true,
      wholeOnly: true,
    })
    // The store's own lines are trusted: this daemon wrote them, and a checksum guards them.
    return newest === undefined ? null : headOf(JSON.parse(newest.line) as AuditRecord)
  }
}

function asRecord({ node_id: _, timestamp, ...body }: Placed): NewRecord {
  return { class: 'audit', timestamp, body }
}

/** What could not wait any longer, for the ledger. */
function lossOf(lost: number): NewRecord[] {
  if (lost === 0) return []
  const body = {
    event: 'not_stored',
    reason: 'audit_overflow',
    first_seq: null,
    last_seq: null,
    records: { audit: lost },
    bytes: 0,
    msg: `${lost} audit records did not wait for the disk any longer`,
  }
  return [{ class: 'ledger', timestamp: Date.now(), body }]
}

function failing(msg: string): EdgeError {
  return new EdgeError('AUDIT_FAILING', {
    message: `it cannot be written down who wants this, so it is not done: ${msg}`,
    next: ['make room on the disk of the node, then send it again'],
  })
}
