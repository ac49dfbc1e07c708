import type { RowsFrame } from '../../protocol/frames.ts'

/** Topics whose rows are followed. */
export type FollowedTopic = 'alerts' | 'logs' | 'results'

interface Followed {
  /** What of the topic was asked for, as text. */
  readonly wish: string
  /** Last sequence that came; null when none did. */
  lastSeq: number | null
}

/**
 * How far the rows of one node came, whichever session brought them: the next one goes on behind them, so that nothing
 * is lost between two sessions but what is told in a `gap`. Another start of the daemon may be another disk, whose
 * sequences mean nothing here: that is in doubt until a status tells the epoch of its log. With another one it begins
 * anew, and books leave out what they know.
 */
export class RowCursor {
  #instance: string | null = null
  #epoch: string | null = null
  #inDoubt = false
  readonly #topics = new Map<FollowedTopic, Followed>()
  /** Last sequence of the node's store by the last two statuses: rows up to the older one have come, if there were any. */
  #level: { readonly older: number | null; readonly newest: number | null } = { older: null, newest: null }

  /** A session began with this start of the daemon. */
  welcomed(instance: string): void {
    if (this.#instance === instance) return
    this.#instance = instance
    if (this.#epoch === null) this.#beginAnew()
    else this.#inDoubt = true
  }

  /** Whether it is not known if sequences still mean what they did: the next status tells. */
  get inDoubt(): boolean {
    return this.#inDoubt
  }

  /** A topic is asked for. Returns the sequence to go on behind; null to begin with a backlog. */
  follow(topic: FollowedTopic, wish: string): number | null {
    const before = this.#topics.get(topic)
    if (before?.wish === wish) return before.lastSeq ?? this.#level.older
    this.#topics.set(topic, { wish, lastSeq: null })
    return null
  }

  /** Nobody follows a topic any more: what comes meanwhile is not missed. */
  forget(topic: FollowedTopic): void {
    this.#topics.delete(topic)
  }

  /** Rows of a followed topic came. */
  took(frame: RowsFrame): void {
    const followed = this.#topics.get(frame.topic as FollowedTopic)
    if (followed === undefined) return
    for (const { seq } of frame.rows) if (seq > (followed.lastSeq ?? 0)) followed.lastSeq = seq
  }

  /** The node's store, of this epoch, has come so far. */
  reached(lastSeq: number, epoch: string): void {
    if (this.#inDoubt && epoch !== this.#epoch) this.#beginAnew()
    this.#inDoubt = false
    this.#epoch = epoch
    this.#level = { older: this.#level.newest, newest: lastSeq }
  }

  #beginAnew(): void {
    this.#topics.clear()
    this.#level = { older: null, newest: null }
  }
}
