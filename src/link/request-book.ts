import type { DaemonFrame, RowsFrame } from '../../protocol/frames.ts'
import type { CommandOutcome, ReadableRows, ReadOutcome, RequestFailure } from './link.ts'

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

/** The requests of one session that wait for their answer; every one is settled exactly once. */
export class RequestBook {
  readonly #pending = new Map<string, Pending>()
  #nextId = 1

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

  /** Take a frame. Returns whether it belonged to a request. */
  take(frame: DaemonFrame): boolean {
    if (!('id' in frame) || frame.id === null) return false
    const pending = this.#pending.get(frame.id)
    if (pending === undefined) return false
    switch (frame.t) {
      case 'rows':
        if (pending.kind !== 'read' || frame.topic !== pending.topic) return false
        pending.rows.push(...frame.rows.slice(0, Math.max(0, pending.limit - pending.rows.length)))
        return true
      case 'gap':
        if (pending.kind !== 'read') return false
        pending.missed += frame.missed
        return true
      case 'end':
        if (pending.kind !== 'read') return false
        this.#forget(frame.id, pending)
        pending.settle({ ok: true, rows: pending.rows, truncated: frame.truncated, missed: pending.missed })
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

  #expire(id: string, timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#fail(id, unreachable(`no answer within ${timeoutMs} ms`)), timeoutMs)
  }

  #fail(id: string, failure: RequestFailure): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    this.#forget(id, pending)
    pending.settle(failure)
  }

  #forget(id: string, pending: Pending): void {
    clearTimeout(pending.timer)
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
