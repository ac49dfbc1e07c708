import { messageOf } from '../../protocol/errors.ts'
import { RECORD_CLASSES, type UpstreamClass } from '../../protocol/subjects.ts'
import type { ChainBlock, Store } from '../store/contract.ts'
import type { DiskEpoch } from './disk-epoch.ts'
import { archiveKey, type LaneChain } from './lane-chain.ts'
import { recognise } from './recognise.ts'
import { type Resumption, reconcile } from './reconcile.ts'
import type { Holding, Wire } from './wire.ts'

/** What {@link Resume} needs of its lane. */
export interface ResumeOptions {
  readonly target: string
  readonly recordClass: UpstreamClass
  readonly subject: string
  readonly store: Pick<Store, 'read' | 'forks' | 'append' | 'epoch' | 'chains'>
  readonly chain: LaneChain
  readonly wire: Pick<Wire, 'holding'>
  readonly disk: DiskEpoch
  /** Wall clock, Unix ms. */
  readonly nowMs: () => number
  /** The receiver has lost blocks; for the log. */
  readonly onRewound: (msg: string) => void
}

/** Outcome of asking: `settled` to send on, `moved` to look again at what is next, or why it could not be told. */
export type Resumed =
  | { readonly outcome: 'settled' | 'moved' }
  | { readonly outcome: 'failed'; readonly msg: string; readonly retryAfterMs?: number }

type Told = Exclude<Holding, { outcome: 'unknown' }>

/** Asks a receiver what it holds of a lane's subject, epoch by epoch, and puts the lane where it goes on. */
export class Resume {
  readonly #options: ResumeOptions
  /** Epochs that were asked about since the link came up or the receiver disagreed. */
  readonly #settled = new Set<string>()
  #after = 0
  #doubtfulThrough = 0
  /** Rises whenever everything has to be asked again: an answer from before is of no use then. */
  #round = 0

  constructor(options: ResumeOptions) {
    this.#options = options
  }

  /** Position that the next block names as the last on its subject. */
  get after(): number {
    return this.#after
  }

  /** The receiver took a block. */
  took(position: number): void {
    this.#after = position
  }

  /** Whether a block that begins with a sequence may be held already. */
  isDoubtful(firstSeq: number): boolean {
    return firstSeq <= this.#doubtfulThrough
  }

  /** Whether blocks of an epoch may be sent without asking again. */
  isSettled(epoch: string): boolean {
    return this.#settled.has(epoch)
  }

  /** Ask again before the next block. */
  unsettle(): void {
    this.#round += 1
    this.#settled.clear()
  }

