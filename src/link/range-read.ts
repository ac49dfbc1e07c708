import type { DaemonFrame, FrameOf, GapFrame, RowsFrame } from '../../protocol/frames.ts'
import type { RangeOutcome, RequestFailure } from './link.ts'

/** What a range read needs of its session. */
export interface RangePort {
  /** Take rows off our hands; what it returns is waited for. */
  rows(rows: RowsFrame['rows']): void | Promise<void>
  gap(gap: GapFrame): void
  progress(progress: FrameOf<DaemonFrame, 'progress'>): void
  /** Let the node send one more frame. */
  grant(): void
  /** How long to wait before the next grant, ms. */
  pauseMs(): number
  settle(outcome: RangeOutcome): void
}

/** Frames that may wait to be taken. Nodes that know credits send no more than they were let; older ones have a limit of rows. */
const MAX_UNTAKEN = 64

/**
 * One range on its way from a node. Frames are handed on one after the other, and each is paid back with a credit only
 * when it was taken, so a slow reader holds at most the granted frames. A node that says nothing while it owes an answer
 * is given up after `silenceMs`.
 */
export class RangeRead {
  readonly topic: RowsFrame['topic']
  readonly #port: RangePort
  readonly #silenceMs: number
  #timer: NodeJS.Timeout | null = null
  #pause: NodeJS.Timeout | null = null
  #taking: Promise<void> = Promise.resolve()
  /** Frames that came and are not taken yet. */
  #untaken = 0
  #lastSeq: number | null = null
  #over = false

  constructor(topic: RowsFrame['topic'], silenceMs: number, port: RangePort) {
    this.topic = topic
    this.#port = port
    this.#silenceMs = silenceMs
    this.#watch()
  }

  rows(frame: RowsFrame): void {
    if (this.#over) return
    this.#untaken += 1
    this.#unwatch()
    if (this.#untaken > MAX_UNTAKEN) {
      const message = 'the node sends more of the range than it was let'
      this.#settle({
        ok: false,
        code: 'FRAME_RATE',
        message,
        next: ['look at the node: it does not keep to the protocol'],
      })
      return
    }
    this.#taking = this.#taking.then(() => this.#take(frame))
  }

  gap(frame: GapFrame): void {
    this.#port.gap(frame)
  }

  /** It finds nothing to send, but works. */
  progress(frame: FrameOf<DaemonFrame, 'progress'>): void {
    if (this.#over) return
    if (this.#untaken === 0) this.#watch()
    this.#port.progress(frame)
  }

  /** The node sent everything: answered when the last rows are taken. */
  end(end: { readonly truncated: boolean; readonly lastSeq: number | null }): void {
    this.#unwatch()
    this.#taking = this.#taking.then(() => {
      this.#settle({ ok: true, truncated: end.truncated, lastSeq: end.lastSeq ?? this.#lastSeq })
    })
  }

  fail(failure: RequestFailure): void {
    this.#settle(failure)
  }

  async #take(frame: RowsFrame): Promise<void> {
    if (this.#over) return
    this.#lastSeq = frame.rows.at(-1)?.seq ?? this.#lastSeq
    try {
      await this.#port.rows(frame.rows)
    } catch (error) {
      this.#settle({ ok: false, code: 'CANCELLED', message: String(error), next: [] })
    }
    if (this.#over) return
    const pauseMs = this.#port.pauseMs()
    if (pauseMs > 0) await this.#rest(pauseMs)
    if (this.#over) return
    this.#untaken -= 1
    this.#port.grant()
    if (this.#untaken === 0) this.#watch()
  }

  #rest(pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pause = setTimeout(resolve, pauseMs)
    })
  }

  #watch(): void {
    this.#unwatch()
    this.#timer = setTimeout(() => {
      this.#settle({
        ok: false,
        code: 'NODE_UNREACHABLE',
        message: `no answer within ${this.#silenceMs} ms`,
        next: ['wait until the node answers, or look at its link'],
      })
    }, this.#silenceMs)
  }

  #unwatch(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #settle(outcome: RangeOutcome): void {
    if (this.#over) return
    this.#over = true
    this.#unwatch()
    if (this.#pause !== null) clearTimeout(this.#pause)
    this.#port.settle(outcome)
  }
}
