import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../../protocol/errors.ts'
import type { Condition } from '../../../protocol/status.ts'
import { unpacked } from '../../store/packed-records.ts'
import { type NewRecord, type Store, WrittenBody } from '../../store/store.ts'
import type { Logger } from '../logger.ts'
import { type Checkpoint, type HeldRecord, movedOn, readCheckpoint } from './checkpoint.ts'
import type { Batch } from './collector.ts'
import type { FollowerStart, FollowSettings, FollowStatus, FromFollower, ToFollower } from './contract.ts'

/** What a {@link FollowService} is made of. */
export interface FollowServiceOptions {
  readonly settings: FollowSettings
  /** Where how far everything is kept is written down. */
  readonly stateDir: string
  readonly store: Pick<Store, 'append' | 'read'>
  /** @see FollowerStart.settleMs */
  readonly settleMs: number
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
  readonly startWorker?: (start: FollowerStart) => Worker
}

/** How long a fault must last before it is a condition: a log that is being rotated is not there for a moment. */
const BEHIND_MS = 30_000
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 30_000
const STOP_MS = 5000
/** Records and bytes of a page of the store. */
const PAGE = { limit: 2000, maxBytes: 4 * 1024 * 1024 }
const NOTHING: FollowStatus = {
  files: 0,
  lagBytes: 0,
  behindSince: null,
  lines: 0,
  bytes: 0,
  redacted: 0,
  lostBytes: 0,
  faults: [],
}
/** Faults that are named in one condition. */
const NAMED_FAULTS = 3

/**
 * Follows the logs of the node into the store. The reading is done in a thread of its own; here its records go to the
 * store, and what the store holds says where it begins: after a crash, after a refusal, after the thread died.
 */
export class FollowService {
  readonly #options: FollowServiceOptions
  #worker: Worker | null = null
  #status: FollowStatus = NOTHING
  /** Counters of threads that ended. */
  #before: FollowStatus = NOTHING
  /** Settles when no call of the store is without an answer. */
  #asked: Promise<void> = Promise.resolve()
  #waitMs = FIRST_WAIT_MS
  #timer: NodeJS.Timeout | null = null
  #stopping: PromiseWithResolvers<void> | null = null
  #fault: string | null = null

  constructor(options: FollowServiceOptions) {
    this.#options = options
  }

