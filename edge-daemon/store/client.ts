import type { Worker } from 'node:worker_threads'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { StoreStatus } from '../../protocol/status.ts'
import type { RecordClass, UpstreamClass } from '../../protocol/subjects.ts'
import { AppendQueue } from './append-queue.ts'
import { cursorsOf } from './chain-file.ts'
import { asStored, type PlainRecord } from './commit.ts'
import type {
  Appended,
  Backlog,
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
  StoreOptions,
} from './contract.ts'
import { checkIncoming, isLostWhenRefused } from './incoming.ts'
import type { FromWorker, StoreView, ToWorker, WorkerSettings } from './messages.ts'
import type { Places, PlacesRequest } from './places-contract.ts'
import type { StoreKeys } from './seal.ts'

const RESTART_FIRST_MS = 100
const RESTART_MOST_MS = 10_000

/** Starts the worker thread of a store. */
export type StartWorker = (settings: WorkerSettings) => Worker

type ReadAnswer = Extract<FromWorker, { t: 'read' | 'run' | 'places' }>

interface WaitingRead {
  readonly resolve: (answer: ReadAnswer) => void
  readonly reject: (error: EdgeError) => void
}

/** The store as the main thread sees it: hands work to the worker, and starts another when one dies. */
export class StoreClient implements Store {
  readonly #options: StoreOptions
  readonly #nodeJson: string
  readonly #startWorker: StartWorker
  #worker: Worker | null = null
  #isOpen = false
  #closing: { done: Promise<void>; resolve: () => void } | null = null
  #restartInMs = RESTART_FIRST_MS
  #restartTimer: NodeJS.Timeout | null = null
  #epoch = ''
  #view: StoreView | null = null
  #chains: Record<string, Chains> = {}
  #forks: readonly Fork[] = []
  readonly #listeners = new Set<(records: readonly StoredRecord[]) => void>()
  readonly #appends = new AppendQueue()
  #cursorCalls: (() => void)[] = []
  /** Changes of epoch or keys, answered in the order they were asked for, with the epoch in force. */
  #changes: { resolve: (epoch: string) => void; reject: (error: EdgeError) => void }[] = []
  #keys: StoreKeys | null
  readonly #reads = new Map<number, WaitingRead>()
  #nextReadId = 1
  /** Records that no worker got, for the ledger. */
  readonly #lost = new Map<RecordClass, number>()

  constructor(options: StoreOptions, startWorker: StartWorker) {
    this.#options = options
    this.#nodeJson = JSON.stringify(options.nodeName)
    this.#keys = options.keys ?? null
    this.#startWorker = startWorker
  }

  /** Start the worker and wait until the log is recovered. @throws EdgeError `STORE_LOCKED` | `STORE_UNUSABLE`. */
  async open(): Promise<void> {
    await this.#start()
  }

  get epoch(): string {
    return this.#epoch
  }

