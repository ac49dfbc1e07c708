import { randomBytes } from 'node:crypto'
import { cursorsOf, NEW_CHAIN } from '../../edge-daemon/store/chain-file.ts'
import type {
  Appended,
  Chain,
  Chains,
  Cursors,
  Fork,
  ForkReason,
  NewRecord,
  ReadRequest,
  RunRequest,
  Store,
  StoredRecord,
  StoredRun,
} from '../../edge-daemon/store/contract.ts'
import type { UpstreamClass } from '../../protocol/subjects.ts'
import { UPSTREAM_CLASSES } from '../../protocol/subjects.ts'

/** A store in memory that keeps its contract: sequences, order, cursors; a test can make it refuse. */
export class MemoryStore implements Store {
  epoch = 'e'.repeat(32)
  /** Why appends are refused; null while they are kept. */
  refusing: string | null = null
  /** Appends are kept, and the answer is lost with the worker: nobody hears of them. */
  dying = false
  readonly records: StoredRecord[] = []
  readonly #listeners = new Set<(records: readonly StoredRecord[]) => void>()
  readonly forks: Fork[] = []
  readonly #chains = new Map<string, Partial<Record<UpstreamClass, Chain>>>()

  async append(records: readonly NewRecord[]): Promise<Appended> {
    await new Promise((resolve) => setImmediate(resolve))
    if (this.refusing !== null) return { stored: false, code: 'STORE_FAILING', msg: this.refusing }
    const stored = records.map((record, index): StoredRecord => {
      const seq = this.records.length + 1 + index
      const line = JSON.stringify({ seq, node_id: 'n1', timestamp: record.timestamp, ...record.body })
      return { class: record.class, seq, epoch: this.epoch, timestamp: record.timestamp, line }
    })
    this.records.push(...stored)
    if (this.dying) return { stored: false, code: 'STORE_FAILING', msg: "the store's worker died" }
    for (const listener of this.#listeners) listener(stored)
    return { stored: true, epoch: this.epoch, seqs: stored.map((record) => record.seq) }
  }

  async read(request: ReadRequest): Promise<StoredRecord[]> {
    await new Promise((resolve) => setImmediate(resolve))
    const { classes, afterSeq = 0, throughSeq = Number.POSITIVE_INFINITY, limit, maxBytes = 1e9 } = request
    const { fromMs = 0, toMs = Number.POSITIVE_INFINITY } = request
    const found = this.records.filter(
      ({ class: recordClass, seq, timestamp }) =>
        classes.includes(recordClass) &&
        seq > afterSeq &&
        seq <= throughSeq &&
        timestamp >= fromMs &&
        timestamp <= toMs,
    )
    if (request.newestFirst === true) found.reverse()
    const taken: StoredRecord[] = []
    let sizeBytes = 0
    for (const record of found.slice(0, limit)) {
      sizeBytes += Buffer.byteLength(record.line) + 1
      if (taken.length > 0 && sizeBytes > maxBytes) break
      taken.push(record)
    }
    return taken
  }

  places(): Promise<never> {
    return Promise.reject(new Error('what is in memory has no place on a disk'))
  }

  async readRun({ class: recordClass, ...range }: RunRequest): Promise<StoredRun | null> {
    const records = await this.read({ classes: [recordClass], ...range })
    const [first] = records
    if (first === undefined) return null
    const end = records.findIndex(({ epoch }) => epoch !== first.epoch)
    const run = end < 0 ? records : records.slice(0, end)
    return {
      class: recordClass,
      epoch: first.epoch,
      firstSeq: first.seq,
      lastSeq: run.at(-1)?.seq ?? first.seq,
      ndjson: new Uint8Array(Buffer.from(run.map(({ line }) => `${line}\n`).join(''))),
      timestamps: Float64Array.from(run, ({ timestamp }) => timestamp),
    }
  }

  onCommit(listener: (records: readonly StoredRecord[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  cursors(target: string): Cursors {
    return cursorsOf(this.chains(target))
  }

  saveCursor(target: string, recordClass: UpstreamClass, cursor: number): Promise<void> {
    return this.saveChain(target, recordClass, { ...(this.chains(target)[recordClass] ?? NEW_CHAIN), cursor })
  }

  chains(target: string): Chains {
    return this.#chains.get(target) ?? {}
  }

  async saveChain(target: string, recordClass: UpstreamClass, chain: Chain): Promise<void> {
    this.#chains.set(target, { ...this.chains(target), [recordClass]: chain })
  }

  async beginEpoch(reason: ForkReason, msg: string): Promise<string> {
    const alias = randomBytes(16).toString('hex')
    this.forks.push({ alias, throughSeq: this.records.length })
    this.epoch = alias
    await this.append([{ class: 'ledger', timestamp: Date.now(), body: { event: 'new_epoch', reason, msg } }])
    return alias
  }

  backlog(target: string): ReturnType<Store['backlog']> {
    const byClass = { ledger: 0, alert: 0, error: 0, abnormal: 0, stat: 0, metric: 0, audit: 0 }
    const cursors = this.cursors(target)
    let bytes = 0
    let oldestAt: number | null = null
    for (const record of this.records) {
      const recordClass = UPSTREAM_CLASSES.find((name) => name === record.class)
      if (recordClass === undefined || record.seq <= (cursors[recordClass] ?? 0)) continue
      byClass[recordClass] += 1
      bytes += Buffer.byteLength(record.line) + 1
      oldestAt = Math.min(oldestAt ?? record.timestamp, record.timestamp)
    }
    return { records: Object.values(byClass).reduce((sum, count) => sum + count, 0), bytes, oldestAt, byClass }
  }

  status(): never {
    throw new Error('no test asked for it')
  }

  changeKeys(): never {
    throw new Error('no test asked for it')
  }

  async close(): Promise<void> {
    this.#listeners.clear()
  }
}
