import type { Outcome } from './outcome.ts'

/** A picture on its way to an outcome. */
export interface QueuedRequest {
  readonly picture: Uint8Array
  readonly arrivedAtMs: number
  readonly deadlineMs: number
  readonly resolve: (outcome: Outcome) => void
  /** Set when its outcome is known, so that whoever finds it later leaves it alone. */
  isSettled: boolean
}

/** First in, first out, with constant-time ends; bounded by its owner. */
export class RequestQueue {
  #items: QueuedRequest[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(request: QueuedRequest): void {
    this.#items.push(request)
  }

  shift(): QueuedRequest | undefined {
    const request = this.#items[this.#head]
    if (request === undefined) return undefined
    this.#head += 1
    if (this.#head > 1024 || this.#head === this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return request
  }

  /** Remove and return everything whose deadline is not after `nowMs`; deadlines rise from head to tail. */
  takeOverdue(nowMs: number): QueuedRequest[] {
    const overdue: QueuedRequest[] = []
    for (let first = this.#items[this.#head]; first !== undefined && first.deadlineMs <= nowMs; ) {
      overdue.push(first)
      this.shift()
      first = this.#items[this.#head]
    }
    return overdue
  }

  /** Remove and return everything. */
  drain(): QueuedRequest[] {
    const all = this.#items.slice(this.#head)
    this.#items = []
    this.#head = 0
    return all
  }
}

/** Give a request its outcome unless it has one. */
export function settleOnce(request: QueuedRequest, outcome: Outcome): void {
  if (request.isSettled) return
  request.isSettled = true
  request.resolve(outcome)
}
