import type { DaemonFrame, FrameOf, RowsFrame } from '../../protocol/frames.ts'
import type {
  CommandOutcome,
  PictureOutcome,
  RangeOutcome,
  ReadableRows,
  ReadOutcome,
  RequestFailure,
  TallyOutcome,
} from './link.ts'
import { PictureFetch } from './picture-fetch.ts'
import { type RangePort, RangeRead } from './range-read.ts'

type AnyRow = ReadableRows[keyof ReadableRows]
type Pending =
  | { readonly kind: 'command'; readonly timer: NodeJS.Timeout; readonly settle: (outcome: CommandOutcome) => void }
  | {
      readonly kind: 'read'
      readonly topic: RowsFrame['topic']
      readonly limit: number
      readonly timer: NodeJS.Timeout
      readonly settle: (outcome: ReadOutcome<AnyRow>) => void
      readonly rows: AnyRow[]
      missed: number
    }
  | {
      readonly kind: 'tally'
      readonly timer: NodeJS.Timeout
      readonly settle: (outcome: TallyOutcome) => void
      readonly unheed: () => void
    }
  | { readonly kind: 'range'; readonly range: RangeRead; readonly unheed: () => void }
  | {
      readonly kind: 'picture'
      readonly fetch: PictureFetch
      readonly settle: (outcome: PictureOutcome) => void
      timer: NodeJS.Timeout
      readonly unheed: () => void
    }

/** How a request that may take long is ended from outside. */
export interface Cancelling {
  readonly signal: AbortSignal
  /** Tell the node that nobody waits any more. */
  readonly tell: (id: string) => void
}

/** The requests of one session that wait for their answer; every one is settled exactly once. */
export class RequestBook {
  readonly #pending = new Map<string, Pending>()
  #nextId = 1

  /** Requests that wait. */
  get size(): number {
    return this.#pending.size
  }

  /** Open a command; `send` is called with its id. */
  command(timeoutMs: number, send: (id: string) => void): Promise<CommandOutcome> {
    return new Promise((resolve) => {
      const id = this.#id('c')
      this.#pending.set(id, { kind: 'command', timer: this.#expire(id, timeoutMs), settle: resolve })
      send(id)
    })
  }

  /** Open a read; `send` is called with its id. Rows over `limit` are not kept. */
  read(
    request: { readonly topic: RowsFrame['topic']; readonly limit: number },
    timeoutMs: number,
    send: (id: string) => void,
  ): Promise<ReadOutcome<AnyRow>> {
    return new Promise((resolve) => {
      const id = this.#id('r')
      const timer = this.#expire(id, timeoutMs)
      this.#pending.set(id, { kind: 'read', ...request, timer, settle: resolve, rows: [], missed: 0 })
      send(id)
    })
  }

  /** Open a range that is handed on as it comes; `send` is called with its id. `silenceMs` is how long the node may be silent. */
  range(
    wanted: { readonly topic: RowsFrame['topic']; readonly silenceMs: number } & Cancelling,
    port: Omit<RangePort, 'settle' | 'grant'> & { grant(id: string): void },
    send: (id: string) => void,
  ): Promise<RangeOutcome> {
    if (wanted.signal.aborted) return Promise.resolve(cancelled())
    return new Promise((resolve) => {
      const id = this.#id('r')
      const unheed = this.#heed(id, wanted)
      const range = new RangeRead(wanted.topic, wanted.silenceMs, {
        rows: (rows) => port.rows(rows),
        gap: (gap) => port.gap(gap),
        progress: (progress) => port.progress(progress),
        pauseMs: () => port.pauseMs(),
        grant: () => port.grant(id),
        settle: (outcome) => {
          const open = this.#pending.get(id)
          if (open !== undefined) {
            this.#forget(id, open)
            // A node that may still send is told that nobody takes it.
            if (!outcome.ok) wanted.tell(id)
          }
          resolve(outcome)
        },
      })
      this.#pending.set(id, { kind: 'range', range, unheed })
      send(id)
    })
  }

  /** Open a count; `send` is called with its id. The node may be silent for `silenceMs`. */
  tally(wanted: { readonly silenceMs: number } & Cancelling, send: (id: string) => void): Promise<TallyOutcome> {
    if (wanted.signal.aborted) return Promise.resolve(cancelled())
    return new Promise((resolve) => {
      const id = this.#id('h')
      const timer = this.#expire(id, wanted.silenceMs)
      this.#pending.set(id, { kind: 'tally', settle: resolve, timer, unheed: this.#heed(id, wanted) })
      send(id)
    })
  }