  append(records: readonly NewRecord[]): Promise<Appended> {
    if (records.length === 0) return Promise.resolve({ stored: true, epoch: this.#epoch, seqs: [] })
    const incoming = checkIncoming(records)
    if (!incoming.ok) return Promise.resolve(incoming.refusal)
    const { plain, chars } = incoming
    if (!this.#isOpen || this.#closing !== null) return Promise.resolve(this.#lose(plain, this.#whyNot()))
    if (!this.#appends.hasRoomFor(chars)) {
      return Promise.resolve(this.#lose(plain, 'the disk is slower than the records come'))
    }
    return new Promise((resolve) => {
      if (!this.#appends.hasUnsent) process.nextTick(() => this.#flush())
      this.#appends.add({ records: plain, chars, resolve })
    })
  }

  read(request: ReadRequest): Promise<StoredRecord[]> {
    return this.#ask('read', (id) => ({ t: 'read', id, request })).then(({ records }) => [...records])
  }

  readRun(request: RunRequest): Promise<StoredRun | null> {
    return this.#ask('run', (id) => ({ t: 'run', id, request })).then(({ run }) => run)
  }

  places(request: PlacesRequest): Promise<Places> {
    return this.#ask('places', (id) => ({ t: 'places', id, request })).then(({ places }) => places)
  }

  onCommit(listener: (records: readonly StoredRecord[]) => void): () => void {
    // A wrapper, so that the same function given twice is two listeners.
    const entry = (records: readonly StoredRecord[]): void => listener(records)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  cursors(target: string): Cursors {
    return cursorsOf(this.chains(target))
  }

  chains(target: string): Chains {
    return Object.hasOwn(this.#chains, target) ? (this.#chains[target] ?? {}) : {}
  }

  get forks(): readonly Fork[] {
    return this.#forks
  }

  beginEpoch(reason: ForkReason, msg: string): Promise<string> {
    return this.#change({ t: 'epoch', reason, msg })
  }

  saveCursor(target: string, recordClass: UpstreamClass, seq: number): Promise<void> {
    if (!this.#isOpen || this.#closing !== null) return Promise.resolve()
    return new Promise((resolve) => {
      this.#cursorCalls.push(resolve)
      this.#post({ t: 'cursor', target, class: recordClass, seq })
    })
  }

  saveChain(target: string, recordClass: UpstreamClass, chain: Chain): Promise<void> {
    if (!this.#isOpen || this.#closing !== null) return Promise.resolve()
    this.#chains[target] = { ...this.chains(target), [recordClass]: chain }
    return new Promise((resolve) => {
      this.#cursorCalls.push(resolve)
      this.#post({ t: 'chain', target, class: recordClass, chain })
    })
  }

  async changeKeys(keys: StoreKeys): Promise<void> {
    await this.#change({ t: 'keys', keys })
    // A worker that is started again opens the store with them.
    this.#keys = keys
  }

  backlog(target: string): Backlog {
    const { backlogs } = this.#seen()
    const known = target !== '' && Object.hasOwn(backlogs, target) ? backlogs[target] : backlogs['']
    if (known === undefined) throw new Error('the worker sent no backlog')
    return known
  }

  status(): StoreStatus {
    const { status } = this.#seen()
    return this.#isOpen ? status : { ...status, state: 'failing', error: this.#whyNot() }
  }

  close(): Promise<void> {
    if (this.#closing !== null) return this.#closing.done
    const { promise: done, resolve } = Promise.withResolvers<void>()
    this.#closing = { done, resolve }
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer)
    if (this.#isOpen) {
      this.#flush()
      this.#post({ t: 'close' })
    } else if (this.#worker === null) {
      resolve()
    }
    return done
  }

  #start(): Promise<void> {
    // Functions do not reach a worker.
    const { notice: _, ...settings } = this.#options
    return new Promise((resolve, reject) => {
      const worker = this.#startWorker({ ...settings, keys: this.#keys })
      this.#worker = worker
      let fault: EdgeError | null = null
      worker.on('message', (message: FromWorker) => {
        if (message.t === 'opened') {
          this.#opened(message)
          resolve()
        } else if (message.t === 'unopened') {
          fault = new EdgeError(message.code, { message: message.message, next: message.next })
        } else {
          this.#receive(message)
        }
      })
      worker.on('error', (error) => {
        fault ??= new EdgeError('STORE_UNUSABLE', {
          message: `the store's worker died: ${messageOf(error)}`,
          cause: error,
        })
      })
      // Only now is the lock free and every message of the worker read.
      worker.on('exit', () => {
        const died = fault ?? new EdgeError('STORE_UNUSABLE', { message: "the store's worker ended" })
        this.#ended(died)
        reject(died)
      })
    })
  }

  #opened({ epoch, chains, forks, view }: Extract<FromWorker, { t: 'opened' }>): void {
    this.#epoch = epoch
    this.#chains = { ...chains }
    this.#forks = forks
    this.#view = view
    this.#isOpen = true
    this.#restartInMs = RESTART_FIRST_MS
    if (this.#closing !== null) this.#post({ t: 'close' })
  }

  #ended(fault: EdgeError): void {
    const wasOpen = this.#isOpen
    this.#isOpen = false
    this.#worker = null
    for (const { records, resolve } of this.#appends.giveUp()) resolve(this.#lose(records, fault.message))
    for (const { reject } of this.#reads.values()) reject(failing(fault.message))
    this.#reads.clear()
    for (const resolve of this.#cursorCalls.splice(0)) resolve()
    for (const { reject } of this.#changes.splice(0)) reject(failing(fault.message))
    if (this.#closing !== null) {
      this.#closing.resolve()
      return
    }
    if (this.#view === null) return
    if (wasOpen) this.#options.notice?.({ event: 'store.worker_died', msg: fault.message })
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = null
      this.#start().then(
        () => this.#options.notice?.({ event: 'store.worker_restarted', msg: 'the store is open again' }),
        () => undefined,
      )
    }, this.#restartInMs)
    this.#restartInMs = Math.min(this.#restartInMs * 2, RESTART_MOST_MS)
  }

  #receive(message: Exclude<FromWorker, { t: 'opened' | 'unopened' }>): void {
    if ('view' in message) this.#view = message.view
    switch (message.t) {
      case 'committed':
        this.#committed(message)
        break
      case 'refused': {
        const { code, msg } = message
        for (const { resolve } of this.#appends.answered(message.calls)) resolve({ stored: false, code, msg })
        break
      }
      case 'read':
      case 'run':
      case 'places':
        this.#takeRead(message.id)?.resolve(message)
        break
      case 'unread':
        this.#takeRead(message.id)?.reject(failing(message.msg))
        break
      case 'cursor':
        if (message.chains !== null) this.#chains = { ...message.chains }
        if (message.error !== null) this.#options.notice?.({ event: 'store.cursor_unsaved', msg: message.error })
        this.#cursorCalls.shift()?.()
        break
      case 'epoch':
        this.#forks = message.forks
        this.#changed(message.error === null ? null : failing(message.error))
        break
      case 'keys':
        this.#changed(message.refusal === null ? null : new EdgeError(message.refusal.code, message.refusal))
        break
    }
  }

  #change(message: ToWorker): Promise<string> {
    if (!this.#isOpen || this.#closing !== null) return Promise.reject(failing(this.#whyNot()))
    return new Promise((resolve, reject) => {
      this.#changes.push({ resolve, reject })
      this.#post(message)
    })
  }

  #changed(refusal: EdgeError | null): void {
    const change = this.#changes.shift()
    if (refusal === null) change?.resolve(this.#epoch)
    else change?.reject(refusal)
  }

  #ask<T extends ReadAnswer['t']>(_: T, question: (id: number) => ToWorker): Promise<Extract<ReadAnswer, { t: T }>> {
    if (!this.#isOpen || this.#closing !== null) return Promise.reject(failing(this.#whyNot()))
    return new Promise((resolve, reject) => {
      const id = this.#nextReadId
      this.#nextReadId += 1
      // The worker answers each question in kind.
      this.#reads.set(id, { resolve: resolve as WaitingRead['resolve'], reject })
      this.#post(question(id))
    })
  }

  #takeRead(id: number): WaitingRead | undefined {
    const read = this.#reads.get(id)
    this.#reads.delete(id)
    return read
  }

  #committed({ calls, epoch, firstSeq, own }: Extract<FromWorker, { t: 'committed' }>): void {
    this.#epoch = epoch
    const answered = this.#appends.answered(calls)
    const begin = firstSeq + own.length
    if (this.#listeners.size > 0) {
      const place = { epoch, firstSeq: begin, nodeJson: this.#nodeJson }
      const records = answered.flatMap((call) => call.records)
      this.#tell([...own, ...asStored(records, place)])
    }
    let seq = begin
    for (const { records, resolve } of answered) {
      const first = seq
      seq += records.length
      resolve({ stored: true, epoch, seqs: records.map((_, position) => first + position) })
    }
  }

  #tell(records: readonly StoredRecord[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(records)
      } catch (error) {
        this.#options.notice?.({ event: 'store.listener_threw', msg: messageOf(error) })
      }
    }
  }

  #flush(): void {
    if (!this.#appends.hasUnsent && this.#lost.size === 0) return
    this.#post({ ...this.#appends.takeUnsent(), lost: [...this.#lost] })
    this.#lost.clear()
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message)
  }

  #lose(records: readonly PlainRecord[], msg: string): Appended {
    for (const record of records) {
      const { class: lost } = record
      if (isLostWhenRefused(record)) this.#lost.set(lost, (this.#lost.get(lost) ?? 0) + 1)
    }
    return { stored: false, code: 'STORE_FAILING', msg }
  }

  #whyNot(): string {
    return this.#closing === null ? "the store's worker is being started again" : 'the store is closed'
  }

  #seen(): StoreView {
    if (this.#view === null) throw new Error('the store was not opened')
    return this.#view
  }
}

function failing(msg: string): EdgeError {
  return new EdgeError('STORE_FAILING', { message: msg, next: ['try again; the daemon opens the store by itself'] })
}
