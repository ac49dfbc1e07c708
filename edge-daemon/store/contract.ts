import type { ErrorCode } from '../../protocol/errors.ts'
import type { StoreStatus } from '../../protocol/status.ts'
import type { RecordClass, UpstreamClass } from '../../protocol/subjects.ts'
import type { Places, PlacesRequest } from './places-contract.ts'
import type { ClassLimits } from './retention-plan.ts'
import type { StoreKeys } from './seal.ts'

/** A body that is written as JSON already: one object, without newlines between its parts. */
export class WrittenBody {
  readonly json: string

  constructor(json: string) {
    this.json = json
  }
}

/** One record on its way into the store; `body` is everything but `seq`, `node_id` and `timestamp` (Unix ms). */
export interface NewRecord {
  readonly class: RecordClass
  readonly timestamp: number
  readonly body: object | WrittenBody
  /** Whoever writes it tries again until it is kept, so that a refusal is no loss. Some classes are tried again always. */
  readonly isTriedAgain?: boolean | undefined
}

/** Outcome of an append: every record of the call is on disk, synced, with its sequence; or none is, and why. */
export type Appended =
  | { readonly stored: true; readonly epoch: string; readonly seqs: readonly number[] }
  | { readonly stored: false; readonly code: ErrorCode; readonly msg: string }

/** A record as kept. `line` is the whole JSON record (`{"seq":…,"node_id":…,"timestamp":…,…body}`) without a newline. */
export interface StoredRecord {
  readonly class: RecordClass
  readonly seq: number
  /** The epoch it was written in; after a lost tail the store goes on in a new one, and older records keep theirs. */
  readonly epoch: string
  /** Unix ms. */
  readonly timestamp: number
  readonly line: string
}

/** What to read: bounds on sequence and time (Unix ms), all optional ones open; both time bounds are inclusive. */
export interface ReadRequest {
  readonly classes: readonly RecordClass[]
  /** Only records with a higher sequence. */
  readonly afterSeq?: number | undefined
  /** Only records up to and including this sequence. */
  readonly throughSeq?: number | undefined
  readonly fromMs?: number | undefined
  readonly toMs?: number | undefined
  /** Most records to return. */
  readonly limit: number
  /** Most bytes of lines (with their newlines) to return; the first record is returned whatever its size. */
  readonly maxBytes?: number | undefined
  /** Falling instead of rising sequence. */
  readonly newestFirst?: boolean | undefined
  /** Refuse to read past what is sealed under a key that is missing now, as whoever moves a cursor over it must. */
  readonly wholeOnly?: boolean | undefined
}

/** What to read as a run: the records of one class behind `afterSeq`, within the bounds. */
export interface RunRequest {
  readonly class: RecordClass
  readonly afterSeq: number
  /** Only records up to and including this sequence. */
  readonly throughSeq?: number | undefined
  readonly limit: number
  /** Most bytes of lines with their newlines; the first record is taken whatever its size. */
  readonly maxBytes: number
}

/** Records of one class and one epoch that follow each other, as bytes: what goes into a block. */
export interface StoredRun {
  readonly class: RecordClass
  readonly epoch: string
  readonly firstSeq: number
  readonly lastSeq: number
  /** Whole JSON records, each with a newline behind it. */
  readonly ndjson: Uint8Array<ArrayBuffer>
  /** Unix ms of each record, in order. */
  readonly timestamps: Float64Array<ArrayBuffer>
}

/** Last acknowledged sequence by class; a class without an entry was never acknowledged. */
export type Cursors = Readonly<Partial<Record<UpstreamClass, number>>>

/** A block on its way to a target or held there. */
export interface ChainBlock {
  readonly epoch: string
  readonly firstSeq: number
  readonly lastSeq: number
  /** SHA-256 of its lines, hex. */
  readonly digest: string
  /** The target's own number of it; 0 for none. */
  readonly position: number
}

/** How far one class has got at one target. */
export interface Chain {
  /** Which incarnation of the target the rest is about, 32 hex digits; null when none was asked yet. */
  readonly archive: string | null
  /** Records with a higher sequence wait. */
  readonly cursor: number
  /** Up to here the target has surely synced what it acknowledged, so that no crash of its own can undo it. */
  readonly syncedSeq: number
  /** The last block it acknowledged; null for none. The cursor is higher where another target has the records between. */
  readonly held: ChainBlock | null
  /** The block that was sent and not answered when this was written; null for none. */
  readonly sent: ChainBlock | null
}

/** Chains by class; a class without an entry never sent anything. */
export type Chains = Readonly<Partial<Record<UpstreamClass, Chain>>>

/**
 * From here on this disk is not the only one that goes on in its epoch: records up to `throughSeq` that no target holds
 * yet travel in the epoch `alias`.
 */
export interface Fork {
  readonly alias: string
  readonly throughSeq: number
}

/** Why a new epoch begins while the store is open. */
export type ForkReason = 'cloned' | 'restored'

