import type { SampleRecord } from '../protocol/status.ts'
import { latencyBetween } from './health/stage-window.ts'
import type { StatusBody } from './live/contract.ts'
import { MinuteWindow, type Sample } from './minute-window.ts'
import type { NewRecord, Store, StoredRecord } from './store/store.ts'

/** What a {@link StatusRecorder} is made of. */
export interface StatusRecorderOptions {
  readonly store: Pick<Store, 'append' | 'read'>
  /** Changes with every start of the daemon. */
  readonly instance: string
  /** What the node is now, with cumulative histograms. */
  readonly snapshot: () => StatusBody
  /** Called with every sample. */
  readonly onSample?: (sample: Sample) => void
  /** Something is wrong with the recording itself. */
  readonly onFault: (msg: string) => void
  readonly clock?: { wallMs(): number; monotonicMs(): number }
}

const EVERY_MS = 1000
/**
 * Samples that wait for each other. Ten in a commit cost a disk one sync in ten seconds on a node with nothing to do, and
 * compress to a fifth of what they take one by one; `kill -9` loses at most these.
 */
const GATHERED = 10
/** More samples than ever stand behind a minute. */
const MAX_UNSUMMED = 1000
const SYSTEM_CLOCK = { wallMs: () => Date.now(), monotonicMs: () => performance.now() }

/**
 * Keeps what the node was (requirement A3): a `sample` a second and a `minute` a minute. A minute that the process did not
 * live to write is summed up from its samples at the next start.
 */
export class StatusRecorder {
  readonly #options: StatusRecorderOptions
  readonly #clock: { wallMs(): number; monotonicMs(): number }
  #gathered: NewRecord[] = []
  #minute: MinuteWindow | null = null
  #base: { latency: SampleRecord['status']['inference']['latency']; monotonicMs: number } | null = null
  #writing: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | null = null

  constructor(options: StatusRecorderOptions) {
    this.#options = options
    this.#clock = options.clock ?? SYSTEM_CLOCK
  }

  /**
   * Sum up what an earlier run left, then record.
   * @throws EdgeError `STORE_FAILING` when the store cannot be read.
   */
  async start(): Promise<void> {
    for (const sample of await this.#unsummed()) this.#fold(sample)
    // The minute that the last run was in is over unless this one began in it too.
    if (this.#minute?.isOver(this.#clock.wallMs()) === true) this.#endMinute()
    this.look()
    this.#timer = setInterval(() => this.look(), EVERY_MS)
    this.#timer.unref()
  }

  /** Record no more; resolves when what was gathered is on the disk. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await this.flush()
  }

  /** Take one sample. The first one only says where the first window begins. */
  look(): void {
    const monotonicMs = this.#clock.monotonicMs()
    const body = this.#snapshot()
    if (body === null) return
    const base = this.#base
    this.#base = { latency: body.inference.latency, monotonicMs }
    if (base === null) return
    const windowMs = Math.max(0, Math.round(monotonicMs - base.monotonicMs))
    const latency = latencyBetween(body.inference.latency, base.latency)
    const sample: Sample = {
      timestamp: Math.max(0, Math.round(this.#clock.wallMs())),
      instance: this.#options.instance,
      window_ms: windowMs,
      status: { ...body, inference: { ...body.inference, windowMs, latency } },
    }
    this.#fold(sample)
    this.#gathered.push(recordOf('sample', sample))
    this.#options.onSample?.(sample)
    if (this.#gathered.length >= GATHERED) void this.flush()
  }

  /** Bring what was gathered to the disk; what it refuses is noted in the ledger by the store. Never rejects. */
  flush(): Promise<unknown> {
    if (this.#gathered.length > 0) {
      const records = this.#gathered
      this.#gathered = []
      this.#writing = this.#options.store.append(records)
    }
    return this.#writing
  }

  #snapshot(): StatusBody | null {
    try {
      return this.#options.snapshot()
    } catch (error) {
      this.#options.onFault(error instanceof Error ? error.message : String(error))
      return null
    }
  }

  #fold(sample: Sample): void {
    if (this.#minute?.add(sample) === true) return
    this.#endMinute()
    this.#minute = new MinuteWindow(sample)
  }

  /** Before the first sample of the next minute, so that sequences rise with time. */
  #endMinute(): void {
    if (this.#minute !== null) this.#gathered.push(recordOf('minute', this.#minute.sum()))
    this.#minute = null
  }

  /** Samples behind the last minute that was written. */
  async #unsummed(): Promise<Sample[]> {
    const { store } = this.#options
    const [minute] = await store.read({ classes: ['minute'], limit: 1, newestFirst: true })
    const samples = await store.read({ classes: ['sample'], afterSeq: minute?.seq ?? 0, limit: MAX_UNSUMMED })
    return samples.map(sampleOf)
  }
}

/** The store's own lines are trusted: they were written by this daemon and are guarded by a checksum. */
function sampleOf(record: StoredRecord): Sample {
  const { timestamp, instance, window_ms, status } = JSON.parse(record.line) as SampleRecord
  return { timestamp, instance, window_ms, status }
}

function recordOf(recordClass: 'sample' | 'minute', { timestamp, ...body }: Sample): NewRecord {
  return { class: recordClass, timestamp, body }
}
