import type { PlainRecord } from './commit.ts'
import type { Appended } from './contract.ts'
import type { ToWorker } from './messages.ts'
import { packed } from './packed-records.ts'

const MAX_WAITING_CHARS = 64 * 1024 * 1024

/** An append call that has no answer yet. */
export interface AppendCall {
  readonly records: readonly PlainRecord[]
  /** Characters of its lines. */
  readonly chars: number
  readonly resolve: (outcome: Appended) => void
}

/** Append calls on their way: those of one tick go to the worker as one message, and are answered in that order. */
export class AppendQueue {
  /** Calls that were posted and not answered, oldest first. */
  #posted: AppendCall[] = []
  /** Calls of this tick. */
  #unsent: AppendCall[] = []
  #waitingChars = 0

  /** Whether calls wait to be taken. */
  get hasUnsent(): boolean {
    return this.#unsent.length > 0
  }

  /** Whether calls of so many more characters may wait. */
  hasRoomFor(chars: number): boolean {
    return this.#waitingChars + chars <= MAX_WAITING_CHARS
  }

  add(call: AppendCall): void {
    this.#unsent.push(call)
    this.#waitingChars += call.chars
  }

  /** The calls of this tick as a message, but for what was lost before them. */
  takeUnsent(): Omit<Extract<ToWorker, { t: 'append' }>, 'lost'> {
    const calls = this.#unsent
    this.#unsent = []
    for (const call of calls) this.#posted.push(call)
    const records = calls.flatMap((call) => call.records)
    return {
      t: 'append',
      calls: calls.map((call) => call.records.length),
      records: packed(
        records.map((record) => record.class),
        records.map((record) => record.timestamp),
        records.map((record) => record.bodyJson),
      ),
      triedAgain: calls.map(({ records: [first] }) => first?.isTriedAgain === true),
    }
  }

  /** The oldest `count` calls that were posted have their answer. */
  answered(count: number): AppendCall[] {
    const answered = this.#posted.slice(0, count)
    this.#posted = this.#posted.slice(count)
    for (const { chars } of answered) this.#waitingChars -= chars
    return answered
  }

  /** Nobody will answer any more: all calls, oldest first. */
  giveUp(): AppendCall[] {
    const calls = [...this.#posted, ...this.#unsent]
    this.#posted = []
    this.#unsent = []
    this.#waitingChars = 0
    return calls
  }
}