  /** Open the fetch of a picture; `send` is called with its id. The node may be silent for `silenceMs`. */
  picture(wanted: { readonly silenceMs: number } & Cancelling, send: (id: string) => void): Promise<PictureOutcome> {
    if (wanted.signal.aborted) return Promise.resolve(cancelled())
    return new Promise((resolve) => {
      const id = this.#id('p')
      this.#pending.set(id, {
        kind: 'picture',
        fetch: new PictureFetch(),
        settle: resolve,
        timer: this.#expire(id, wanted.silenceMs),
        unheed: this.#heed(id, wanted),
      })
      send(id)
    })
  }

  /** Take a frame. Returns whether it belonged to a request. */
  take(frame: DaemonFrame): boolean {
    if (!('id' in frame) || frame.id === null) return false
    const pending = this.#pending.get(frame.id)
    if (pending === undefined) return false
    switch (frame.t) {
      case 'rows':
        if (pending.kind === 'range' && frame.topic === pending.range.topic) {
          pending.range.rows(frame)
          return true
        }
        if (pending.kind !== 'read' || frame.topic !== pending.topic) return false
        // On a thin link a page comes in many pieces: only silence is too long.
        pending.timer.refresh()
        pending.rows.push(...frame.rows.slice(0, Math.max(0, pending.limit - pending.rows.length)))
        return true
      case 'gap':
        if (pending.kind === 'range') {
          pending.range.gap(frame)
          return true
        }
        if (pending.kind !== 'read') return false
        pending.missed += frame.missed
        return true
      case 'end':
        if (pending.kind === 'range') {
          pending.range.end({ truncated: frame.truncated, lastSeq: frame.lastSeq ?? null })
          return true
        }
        if (pending.kind !== 'read') return false
        this.#forget(frame.id, pending)
        pending.settle({ ok: true, rows: pending.rows, truncated: frame.truncated, missed: pending.missed })
        return true
      case 'progress':
        if (pending.kind === 'range') pending.range.progress(frame)
        else if (pending.kind === 'tally' || pending.kind === 'read') pending.timer.refresh()
        else return false
        return true
      case 'tallied':
        if (pending.kind !== 'tally') return false
        this.#forget(frame.id, pending)
        pending.settle({ ok: true, fromMs: frame.fromMs, steps: frame.steps })
        return true
      case 'picture':
        if (pending.kind !== 'picture') return false
        this.#takePicture(pending, frame)
        return true
      case 'done':
        if (pending.kind !== 'command') return false
        this.#forget(frame.id, pending)
        pending.settle({ ok: true, result: frame.result })
        return true
      case 'error':
        this.#fail(frame.id, { ok: false, code: frame.code, message: frame.msg, next: frame.next })
        return true
      default:
        return false
    }
  }

  /** The session is over: nothing will be answered any more. */
  abandon(reason: string): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, unreachable(reason))
  }

  #takePicture(pending: Extract<Pending, { kind: 'picture' }>, frame: FrameOf<DaemonFrame, 'picture'>): void {
    pending.timer.refresh()
    const taken = pending.fetch.take(frame)
    if (taken === null) return
    this.#forget(frame.id, pending)
    const broken = { ok: false, code: 'FRAME_INVALID', next: ['fetch it again'] } as const
    pending.settle(typeof taken === 'string' ? { ...broken, message: taken } : { ok: true, ...taken })
  }

  /** Fail a request when its signal comes; returns how to stop listening. */
  #heed(id: string, { signal, tell }: Cancelling): () => void {
    const onAbort = (): void => {
      tell(id)
      this.#fail(id, cancelled())
    }
    signal.addEventListener('abort', onAbort, { once: true })
    return () => signal.removeEventListener('abort', onAbort)
  }

  #expire(id: string, timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#fail(id, unreachable(`no answer within ${timeoutMs} ms`)), timeoutMs)
  }

  #fail(id: string, failure: RequestFailure): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#forget(id, pending)
    if (pending.kind === 'range') pending.range.fail(failure)
    else pending.settle(failure)
  }

  #forget(id: string, pending: Pending): void {
    if (pending.kind !== 'range') clearTimeout(pending.timer)
    if ('unheed' in pending) pending.unheed()
    this.#pending.delete(id)
  }

  #id(kind: string): string {
    this.#nextId += 1
    return `${kind}${this.#nextId}`
  }
}

/** The failure of a request that no node will answer. */
export function unreachable(reason: string): RequestFailure {
  return {
    ok: false,
    code: 'NODE_UNREACHABLE',
    message: reason,
    next: ['wait until the node answers, or look at its link'],
  }
}

function cancelled(): RequestFailure {
  return { ok: false, code: 'CANCELLED', message: 'nobody waits for it any more', next: [] }
}
