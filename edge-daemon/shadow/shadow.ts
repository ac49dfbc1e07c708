import { setTimeout as sleep } from 'node:timers/promises'
import type { ShadowReport } from '../../protocol/change.ts'
import { EdgeError } from '../../protocol/errors.ts'
import type { Priority } from '../inference/background.ts'
import type { ServedModel } from '../models/models.ts'
import type { Store } from '../store/store.ts'
import type { AnswerTap } from './answer-tap.ts'
import { Arm } from './arm.ts'
import { type Answer, Comparison, type Pair } from './comparison.ts'
import { KeptSource } from './kept-source.ts'
import { LabelledSource } from './labelled-source.ts'
import { LiveSource } from './live-source.ts'
import { requireRoomBeside } from './room-beside.ts'
import type { Sample, SampleSource } from './source.ts'

/** Times the work on a picture that is rested before the next, so that it takes a quarter of one core at most. */
const REST_FACTOR = 3
/** Longest rest, ms. */
const LONGEST_REST_MS = 2000
const MOST_FAULT_CHARS = 1024

/** Where a shadow's pictures come from. */
export type ShadowSource =
  | {
      readonly kind: 'live'
      readonly tap: AnswerTap
      /** Most of the answers that are looked at, percent. */
      readonly samplePct: number
      /** Whose answers devices get meanwhile: `candidate` on probation, when the other one is run in shadow. */
      readonly serving: 'current' | 'candidate'
    }
  | { readonly kind: 'kept'; readonly store: Pick<Store, 'read'> }
  /** `folder` holds a package of kind `labelled` that was verified. */
  | { readonly kind: 'labelled'; readonly folder: string }

/** What a shadow is made of. */
export interface ShadowOptions {
  readonly candidate: ServedModel
  /** What it is compared with: what serves now, or on probation what served before. */
  readonly current: ServedModel
  readonly source: ShadowSource
  /** Pictures to see; fewer where the source ends before. */
  readonly wanted: number
  /** Most pixels that a picture may have, as for what serves. */
  readonly pixelLimit: number
  /** How much of the node its processes take; `idle` when left out. */
  readonly priority?: Priority
  /** File that node runs as the child; the one of this build unless told otherwise. */
  readonly childEntry?: string
  /** Bytes that programs of this machine may still take. */
  readonly freeBytes?: () => number
}

/** How a shadow ended: it saw what it wanted or what there is; it was stopped; or it could not go on, by whose fault (a picture that cannot be read is the node's). */
export type ShadowEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly by: 'candidate' | 'current' | 'node'; readonly error: EdgeError }

/** A shadow that runs. */
export interface ShadowRun {
  /** What was seen so far; also after the end. */
  report(): ShadowReport
  /** End it and its processes; resolves when they are gone. May be called at every moment, and again. */
  stop(): Promise<void>
  /** Never rejects. Its processes are gone by then. */
  readonly whenDone: Promise<ShadowEnd>
  /** Process ids of its children, for whoever looks after the node. */
  readonly pids: readonly number[]
}

/**
 * Run a candidate beside what serves (architecture decision 10), behind what serves and without touching an answer. Where
 * both can be run in shadow they are, one after the other and in changing order, so that their times can be compared. The
 * candidate's failures are told as `errors`; one that dies again and again, or does not load, ends the shadow.
 */
export function startShadow(options: ShadowOptions): ShadowRun {
  return new Shadow(options)
}

/** The report of a shadow that did not begin yet, or could not. */
export function emptyReport({
  source,
  wanted,
  fault,
}: Pick<ShadowReport, 'source' | 'wanted'> & { readonly fault: string | null }): ShadowReport {
  const nothing = new Comparison({ candidate: [], current: [] }).report()
  return { ...nothing, source, wanted, isDone: fault !== null, ...faultOf(fault) }
}

function faultOf(fault: string | null): { fault?: string } {
  return fault === null ? {} : { fault: fault.slice(0, MOST_FAULT_CHARS) }
}

type Side = 'candidate' | 'current'
const SIDES: readonly Side[] = ['candidate', 'current']
const CHANGED_SIDES: readonly Side[] = ['current', 'candidate']

class Shadow implements ShadowRun {
  readonly whenDone: Promise<ShadowEnd>
  readonly #options: ShadowOptions
  readonly #comparison: Comparison
  /** What runs in shadow; on probation the candidate serves and has none. */
  readonly #arms = new Map<Side, Arm>()
  readonly #stopping = new AbortController()
  #source: SampleSource | null = null
  #fault: string | null = null
  #isDone = false

  constructor(options: ShadowOptions) {
    const { candidate, current, source, pixelLimit, priority = 'idle', childEntry } = options
    this.#options = options
    this.#comparison = new Comparison({ candidate: candidate.classes, current: current.classes })
    const isOnProbation = source.kind === 'live' && source.serving === 'candidate'
    if (!isOnProbation) this.#arms.set('candidate', new Arm({ model: candidate, pixelLimit, priority, childEntry }))
    this.#arms.set('current', new Arm({ model: current, pixelLimit, priority, childEntry }))
    this.whenDone = this.#run()
  }

