import type { QueuedRequest } from './request-queue.ts'
import type { Session } from './session.ts'

/** A session and the requests that its child has and has not answered. */
export class Lane {
  readonly session: Session
  /** When the child last answered, or was given work after idling; `performance.now()`. */
  progressAtMs = 0
  readonly #inFlight = new Map<number, QueuedRequest>()
  readonly #idleWaiters: (() => void)[] = []
  #bytes = 0

  constructor(session: Session) {
    this.session = session
  }

  /** Requests that the child has. */
  get size(): number {
    return this.#inFlight.size
  }

  /** Bytes of pictures that the child has. */
  get bytes(): number {
    return this.#bytes
  }

  /** Hand a request to the child under an id that no other in flight has. */
  send(id: number, request: QueuedRequest, nowMs: number): void {
    if (this.#inFlight.size === 0) this.progressAtMs = nowMs
    this.#inFlight.set(id, request)
    this.#bytes += request.picture.length
    this.session.send(id, request.picture)
  }

  /** The request that an answer is for, no longer in flight; undefined when there is none. */
  take(id: number): QueuedRequest | undefined {
    const request = this.#inFlight.get(id)
    if (request === undefined) return undefined
    this.#inFlight.delete(id)
    this.#bytes -= request.picture.length
    return request
  }

  /** Everything in flight, for a child that is gone. */
  takeAll(): QueuedRequest[] {
    const all = [...this.#inFlight.values()]
    this.#inFlight.clear()
    this.#bytes = 0
    return all
  }

  /** What is in flight past its deadline; it stays in flight, since the child still works on it. */
  overdue(nowMs: number): QueuedRequest[] {
    const overdue: QueuedRequest[] = []
    for (const request of this.#inFlight.values()) {
      if (request.deadlineMs > nowMs) break
      overdue.push(request)
    }
    return overdue
  }

  /** Resolves when nothing is in flight; see {@link Lane.tellIdle}. */
  whenIdle(): Promise<void> {
    if (this.#inFlight.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push(resolve))
  }

  /** Wake who waits in `whenIdle`, when nothing is in flight. */
  tellIdle(): void {
    if (this.#inFlight.size > 0) return
    for (const wake of this.#idleWaiters.splice(0)) wake()
  }
}
