import { type ChangeStatus, type Item, isSameItem } from '../../protocol/change.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { Condition } from '../../protocol/status.ts'
import type { ChangeKind, Comparison, Progress, Prune } from './contract.ts'
import { judgeLocally } from './local-gates.ts'
import { NOTHING_SERVED, ServedCount } from './served-count.ts'
import { type Activity, activityOf, next, put, type SlotEvent } from './slot.ts'
import type { SlotFile } from './slot-file.ts'
import {
  EMPTY_SLOT,
  type Moment,
  packageOf,
  pinnedDigests,
  type Served,
  type SlotState,
  wantedItem,
} from './slot-state.ts'
import { checkMandate, type Step, takeStep } from './slot-steps.ts'
import { findingsOf, phaseWords, statusOf } from './status.ts'
import { serveAgain } from './way-back.ts'

/** Where the keeper's own events go. */
export type ChangeLog = Readonly<Record<'info' | 'warn' | 'error', Tell>>
type Tell = (event: string, msg?: string, fields?: Readonly<Record<string, string | number | boolean | null>>) => void

/** What a {@link ChangeKeeper} is made of. */
export interface ChangeKeeperOptions {
  readonly file: Pick<SlotFile, 'read' | 'write'>
  readonly kinds: Readonly<Partial<Record<Item['kind'], ChangeKind>>>
  readonly prune: Prune
  /** Answers of this node since it started: all but those that are the device's fault, those that failed, those that took too long. */
  readonly counters: () => Served
  readonly clock: () => Moment
  readonly log: ChangeLog
  /** Told when a change comes into another phase. */
  readonly onPhase?: (phase: ChangeStatus['phase']) => void
  /** Told when what was confirmed is spoilt on the disk, and what the node was set up with serves in its place. */
  readonly onPutAside?: (item: Item, msg: string) => void
  /** Time that a new item must serve without dying until a start on it counts as clean, ms. */
  readonly provenAfterMs?: number
}

const LOOK_EVERY_MS = 500
const PROVEN_AFTER_MS = 30_000

/**
 * Carries a node's changes out (architecture decisions 7 and 9): one at a time, each word of it on the disk before it
 * counts. What is to go on follows from the slot alone, so a start after a crash does what was not done.
 */
export class ChangeKeeper {
  readonly #options: ChangeKeeperOptions
  #state: SlotState = EMPTY_SLOT
  /** The disk has not got the state: written again at the next look. */
  #isUnsaved = false
  #running: { readonly key: string; readonly abort: AbortController } | null = null
  /** Events and steps one after the other: each is on the disk before the next is looked at. */
  #turn: Promise<unknown> = Promise.resolve()
  #isLookDue = false
  /** What goes on ends before the next begins. */
  #work: Promise<void> = Promise.resolve()
  #comparison: Comparison | null = null
  #progress: Progress | null = null
  readonly #count: ServedCount
  /** Uptime since which the candidate has served without dying. */
  #cleanSinceMs: number | null = null
  #pinned = ''
  #timer: NodeJS.Timeout | null = null
  #isStopping = false

  constructor(options: ChangeKeeperOptions) {
    this.#options = options
    this.#count = new ServedCount(options.counters)
  }

  /**
   * Read what was kept, and decide what is to serve now. Before anything of it is loaded.
   * @throws EdgeError `STORE_UNUSABLE` when it cannot be read
   */
  async open(): Promise<void> {
    const { file, log } = this.#options
    const { state, damage } = file.read()
    if (damage !== null) log.error('change.forgotten', damage)
    this.#state = state
    this.#count.resume(state.change?.served ?? NOTHING_SERVED)
    await this.#happened({ type: 'started' })
  }

  /** What is to serve of a kind now; null for what the node was set up with. */
  wanted(kind: Item['kind']): Item | null {
    return wantedItem(this.#state, kind)
  }

  /** Go on with what was under way. Once what is wanted serves, or could not be made to. */
  start(): void {
    const { phase } = this.#state.change ?? {}
    if (phase === 'probation') this.#beginWatch()
    this.#tidy(false)
    this.#timer = setInterval(() => this.#lookSoon(), LOOK_EVERY_MS)
    this.#timer.unref()
    this.#react()
  }

  /** An orderly end: what is on probation did not end badly. Nothing is going on any more when it resolves. */
  async stop(): Promise<void> {
    if (this.#isStopping) return
    this.#isStopping = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#running?.abort.abort()
    await this.#work
    await this.#endComparison()
    await this.#happened({ type: 'stopping' })
  }

  /**
   * Carry out a step of a rollout; what takes long goes on behind it. The change of that rollout, or null where the node
   * carries nothing of it.
   * @throws EdgeError `TERM_STALE`, `CHANGE_LOCKED`, `CHANGE_UNFIT`, `MANDATE_INVALID`, `STORE_FAILING`
   */
  step(step: Step): Promise<ChangeStatus | null> {
    return this.#inTurn(async () => {
      await this.#take({ type: 'looked' })
      const { rollout } = step.args
      checkMandate(this.#state, step)
      const before = this.#current()
      const after = takeStep(before, step, this.#options.clock())
      if (after !== before) {
        await this.#options.file.write(after)
        this.#isUnsaved = false
        this.#became(after, step.verb)
      }
      return this.#state.change?.rollout === rollout ? this.status() : null
    })
  }

  /** The process of a model died; `item` is what it held, null for what the node was set up with. */
  died(digest: string | null, msg: string): Promise<void> {
    this.#cleanSinceMs = null
    return this.#inTurn(async () => {
      const { change } = this.#state
      if (change !== null && packageOf(change.item) === digest) await this.#take({ type: 'died', msg })
    })
  }

