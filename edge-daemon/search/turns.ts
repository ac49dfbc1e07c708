import type { Places, PlacesRequest } from '../store/places-contract.ts'
import type { SearchPage } from './contract.ts'
import type { PageSteps } from './search-run.ts'

/** A page that is wanted. */
export interface PageJob {
  readonly id: number
  /** Who asks. */
  readonly by: number
  /** Begins the page; called when its turn has come. */
  begin(isTimeUp: () => boolean): PageSteps
}

/** Where pages and questions of jobs go. */
export interface TurnsOutlet {
  page(id: number, page: SearchPage): void
  failed(id: number, error: unknown): void
  /** Answered by {@link Turns.answer}. */
  ask(id: number, request: PlacesRequest): void
}

/** What turns are bounded by. */
export interface TurnsOptions {
  /** Most of one core's time that all jobs take together, above 0 up to 1. */
  readonly share: number
  readonly nowMs: () => number
  /** Calls back once, after so many ms; 0 for as soon as messages were heard. */
  readonly later: (call: () => void, ms: number) => void
}

/** Pages in the making at the same time, each with an open file and a window of it. */
const AT_ONCE = 2
/** Longest that a job runs before others and messages have their turn, when no single step takes longer. */
const SLICE_MS = 8
/** A page is given after this long, whatever it holds, so that who waits sees how far it has got. */
const PAGE_MS = 400

interface Running {
  readonly job: PageJob
  readonly steps: PageSteps
  /** The answer that it waits for: undefined while it waits, null when it waits for none. */
  answer: Places | null | undefined
}

/**
 * Gives searches their turns: two pages at a time in slices of some ms, of different askers where there are several, and
 * a pause after each slice so that all of them together stay below their share of a core.
 */
export class Turns {
  readonly #options: TurnsOptions
  readonly #outlet: TurnsOutlet
  readonly #waiting: PageJob[] = []
  #running: Running[] = []
  #isPlanned = false

  constructor(options: TurnsOptions, outlet: TurnsOutlet) {
    this.#options = options
    this.#outlet = outlet
  }

  /** Let a page be made. */
  add(job: PageJob): void {
    this.#waiting.push(job)
    this.#plan(0)
  }

  /** Give a page up. */
  remove(id: number): void {
    const at = this.#waiting.findIndex((job) => job.id === id)
    if (at >= 0) this.#waiting.splice(at, 1)
    for (const { job, steps } of this.#running) if (job.id === id) steps.return(GIVEN_UP)
    this.#running = this.#running.filter(({ job }) => job.id !== id)
    this.#plan(0)
  }

  /** What a job asked for; an error ends it. */
  answer(id: number, places: Places | Error): void {
    const running = this.#running.find(({ job }) => job.id === id)
    if (running === undefined || running.answer !== undefined) return
    if (places instanceof Error) {
      running.steps.return(GIVEN_UP)
      this.#end(running)
      this.#outlet.failed(id, places)
    } else {
      running.answer = places
    }
    this.#plan(0)
  }

  #plan(afterMs: number): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    this.#options.later(() => {
      this.#isPlanned = false
      this.#turn()
    }, afterMs)
  }

  #turn(): void {
    this.#start()
    const at = this.#running.findIndex(({ answer }) => answer !== undefined)
    const [running] = at < 0 ? [] : this.#running.splice(at, 1)
    if (running === undefined) return
    this.#running.push(running)
    const beganMs = this.#options.nowMs()
    this.#run(running, beganMs)
    const workedMs = this.#options.nowMs() - beganMs
    if (this.#waiting.length + this.#running.length > 0) this.#plan(workedMs / this.#options.share - workedMs)
  }

  #run(running: Running, beganMs: number): void {
    const { job, steps } = running
    try {
      do {
        const { answer } = running
        if (answer === undefined) return
        running.answer = null
        const step = steps.next(answer)
        if (step.done === true) {
          this.#end(running)
          this.#outlet.page(job.id, step.value)
          return
        }
        if (step.value !== null) {
          running.answer = undefined
          this.#outlet.ask(job.id, step.value)
        }
      } while (this.#options.nowMs() - beganMs < SLICE_MS)
    } catch (error) {
      this.#end(running)
      this.#outlet.failed(job.id, error)
    }
  }

  #start(): void {
    while (this.#running.length < AT_ONCE && this.#waiting.length > 0) {
      const at = this.#waiting.findIndex(({ by }) => this.#running.every(({ job }) => job.by !== by))
      const [job] = this.#waiting.splice(Math.max(0, at), 1)
      if (job === undefined) return
      const endMs = this.#options.nowMs() + PAGE_MS
      this.#running.push({ job, steps: job.begin(() => this.#options.nowMs() >= endMs), answer: null })
    }
  }

  #end(running: Running): void {
    this.#running = this.#running.filter((other) => other !== running)
  }
}

const GIVEN_UP: SearchPage = {
  rows: [],
  gaps: [],
  atMs: 0,
  lookedAtBytes: 0,
  left: null,
  isDone: false,
  steps: null,
}