  /** Start to follow, where anything is configured. What keeps it from that is a condition and tried again. */
  async start(): Promise<void> {
    if (isNothing(this.#options.settings)) return
    await this.#begin()
  }

  /** Write down how far everything is kept, and end. What is not read yet waits in its files. */
  async stop(): Promise<void> {
    this.#stopping = Promise.withResolvers<void>()
    if (this.#timer !== null) clearTimeout(this.#timer)
    const worker = this.#worker
    if (worker === null) return
    await this.#asked
    this.#post({ t: 'stop' })
    const tooLong = setTimeout(() => this.#stopping?.resolve(), STOP_MS)
    await this.#stopping.promise
    clearTimeout(tooLong)
    await worker.terminate()
  }

  /** How following goes; counters are since the start of the daemon. */
  status(): FollowStatus {
    const [before, now] = [this.#before, this.#status]
    return {
      ...now,
      lines: before.lines + now.lines,
      bytes: before.bytes + now.bytes,
      redacted: before.redacted + now.redacted,
      lostBytes: before.lostBytes + now.lostBytes,
    }
  }

  /** What an operator should know: sources that cannot be read, and reading that does not keep up. */
  findings(nowMs = Date.now()): readonly Omit<Condition, 'since'>[] {
    const { faults, behindSince, lagBytes } = this.#status
    const found: Omit<Condition, 'since'>[] = []
    if (this.#fault !== null) {
      found.push({ code: 'logs_not_followed', severity: 'warning', msg: `logs are not followed now: ${this.#fault}` })
    }
    if (faults.length > 0) {
      const named = faults.slice(0, NAMED_FAULTS).map(({ what, msg }) => `${what} (${msg})`)
      const more = faults.length > NAMED_FAULTS ? ` and ${faults.length - NAMED_FAULTS} more` : ''
      const msg = `logs that cannot be read: ${named.join(', ')}${more}; let the daemon's user read them, or correct logs.*`
      found.push({ code: 'log_source_unreadable', severity: 'warning', msg })
    }
    if (behindSince !== null && nowMs - behindSince >= BEHIND_MS) {
      const msg = `${Math.round(lagBytes / 1e6)} MB of logs wait in their files; raise logs.bytesPerSec, or follow less`
      found.push({ code: 'logs_behind', severity: 'info', msg })
    }
    return found
  }

  async #begin(): Promise<void> {
    try {
      // A call that is still on its way may yet be kept, and must be seen.
      await this.#asked
      const start = await this.#whereToBegin()
      if (this.#stopping === null) this.#run(start)
    } catch (error) {
      this.#again(messageOf(error))
    }
  }

  async #whereToBegin(): Promise<FollowerStart> {
    const { settings, stateDir, settleMs, log } = this.#options
    const checkpointFile = join(stateDir, 'followed-logs.json')
    const read = readCheckpoint(checkpointFile)
    if (read.state === 'unreadable') {
      const msg = `${checkpointFile} cannot be read (${read.msg}); logs are followed as at a first start`
      log.error('logs.positions_lost', msg)
    }
    const checkpoint = read.state === 'found' ? movedOn(read.checkpoint, await this.#held(read.checkpoint)) : null
    return { settings, checkpointFile, checkpoint, settleMs }
  }

  /** Where the records come from that the store holds behind a checkpoint. */
  async #held({ seq }: Checkpoint): Promise<HeldRecord[]> {
    const held: HeldRecord[] = []
    for (let afterSeq = seq; ; ) {
      const page = await this.#options.store.read({ classes: ['log', 'error'], afterSeq, wholeOnly: true, ...PAGE })
      for (const { class: recordClass, line } of page) {
        const { origin } = JSON.parse(line) as { origin?: string }
        if (origin !== undefined) held.push({ class: recordClass === 'error' ? 'error' : 'log', origin })
      }
      const last = page.at(-1)
      if (last === undefined) return held
      afterSeq = last.seq
    }
  }

  #run(start: FollowerStart): void {
    const worker = (this.#options.startWorker ?? startFollower)(start)
    this.#worker = worker
    this.#fault = null
    worker.on('message', (message: FromFollower) => {
      if (this.#worker === worker) this.#hear(message)
    })
    worker.once('error', (error) => this.#died(worker, messageOf(error)))
    worker.once('exit', () => this.#died(worker, 'its thread ended'))
  }

  #hear(message: FromFollower): void {
    switch (message.t) {
      case 'batch':
        this.#keep(message.batch)
        return
      case 'status':
        this.#status = message.status
        return
      case 'notice': {
        const { level, event, msg } = message.notice
        this.#options.log[level](event, msg)
        return
      }
      case 'stopped':
        this.#stopping?.resolve()
    }
  }

  #keep({ number, records: packedRecords }: Batch): void {
    const worker = this.#worker
    const records = unpacked(packedRecords).map(
      ({ class: recordClass, timestamp, bodyJson }): NewRecord => ({
        class: recordClass,
        timestamp,
        body: new WrittenBody(bodyJson),
        isTriedAgain: true,
      }),
    )
    // One after the other: were one refused and the next kept, what the store holds would hide the first.
    this.#asked = this.#asked.then(async () => {
      if (worker !== null && this.#worker === worker) await this.#append(worker, number, records)
    })
  }

  async #append(worker: Worker, number: number, records: readonly NewRecord[]): Promise<void> {
    const appended = await this.#options.store.append(records)
    if (this.#worker !== worker) return
    if (!appended.stored) {
      this.#died(worker, `the store keeps nothing: ${appended.msg}`)
      return
    }
    this.#waitMs = FIRST_WAIT_MS
    this.#post({ t: 'kept', number, seq: appended.seqs.at(-1) ?? 0 })
  }

  /** The thread ended, or its records were not kept: begin again where the store's records end. */
  #died(worker: Worker, why: string): void {
    if (this.#worker !== worker) return
    this.#worker = null
    void worker.terminate()
    this.#before = this.status()
    this.#status = NOTHING
    this.#stopping?.resolve()
    if (this.#stopping === null) this.#again(why)
  }

  #again(why: string): void {
    if (this.#fault === null) this.#options.log.warn('logs.not_followed', `${why}; tried again`)
    this.#fault = why
    this.#timer = setTimeout(() => void this.#begin(), this.#waitMs)
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2)
  }

  #post(message: ToFollower): void {
    this.#worker?.postMessage(message)
  }
}

/** Start the follower's thread: `worker.ts` in a checkout, `follow-worker.js` beside a bundle. */
function startFollower(start: FollowerStart): Worker {
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './follow-worker.js'
  return new Worker(new URL(file, import.meta.url), { workerData: start, execArgv: [], name: 'follow' })
}

function isNothing({ files, containers, units }: FollowSettings): boolean {
  return files.length === 0 && containers.dir === null && units.length === 0
}
