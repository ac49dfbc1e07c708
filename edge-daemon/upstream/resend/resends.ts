import { EdgeError } from '../../../protocol/errors.ts'
import type { Store } from '../../store/contract.ts'
import type { ResendBook } from './book.ts'
import { isDone, type Resend, type ResendClass, type ResendReport, sumOf } from './request.ts'
import type { Resender } from './resender.ts'

/** Where requests may go: an uplink as {@link Resends} sees it. */
export interface ResendTarget {
  readonly name: string
  readonly isUp: boolean
  readonly resender: Pick<Resender, 'wake' | 'current'>
}

/** A request as a console asks for it; times are Unix ms, both ends included. */
export interface ResendOrder {
  readonly requestId: string
  readonly fromMs: number
  readonly toMs: number
  readonly classes: readonly ResendClass[]
  /** Null for the first target that is reached, or the first. */
  readonly target: string | null
}

/** Requests that may wait at the same time. */
const MAX_OPEN = 16

/** The resend requests of a node: asked for once or twice, each is sent once. */
export class Resends {
  readonly #book: ResendBook
  readonly #store: Pick<Store, 'status'>
  readonly #targets: readonly ResendTarget[]

  constructor(book: ResendBook, store: Pick<Store, 'status'>, targets: readonly ResendTarget[]) {
    this.#book = book
    this.#store = store
    this.#targets = targets
  }

  /**
   * Enter a request; one that is known already is answered with its progress.
   * @throws EdgeError `COMMAND_REFUSED` where there is no such target, too many wait, or the id is of another request.
   */
  async order(order: ResendOrder): Promise<ResendReport> {
    const known = this.#book.get(order.requestId)
    if (known !== null && !isSame(known, order)) {
      throw refused('this request id is of another range', 'choose another request id')
    }
    if (known === null) await this.#enter(order)
    return this.report(order.requestId)
  }

  /** How far a request is. @throws EdgeError `COMMAND_REFUSED` for an id that is not known (any more). */
  report(requestId: string): ResendReport {
    const request = this.#book.get(requestId)
    if (request === null) throw refused(`this node knows no request "${requestId}"`, 'ask for it with the verb resend')
    const current = this.#targets.find(({ name }) => name === request.target)?.resender.current ?? null
    const isCurrent = current?.requestId === requestId
    const state = isDone(request) ? 'done' : isCurrent ? 'running' : 'waiting'
    const error = state === 'running' ? (current?.error ?? null) : null
    return { requestId, target: request.target, state, ...sumOf(request), error }
  }

  async #enter(order: ResendOrder): Promise<void> {
    const target =
      order.target === null
        ? (this.#targets.find(({ isUp }) => isUp) ?? this.#targets[0])
        : this.#targets.find(({ name }) => name === order.target)
    if (target === undefined) {
      const names = this.#targets.map(({ name }) => name).join(', ')
      throw refused(
        order.target === null ? 'this node sends to no target' : `this node has no target "${order.target}"`,
        names === '' ? 'configure one under upstream' : `its targets are: ${names}`,
      )
    }
    if (this.#book.all().filter((one) => !isDone(one)).length >= MAX_OPEN) {
      throw refused(`${MAX_OPEN} requests wait already`, 'wait until one is done')
    }
    const { requestId, fromMs, toMs, classes } = order
    const { lastSeq: throughSeq } = this.#store.status()
    this.#book.put({ requestId, target: target.name, fromMs, toMs, classes: [...classes], throughSeq, progress: {} })
    // An answer is a promise: the request is kept first.
    await this.#book.saved()
    target.resender.wake()
  }
}

function isSame(known: Resend, { fromMs, toMs, classes, target }: ResendOrder): boolean {
  const isTarget = target === null || target === known.target
  return isTarget && known.fromMs === fromMs && known.toMs === toMs && String(known.classes) === String(classes)
}

function refused(message: string, next: string): EdgeError {
  return new EdgeError('COMMAND_REFUSED', { message, next: [next] })
}
