/**
 * What the oracle judges by. All of it is gathered by readers of the harness's own, never by the product's code: an error
 * in how the product reads must not hide an error in how it writes.
 */

/** One answer of a node that said `stored: true`, beside what was asked. */
export interface Ack {
  /** State directory that answered; two of them may bear one node's name when a directory was copied. */
  readonly home: string
  readonly node: string
  readonly epoch: string
  readonly seq: number
  readonly code: number
  readonly pred: number | null
  /** Unix ms on the node's clock. */
  readonly timestamp: number
  /** Size of the body that was sent; the traffic gives neighbours different sizes, so that answers cannot be swapped. */
  readonly bytes: number
}

/** One record as it lies in the cloud. */
export interface CloudRecord {
  readonly seq: number
  readonly line: string
  readonly body: Readonly<Record<string, unknown>>
}

/** One block as it lies in the cloud. */
export interface CloudBlock {
  /** Place in the archive: a stream sequence, or a count of posts. */
  readonly position: number
  readonly subject: string
  readonly node: string
  /** Last tokens of the subject: `results`, `stats`, `alerts`, `metrics`, `ledger`, `logs.error`. */
  readonly kind: string
  readonly epoch: string
  /** Epoch the records were written in, when the block travels under another because the disk was forked. */
  readonly originEpoch: string | null
  readonly firstSeq: number
  readonly lastSeq: number
  readonly digest: string
  /** Null when the block names none. */
  readonly prevDigest: string | null
  readonly maybeDuplicate: boolean
  readonly records: readonly CloudRecord[]
}

/** All that one region holds. */
export interface CloudCopy {
  readonly region: string
  /** Blocks on live subjects, in the archive's order. */
  readonly blocks: readonly CloudBlock[]
  /** Blocks on `resend` subjects, which make no duplicates. */
  readonly resent: readonly CloudBlock[]
  readonly marks: number
  /** Messages on our subjects that are no block of ours. */
  readonly foreign: number
  /** What is wrong with a block by itself: digest, headers, lines. */
  readonly faults: readonly string[]
}

/** What one node gave back when its kept results and its ledger were read by range. */
export interface NodeCopy {
  readonly home: string
  readonly node: string
  readonly results: readonly Readonly<Record<string, unknown>>[]
  readonly ledger: readonly Readonly<Record<string, unknown>>[]
}

/** What a scenario allows that is forbidden otherwise. */
export interface Licence {
  /** Ledger events that excuse a record that is nowhere; none when absent. */
  readonly excuses?: readonly string[]
  /** Every region must hold everything, instead of all regions together. */
  readonly eachRegion?: boolean
  /** State directories were copied: two results may bear one sequence of one epoch. */
  readonly clones?: boolean
}

/** Everything that is known when the faults have stopped and things have settled. */
export interface Evidence {
  readonly acks: readonly Ack[]
  /** Requests by node that got no answer: each may have left one record that nobody was told of. */
  readonly unanswered: ReadonlyMap<string, number>
  readonly clouds: readonly CloudCopy[]
  readonly nodes: readonly NodeCopy[]
  readonly licence: Licence
}

/** One broken promise. */
export interface Violation {
  readonly rule: ViolationRule
  readonly node: string
  readonly msg: string
}

export type ViolationRule =
  /** A line of a log that is missing, there twice, or out of order. */
  | 'log line'
  /** A block or record that is damaged or does not say what it holds. */
  | 'damaged'
  /** An acknowledged result that is neither where it must be nor excused by the ledger. */
  | 'missing'
  /** The same record lies twice on live subjects of one region. */
  | 'twice'
  /** A record is not what was acknowledged, or differs between regions. */
  | 'altered'
  /** A subject does not rise within an epoch. */
  | 'order'
  /** A block does not name the digest of the one before. */
  | 'chain'
  /** A statistic overlaps another, leaves a hole or counts wrongly. */
  | 'statistic'
  /** One sequence was acknowledged for two results. */
  | 'reused'
  /** The cloud holds results that nobody asked for. */
  | 'invented'
  /** A daemon ended by itself when it was started. */
  | 'refused start'
  /** Two daemons had one state directory at a time. */
  | 'two owners'

/** What the oracle found. */
export interface Verdict {
  readonly violations: readonly Violation[]
  readonly figures: Figures
}

/** What the run amounted to. */
export interface Figures {
  readonly acks: number
  readonly abnormal: number
  readonly normal: number
  readonly unanswered: number
  readonly blocks: number
  readonly cloudRecords: number
  readonly statistics: number
  readonly missing: number
  readonly twice: number
  /** Records that came twice in a block flagged as doubtful, which readers merge away. */
  readonly mergedAway: number
  /** Acknowledged results that a ledger record accounts for. */
  readonly excused: number
  /** Ledger records by event, over cloud and nodes. */
  readonly ledger: Readonly<Record<string, number>>
}