  get pids(): readonly number[] {
    return [...this.#arms.values()].flatMap(({ pid }) => pid ?? [])
  }

  report(): ShadowReport {
    const { source, wanted } = this.#options
    return {
      ...this.#comparison.report(),
      source: source.kind,
      wanted,
      isDone: this.#isDone,
      dropped: this.#source?.dropped ?? 0,
      ...faultOf(this.#fault),
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#source?.close()
    await this.#endArms()
    await this.whenDone
  }

  async #run(): Promise<ShadowEnd> {
    const end = await this.#compareAll()
    this.#source?.close()
    await this.#endArms()
    if (end.kind === 'failed') this.#fault = end.error.message
    this.#isDone = end.kind !== 'stopped'
    return end
  }

  async #compareAll(): Promise<ShadowEnd> {
    const { signal } = this.#stopping
    try {
      for (const side of SIDES) await this.#load(side)
      if (signal.aborted) return STOPPED
      const source = sourceOf(this.#options)
      this.#source = source
      for (let turn = 0; this.#comparison.seen < this.#options.wanted; turn += 1) {
        const sample = await blaming('node', () => source.next())
        if (signal.aborted) return STOPPED
        if (sample === null) break
        const startedAtMs = performance.now()
        await this.#compare(sample, turn)
        await this.#rest(performance.now() - startedAtMs)
        if (signal.aborted) return STOPPED
      }
      return { kind: 'done' }
    } catch (error) {
      if (signal.aborted) return STOPPED
      if (error instanceof Blamed) return { kind: 'failed', by: error.by, error: error.cause }
      throw error
    }
  }

  async #compare(sample: Sample, turn: number): Promise<void> {
    const answers: Partial<Record<Side, Answer>> = {}
    for (const side of turn % 2 === 0 ? SIDES : CHANGED_SIDES) {
      const answer = await this.#with(side, (arm) => arm.ask(sample.picture))
      if (answer !== undefined) answers[side] = answer
    }
    // Whoever stops it ends runs that are under way: they say nothing of the models.
    const pair = this.#stopping.signal.aborted ? null : pairOf(sample, answers)
    if (pair !== null) this.#comparison.add(pair)
  }

  async #load(side: Side): Promise<void> {
    const model = this.#options[side]
    await this.#with(side, async (arm) => {
      await blaming('node', async () => {
        requireRoomBeside(model, this.#options.freeBytes?.() ?? process.availableMemory())
      })
      await arm.start()
    })
  }

  async #with<T>(side: Side, work: (arm: Arm) => Promise<T>): Promise<T | undefined> {
    const arm = this.#arms.get(side)
    if (arm === undefined) return undefined
    try {
      return await blaming(side, () => work(arm))
    } catch (error) {
      if (!this.#isSpare(side) || this.#stopping.signal.aborted) throw error
      this.#arms.delete(side)
      await arm.stop()
      return undefined
    }
  }

  /** Before an activation the devices' own answers say what the current model makes of a picture: it is run for its time alone. */
  #isSpare(side: Side): boolean {
    const { source } = this.#options
    return side === 'current' && source.kind === 'live' && source.serving === 'current'
  }

  async #rest(workedMs: number): Promise<void> {
    const { signal } = this.#stopping
    await sleep(Math.min(LONGEST_REST_MS, workedMs * REST_FACTOR), undefined, { signal }).catch(() => undefined)
  }

  async #endArms(): Promise<void> {
    await Promise.all([...this.#arms.values()].map((arm) => arm.stop()))
  }
}

const STOPPED: ShadowEnd = { kind: 'stopped' }

function sourceOf({ source, candidate, current }: ShadowOptions): SampleSource {
  if (source.kind === 'kept') return new KeptSource(source.store)
  if (source.kind === 'labelled') return new LabelledSource(source.folder)
  const { tap, samplePct, serving } = source
  return new LiveSource({ tap, samplePct, serving: serving === 'current' ? current : candidate })
}

/** What a device was answered counts as the answer of the model that served; null while a side has none. */
function pairOf({ served, label }: Sample, answers: Partial<Record<Side, Answer>>): Pair | null {
  const candidate = answers.candidate ?? served
  const current = answers.candidate === undefined ? answers.current : (served ?? answers.current)
  if (candidate === undefined || current === undefined) return null
  const currentMs = answers.current?.ok === true ? answers.current.runMs : undefined
  return { candidate, current, label, currentMs }
}

class Blamed extends Error {
  readonly by: Side | 'node'
  override readonly cause: EdgeError

  constructor(by: Side | 'node', cause: EdgeError) {
    super(cause.message, { cause })
    this.by = by
    this.cause = cause
  }
}

async function blaming<T>(by: Side | 'node', work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof EdgeError ? new Blamed(by, error) : error
  }
}