/** What waits for an uplink target: records of the upstream classes above its cursors that still exist. */
export interface Backlog {
  readonly records: number
  /** Bytes of their lines with newlines, before compression. */
  readonly bytes: number
  /** Timestamp (Unix ms) of the record that waits longest, the earliest of its classes; null when none waits. */
  readonly oldestAt: number | null
  /** Records by class. */
  readonly byClass: Readonly<Record<UpstreamClass, number>>
}

/** Something an operator should see in the log; the store itself writes no log. */
export type StoreNotice = (notice: {
  readonly event: 'store.worker_died' | 'store.worker_restarted' | 'store.listener_threw' | 'store.cursor_unsaved'
  readonly msg: string
}) => void

/**
 * The local store of a node: one log of blocks on disk, one rising sequence over all classes. Sequences are never used
 * again, also not in a new epoch, so cursors stay valid across epochs.
 */
export interface Store {
  /** The epoch in force, 128 random bits in hex. */
  readonly epoch: string
  /**
   * Keep records, all of a call or none. Resolves when they are synced; never rejects. Sequences are contiguous in one
   * call. Listeners of {@link onCommit} have seen the records before the promise resolves.
   */
  append(records: readonly NewRecord[]): Promise<Appended>
  /**
   * Read by class, sequence and time, in order of sequence. Damaged frames are left out and counted, and so are those
   * sealed under a key that the ring does not hold, unless `wholeOnly` asks to be refused then.
   * @throws EdgeError `STORE_FAILING` when the store is closed, its worker died meanwhile, or the disk lets nothing be
   * read now: a record that the disk only cannot give now is never left out.
   */
  read(request: ReadRequest): Promise<StoredRecord[]>
  /**
   * Read the next records of a class as bytes, several times cheaper than {@link read}; null when there are none. It ends
   * where the epoch changes and before what is sealed under a key that is missing now.
   * @throws as {@link read}, and when the very next record is sealed under a missing key
   */
  readRun(request: RunRequest): Promise<StoredRun | null>
  /**
   * Where the records of a range lie on the disk as of now, for a thread that reads them itself.
   * @throws EdgeError `STORE_FAILING` when the store is closed or its worker died meanwhile
   */
  places(request: PlacesRequest): Promise<Places>
  /**
   * Hear of every record once it is durable, in order of sequence; returns the unsubscription. What a start finds and
   * writes to the ledger is there to read and is not heard of.
   */
  onCommit(listener: (records: readonly StoredRecord[]) => void): () => void
  /** @see Cursors */
  cursors(target: string): Cursors
  /** Move a cursor; it survives the death of the process. Never rejects: a cursor that could not be saved is only sent again from. */
  saveCursor(target: string, recordClass: UpstreamClass, seq: number): Promise<void>
  /** @see Chain */
  chains(target: string): Chains
  /** Keep how far a class has got; as {@link saveCursor}. {@link chains} says the same at once. */
  saveChain(target: string, recordClass: UpstreamClass, chain: Chain): Promise<void>
  /** Oldest first. */
  readonly forks: readonly Fork[]
  /**
   * Begin a new epoch, because another disk goes on in the one in force; the ledger says why.
   * @returns the new epoch, once it is synced
   * @throws EdgeError `STORE_FAILING` when the disk refuses
   */
  beginEpoch(reason: ForkReason, msg: string): Promise<string>
  /** @see Backlog — exact as of the last commit and acknowledgement. */
  backlog(target: string): Backlog
  status(): StoreStatus
  /**
   * Go on with other keys: new frames are sealed under the last of them, what is kept stays as it is.
   * @throws EdgeError `STORE_KEY_WRONG` | `STORE_KEY_MISSING`, and the store goes on with the keys it has.
   */
  changeKeys(keys: StoreKeys): Promise<void>
  /** Commit what was appended, release the lock. Later appends answer that the store is closed. */
  close(): Promise<void>
}

export type { ClassLimits }

/** How a store is opened. */
export interface StoreOptions {
  /** Folder of the store alone; made when it does not exist. */
  readonly dir: string
  /** Value of `node_id` in every record. */
  readonly nodeName: string
  /** Over this many bytes of segments records go, by the order of `retention-plan.ts`. */
  readonly maxBytes: number
  /** Size at which a new segment begins; a quarter of `maxBytes` at most. */
  readonly segmentBytes: number
  /** Keys that seal it; null or nothing for a plain store. */
  readonly keys?: StoreKeys | null | undefined
  /** `async` answers before the disk has synced, which then happens once in `syncEveryMs` at most; `sync` when not given. */
  readonly durability?: 'sync' | 'async' | undefined
  readonly syncEveryMs?: number | undefined
  /** What the log keeps on a disk that others fill, in bytes; nothing when it is left out. */
  readonly floorBytes?: number | undefined
  /** Limits by class; none when they are left out. */
  readonly limits?: ClassLimits | undefined
  /**
   * Targets that records wait for, also one that was never reached: of each list one must have them synced. When left out,
   * every target that the store knows of.
   */
  readonly awaited?: readonly (readonly string[])[] | undefined
  readonly notice?: StoreNotice | undefined
}