  /** The change that the node carries or carried last; null for none. */
  status(): ChangeStatus | null {
    const { change } = this.#state
    if (change === null) return null
    return statusOf(this.#state, {
      own: this.#options.kinds[change.item.kind]?.own() ?? null,
      now: this.#options.clock(),
      served: this.#served(),
      progress: this.#progress,
      shadow: this.#comparison?.report() ?? null,
    })
  }

  /** Do something that must not fail when nothing else goes on; what is to serve may be another by then. */
  behind(work: () => Promise<void>): void {
    if (!this.#isStopping) this.#work = this.#work.then(work)
  }

  /** What counts as good. */
  confirmed(): readonly Item[] {
    return this.#state.confirmed
  }

  /** What of changes is not as it should be, or is so for a while only. */
  findings(): Omit<Condition, 'since'>[] {
    const found = findingsOf(this.#state, this.#options.clock())
    if (!this.#isUnsaved) return found
    const msg = 'the disk refuses to keep how far a change is; make room on the disk of the state folder'
    return [...found, { code: 'change_unsaved', severity: 'critical', msg }]
  }

  /** A candidate that should serve from the start on cannot. */
  async unusable(item: Item, msg: string): Promise<void> {
    const { change } = this.#state
    if (change !== null && isSameItem(change.item, item))
      await this.#happened({ type: 'failed', fault: { kind: 'load', msg } })
  }

  #lookSoon(): void {
    // A disk that is slower than the looks is not asked for more of them.
    if (this.#isLookDue) return
    this.#isLookDue = true
    void this.#inTurn(() => this.#look())
  }

  /** Let time pass: deadlines, limits, what is proven. */
  async #look(): Promise<void> {
    this.#isLookDue = false
    if (this.#isUnsaved) await this.#save()
    await this.#take({ type: 'looked' })
    const { change } = this.#state
    if (change?.phase !== 'probation' || change.trial === null) return
    const fault = judgeLocally(change.trial.gates, this.#served(), this.#comparison?.report() ?? null)
    if (fault !== null) {
      await this.#take({ type: 'gate', fault })
      return
    }
    const { provenAfterMs = PROVEN_AFTER_MS, clock } = this.#options
    const { upMs } = clock()
    this.#cleanSinceMs ??= upMs
    if (upMs - this.#cleanSinceMs >= provenAfterMs) await this.#take({ type: 'proven' })
  }

  /**
   * Something happened; not if it is of something that was broken off before its turn. The node's own decisions count even
   * if the disk refuses them: after a crash they are made again.
   */
  #happened(event: SlotEvent, signal?: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (signal?.aborted !== true) await this.#take(event)
    })
  }

  /** What happens to the slot, by whose turn it is. */
  async #take(event: SlotEvent): Promise<void> {
    const before = this.#current()
    const after = next(before, event, this.#options.clock())
    if (after === before) return
    await this.#save(after)
    this.#became(after, event.type)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  async #save(state: SlotState = this.#state): Promise<void> {
    try {
      await this.#options.file.write(state)
      this.#isUnsaved = false
    } catch (error) {
      if (!this.#isUnsaved) this.#options.log.error('change.unsaved', messageOf(error))
      this.#isUnsaved = true
    }
  }

  /** The state with what was served up to now, so that it is kept with whatever is kept. */
  #current(): SlotState {
    const { change } = this.#state
    return change?.phase === 'probation' ? put(this.#state, { ...change, served: this.#served() }) : this.#state
  }

  #became(state: SlotState, why: string): void {
    const before = this.#state.change
    this.#state = state
    const { change } = state
    this.#tidy(before?.isLocked === true && change?.isLocked === false)
    if (change === null || change.phase === before?.phase) {
      this.#react()
      return
    }
    const { isBad, msg, fields } = phaseWords(change)
    this.#options.log[isBad ? 'warn' : 'info'](`change.${change.phase}`, msg, { ...fields, why })
    this.#options.onPhase?.(change.phase)
    if (change.phase === 'probation') {
      this.#count.begin()
      this.#cleanSinceMs = null
      this.#beginWatch()
    } else if (before?.phase === 'probation') {
      void this.#endComparison()
      if (change.phase === 'confirmed') this.#options.kinds[change.item.kind]?.settle()
    }
    this.#react()
  }

  #react(): void {
    const activity = activityOf(this.#state)
    if (activity?.key === this.#running?.key || this.#timer === null) return
    this.#running?.abort.abort()
    this.#running = null
    this.#progress = null
    if (activity === null) return
    const abort = new AbortController()
    this.#running = { key: activity.key, abort }
    this.#work = this.#work.then(async () => {
      if (abort.signal.aborted) return
      try {
        await this.#goOn(activity, abort.signal)
      } catch (error) {
        // A stage that fails says so with an EdgeError; anything else is a mistake of ours, and must not stop the node.
        this.#options.log.error('change.broken', messageOf(error))
        await this.#happened({ type: 'failed', fault: { kind: 'package', msg: messageOf(error) } }, abort.signal)
      }
    })
  }

  async #goOn({ kind, change }: NonNullable<Activity>, signal: AbortSignal): Promise<void> {
    const ofKind = this.#options.kinds[change.item.kind]
    if (ofKind === undefined) {
      const msg = `this node takes no ${change.item.kind} by rollouts`
      return this.#happened({ type: 'failed', fault: { kind: 'package', msg } }, signal)
    }
    switch (kind) {
      case 'stage':
        return this.#stage(ofKind, change, signal)
      case 'shadow':
        return this.#shadow(ofKind, change, signal)
      case 'load':
        return this.#load(ofKind, change.item, signal)
      case 'return':
        return this.#return(ofKind, change.item.kind, signal)
    }
  }

  async #stage(kind: ChangeKind, change: NonNullable<Activity>['change'], signal: AbortSignal): Promise<void> {
    try {
      const onProgress = (progress: Progress): void => {
        if (!signal.aborted) this.#progress = progress
      }
      await kind.stage(change.item, { sources: change.sources, signal, onProgress })
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error
      return this.#happened({ type: 'failed', fault: { kind: 'package', msg: error.toLine() } }, signal)
    }
    await this.#happened({ type: 'staged' }, signal)
  }

  async #shadow(kind: ChangeKind, change: NonNullable<Activity>['change'], signal: AbortSignal): Promise<void> {
    if (kind.compare === null || change.shadow === null) {
      const msg = `a ${change.item.kind} cannot be tried beside what serves`
      return this.#happened({ type: 'failed', fault: { kind: 'package', msg } }, signal)
    }
    const comparison = kind.compare(change.item, change.shadow.wish)
    this.#comparison = comparison
    const { promise: aborted, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    let event: SlotEvent
    try {
      await Promise.race([comparison.done, aborted])
      event = { type: 'compared', report: comparison.report() }
    } catch (error) {
      event = { type: 'failed', fault: { kind: 'load', msg: lineOf(error) } }
    }
    await this.#endComparison(comparison)
    await this.#happened(event, signal)
  }

  async #load(kind: ChangeKind, item: Item, signal: AbortSignal): Promise<void> {
    try {
      await kind.serve(item, { keepBefore: true, signal })
    } catch (error) {
      return this.#happened({ type: 'failed', fault: { kind: 'load', msg: lineOf(error) } }, signal)
    }
    await this.#happened({ type: 'loaded' }, signal)
  }

  async #return(kind: ChangeKind, of: Item['kind'], signal: AbortSignal): Promise<void> {
    const { log, onPutAside } = this.#options
    const isBack = await serveAgain(kind, {
      wanted: this.wanted(of),
      signal,
      failed: (msg) => log.error('change.return_failed', msg),
      putAside: (item, msg) => onPutAside?.(item, msg),
    })
    if (isBack) await this.#happened({ type: 'returned' }, signal)
  }

  /** What served before goes on answering in the shadow of what is on probation. */
  #beginWatch(): void {
    const { change } = this.#state
    if (change === null || change.trial === null || change.trial.comparePct === 0) return
    const comparison = this.#options.kinds[change.item.kind]?.watch?.(change.before, change.trial.comparePct) ?? null
    if (comparison === null) return
    this.#comparison = comparison
    comparison.done.catch((error: unknown) => this.#options.log.warn('change.not_compared', lineOf(error)))
  }

  async #endComparison(comparison: Comparison | null = this.#comparison): Promise<void> {
    if (comparison === null) return
    await comparison.stop()
    if (this.#comparison === comparison) this.#comparison = null
  }

  #served(): Served {
    const { phase, served } = this.#state.change ?? {}
    return phase === 'probation' ? this.#count.now() : (served ?? NOTHING_SERVED)
  }

  /** Keep the packages that are needed; when a change has just been let go, the others may go. */
  #tidy(mayRemove: boolean): void {
    const pinned = pinnedDigests(this.#state)
    const key = [...pinned].sort().join(' ')
    if (key === this.#pinned && !mayRemove) return
    this.#pinned = key
    this.#options.prune(pinned, mayRemove).catch((error: unknown) => {
      this.#options.log.warn('change.not_tidied', messageOf(error))
    })
  }
}

function lineOf(error: unknown): string {
  return error instanceof EdgeError ? error.toLine() : messageOf(error)
}
