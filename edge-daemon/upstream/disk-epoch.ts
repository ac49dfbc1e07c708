import type { Condition } from '../../protocol/status.ts'
import type { Fork, ForkReason, Store } from '../store/contract.ts'
import type { UpstreamLog } from './log.ts'

/** How long a console is told of a new epoch or of another sender after it was last seen. */
const TOLD_FOR_MS = 3_600_000

/** What is wrong with who this disk is; the time since when is the asker's to keep. */
export type IdentityFinding = Omit<Condition, 'since'>

/** What the lanes of all targets share: who this disk is upstream, and whether another one says it is the same. */
export class DiskEpoch {
  readonly #store: Pick<Store, 'beginEpoch' | 'forks' | 'append'>
  readonly #log: UpstreamLog
  readonly #nowMs: () => number
  #forking: Promise<boolean> | null = null
  #toldForeign: string | null = null
  #forked: { readonly msg: string; readonly atMs: number } | null = null
  #foreign: { readonly msg: string; atMs: number } | null = null

  /** @param nowMs a monotonic clock in milliseconds */
  constructor(
    store: Pick<Store, 'beginEpoch' | 'forks' | 'append'>,
    log: UpstreamLog,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#store = store
    this.#log = log
    this.#nowMs = nowMs
  }

  get forks(): readonly Fork[] {
    return this.#store.forks
  }

  /**
   * Begin a new epoch; lanes that ask at the same time get the same one. False when the disk refuses, then ask again.
   * @param msg what was found, and where
   */
  fork(reason: ForkReason, msg: string): Promise<boolean> {
    this.#forking ??= this.#begin(reason, msg).finally(() => {
      this.#forking = null
    })
    return this.#forking
  }

  /** This disk never sent anything to a target that holds blocks of the same node in another epoch. */
  async foundOthers(msg: string, nowUnixMs: number): Promise<void> {
    if (this.#toldForeign !== null) return
    this.#toldForeign = msg
    this.#foreign = { msg, atMs: this.#nowMs() }
    this.#log.warn('uplink.epoch', msg)
    await this.#store.append([
      {
        class: 'ledger',
        timestamp: nowUnixMs,
        body: { event: 'new_epoch', reason: 'wiped', first_seq: null, last_seq: null, records: {}, bytes: 0, msg },
      },
    ])
  }

  /** Another disk sends as this node, now. */
  metAnother(msg: string): void {
    if (this.#foreign === null) this.#log.warn('uplink.same_name', msg)
    this.#foreign = { msg: this.#foreign?.msg ?? msg, atMs: this.#nowMs() }
  }

  /** For the conditions of the node. */
  findings(): IdentityFinding[] {
    const now = this.#nowMs()
    const found: IdentityFinding[] = []
    if (this.#forked !== null && now - this.#forked.atMs < TOLD_FOR_MS) {
      found.push({ code: 'new_epoch', severity: 'warning', msg: this.#forked.msg })
    }
    if (this.#foreign !== null && now - this.#foreign.atMs < TOLD_FOR_MS) {
      found.push({ code: 'same_name', severity: 'warning', msg: this.#foreign.msg })
    }
    return found
  }

  async #begin(reason: ForkReason, msg: string): Promise<boolean> {
    try {
      const epoch = await this.#store.beginEpoch(reason, msg)
      const text = `this node goes on in a new epoch ${epoch.slice(0, 8)}: ${msg}`
      this.#forked = { msg: text, atMs: this.#nowMs() }
      this.#log.warn('uplink.forked', text, { reason, epoch })
      return true
    } catch {
      return false
    }
  }
}