  /** Ask about an epoch, and before that about those of the last blocks. Never rejects. */
  async settle(epoch: string): Promise<Resumed> {
    const { sent, held } = this.#options.chain.state
    const epochs = [sent?.epoch ?? epoch, held?.epoch ?? epoch, epoch]
    for (;;) {
      // From the start each time: while one is asked about, all may have to be asked again.
      const asked = epochs.find((its) => !this.#settled.has(its))
      if (asked === undefined) return { outcome: 'settled' }
      const resumed = await this.#ask(asked, epoch)
      if (resumed.outcome !== 'settled') return resumed
      this.#settled.add(asked)
    }
  }

  async #ask(asked: string, next: string): Promise<Resumed> {
    const { subject, recordClass, chain, wire } = this.#options
    const { held } = chain.state
    const holding = await wire.holding({ subject, recordClass, epoch: asked, position: held?.position ?? 0 })
    if (holding.outcome === 'unknown') {
      const { msg, retryAfterMs } = holding
      return { outcome: 'failed', msg, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
    }
    const round = this.#round
    try {
      const decision = await this.#decide(holding, asked, next)
      if (round !== this.#round) return { outcome: 'moved' }
      // Another lane forked the disk since this one looked what is next: nothing more goes in the epoch that was asked about.
      if (decision.step === 'fork' && this.#hasForkedFrom(asked)) return { outcome: 'moved' }
      const resumed = await this.#follow(decision, holding)
      return round === this.#round ? resumed : { outcome: 'moved' }
    } catch (error) {
      return { outcome: 'failed', msg: `the store cannot be read: ${messageOf(error)}` }
    }
  }

  #hasForkedFrom(epoch: string): boolean {
    const { store } = this.#options
    return epoch !== store.epoch && store.forks.at(-1)?.alias === store.epoch
  }

  async #decide(holding: Told, epoch: string, next: string): Promise<Resumption> {
    const { store, recordClass, chain } = this.#options
    const block = holding.outcome === 'holds' ? holding.block : null
    const seen = block === null ? null : await recognise(block, { store, recordClass, chain: chain.state })
    const [newest] = seen === 'unlike' ? await store.read({ classes: RECORD_CLASSES, limit: 1, newestFirst: true }) : []
    return reconcile({
      chain: chain.state,
      holding,
      archive: archiveKey(holding.archive),
      epoch,
      isOpen: epoch === next || epoch === store.epoch,
      seen,
      headSeq: newest?.seq ?? 0,
    })
  }

  async #follow(decision: Resumption, holding: Told): Promise<Resumed> {
    const { chain, target, disk } = this.#options
    const archive = archiveKey(holding.archive)
    this.#after = holding.outcome === 'untold' ? 0 : holding.after
    switch (decision.step) {
      case 'go_on':
        // What is in doubt since a rewind stays so.
        this.#doubtfulThrough = Math.max(this.#doubtfulThrough, decision.doubtfulThrough)
        if (holding.outcome !== 'untold') await this.#lookForOthers(holding.foreignEpoch ?? null)
        chain.confirmed(archive, isHeld(holding, chain.state.held) ? holding.block.position : null)
        return { outcome: 'settled' }
      case 'advance':
        chain.advanced(decision.to, archive)
        return { outcome: 'settled' }
      case 'rewind':
        return this.#rewind(decision, archive)
      case 'fork': {
        const at = holding.outcome === 'holds' ? holding.block : null
        const msg = `${target} holds blocks of this epoch up to sequence ${at?.lastSeq ?? 0} that are not from this disk; it was copied, or restored from an older state`
        if (await disk.fork(decision.reason, msg)) return { outcome: 'moved' }
        return { outcome: 'failed', msg: `no new epoch can be begun: the disk refuses; ${msg}` }
      }
    }
  }

  async #rewind(decision: Extract<Resumption, { step: 'rewind' }>, archive: string): Promise<Resumed> {
    const { chain, store, target, recordClass, nowMs, onRewound } = this.#options
    const was = chain.cursor
    const from = decision.afterSeq + 1
    const msg =
      decision.reason === 'tail_lost'
        ? `${target} lost ${recordClass} records from sequence ${from} on that it had acknowledged; what is kept of them is sent again`
        : `${target} is another archive than before; what is kept of ${recordClass} is sent to it from the beginning`
    const noted = await store.append([
      {
        class: 'ledger',
        timestamp: nowMs(),
        body: {
          event: 'rewound',
          reason: decision.reason,
          first_seq: Math.min(from, was),
          last_seq: was,
          records: {},
          bytes: 0,
          msg,
        },
      },
    ])
    if (!noted.stored) return { outcome: 'failed', msg: noted.msg }
    chain.rewound(decision.to, decision.afterSeq, archive)
    this.#doubtfulThrough = decision.doubtfulThrough
    this.#settled.clear()
    onRewound(msg)
    return { outcome: 'moved' }
  }

  async #lookForOthers(foreignEpoch: string | null): Promise<void> {
    const { chain, store, target, disk, nowMs } = this.#options
    const { held, sent } = chain.state
    const own = [held?.epoch, sent?.epoch, store.epoch, ...store.forks.map(({ alias }) => alias)]
    if (foreignEpoch === null || own.includes(foreignEpoch)) return
    const chains = Object.values(store.chains(target))
    if (chains.every((its) => its.held === null && its.cursor === 0)) {
      const msg = `${target} holds blocks of this node in the epoch ${foreignEpoch.slice(0, 8)}, which this disk does not know: its state was wiped, or another node has the same name`
      await disk.foundOthers(msg, nowMs())
    } else {
      disk.metAnother(`another disk sends to ${target} as this node, in the epoch ${foreignEpoch.slice(0, 8)}`)
    }
  }
}

function isHeld(holding: Told, held: ChainBlock | null): holding is Extract<Told, { outcome: 'holds' }> {
  return holding.outcome === 'holds' && holding.block.digest === held?.digest && holding.block.epoch === held.epoch
}
