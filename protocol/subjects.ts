/** What a record is, which decides its subject, its retention and its place in the queue upstream. */
export const RECORD_CLASSES = [
  'normal',
  'abnormal',
  'stat',
  'alert',
  'metric',
  'ledger',
  'log',
  'error',
  'sample',
  'minute',
  'input',
  'audit',
] as const

/** @see RECORD_CLASSES */
export type RecordClass = (typeof RECORD_CLASSES)[number]

/**
 * The classes that travel upstream, most urgent first; `normal` results, `log` lines, `sample` and `minute` metrics and
 * `input` pictures stay on the node.
 */
export const UPSTREAM_CLASSES = [
  'ledger',
  'alert',
  'audit',
  'error',
  'abnormal',
  'stat',
  'metric',
] as const satisfies RecordClass[]

/** @see UPSTREAM_CLASSES */
export type UpstreamClass = (typeof UPSTREAM_CLASSES)[number]

const SUBJECT_TAIL = {
  abnormal: 'results',
  stat: 'stats',
  alert: 'alerts',
  metric: 'metrics',
  ledger: 'ledger',
  audit: 'audit',
  error: 'logs.error',
} as const satisfies Record<UpstreamClass, string>

/**
 * Encode a site or node name as one NATS subject token: letters, digits, `-` and `_` stay, every other UTF-8 byte
 * becomes `=HH` (upper-case hex). Injective, so two names never share a token; a Kubernetes name's dots become `=2E`.
 */
export function encodeToken(name: string): string {
  if (name.length === 0) throw new RangeError('a subject token cannot be empty')
  let token = ''
  for (const byte of new TextEncoder().encode(name)) {
    const char = String.fromCharCode(byte)
    token += /[A-Za-z0-9_-]/.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return token
}

/** A name has at most 253 characters, of up to four bytes, of up to three characters. */
const MAX_TOKEN_CHARS = 3036

/** Inverse of {@link encodeToken}; null for text that it never produces. */
export function decodeToken(token: string): string | null {
  if (token.length > MAX_TOKEN_CHARS) return null
  if (!/^(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+$/.test(token)) return null
  const bytes = token.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  try {
    const name = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)))
    return encodeToken(name) === token ? name : null
  } catch {
    return null
  }
}

/** Subject of a node's blocks of one class, e.g. `edge.plant-a.node-1.results`. */
export function subjectOf(origin: { site: string; node: string }, recordClass: UpstreamClass): string {
  return `edge.${encodeToken(origin.site)}.${encodeToken(origin.node)}.${SUBJECT_TAIL[recordClass]}`
}

/**
 * Subject of the mark that says how far one class of a node is held in one epoch: a message without a body, with the
 * headers of the last block. It outlives the blocks, so that what has expired is not taken for what never came.
 */
export function markSubjectOf(
  origin: { site: string; node: string },
  { recordClass, epoch }: { recordClass: UpstreamClass; epoch: string },
): string {
  return `edge.${encodeToken(origin.site)}.${encodeToken(origin.node)}.mark.${recordClass}.${epoch}`
}

/**
 * Subject of blocks that are sent again on request, of any class that the node keeps; never a live subject, whose last
 * block a node resumes from.
 */
export function resendSubjectOf(origin: { site: string; node: string }, recordClass: RecordClass): string {
  return `edge.${encodeToken(origin.site)}.${encodeToken(origin.node)}.resend.${recordClass}`
}

/** What a subject says of the block on it. */
export interface BlockSubject {
  readonly site: string
  readonly node: string
  readonly recordClass: RecordClass
  /** Sent again on request, beside the live subject. */
  readonly resent: boolean
}

const CLASS_OF_TAIL: ReadonlyMap<string, RecordClass> = new Map(
  UPSTREAM_CLASSES.map((recordClass) => [SUBJECT_TAIL[recordClass], recordClass]),
)

/** Inverse of {@link subjectOf} and {@link resendSubjectOf}; null for a mark or what is no subject of a block. */
export function readBlockSubject(subject: string): BlockSubject | null {
  const [edge, siteToken = '', nodeToken = '', ...rest] = subject.split('.')
  const site = decodeToken(siteToken)
  const node = decodeToken(nodeToken)
  if (edge !== 'edge' || site === null || node === null) return null
  const [first, resentClass = '', ...more] = rest
  const resent = first === 'resend' && more.length === 0
  const recordClass = resent ? RECORD_CLASSES.find((known) => known === resentClass) : CLASS_OF_TAIL.get(rest.join('.'))
  return recordClass === undefined ? null : { site, node, recordClass, resent }
}

/**
 * Subjects that a stream captures for a site (`*` for all). Never `edge.>` as a whole: it would answer `.rpc` requests
 * with its own acknowledgements.
 */
export function streamSubjects(site = '*'): string[] {
  const token = site === '*' ? '*' : encodeToken(site)
  return ['results', 'stats', 'alerts', 'metrics', 'ledger', 'logs.*', 'resend.*', 'mark.*.*'].map(
    (tail) => `edge.${token}.*.${tail}`,
  )
}

/**
 * Subjects of what people did, for a site and a node (`*` for all): a stream of their own holds them, of which nobody who writes to it
 * can delete. Consoles publish under the name of their operator.
 */
export function auditSubjects(site = '*', node = '*'): string[] {
  const [siteToken, nodeToken] = [site, node].map((name) => (name === '*' ? '*' : encodeToken(name)))
  return [`edge.${siteToken}.${nodeToken}.audit`]
}

/** Subject of what an operator's consoles write down, e.g. `audit.operator.mia`; `*` for all of them. */
export function operatorAuditSubject(operator: string): string {
  return `audit.operator.${operator === '*' ? '*' : encodeToken(operator)}`
}

/** Header names of a block, the same on NATS messages and HTTPS requests. */
export const BLOCK_HEADERS = {
  contentType: 'Content-Type',
  contentEncoding: 'Content-Encoding',
  epoch: 'Edge-Epoch',
  firstSeq: 'Edge-First-Seq',
  lastSeq: 'Edge-Last-Seq',
  digest: 'Edge-Digest',
  prevDigest: 'Edge-Prev-Digest',
  /** Last sequence of the block before, in the same epoch and class; 0 when this is the first. */
  prevSeq: 'Edge-Prev-Seq',
  /** `1` on a block that the receiver may hold already: merge by (node, epoch, seq). */
  maybeDuplicate: 'Edge-Maybe-Duplicate',
  /**
   * The epoch that the records were written in, when it is not the one the block travels under: the disk was cloned or
   * restored meanwhile. A reader that holds the identical record under this epoch drops it.
   */
  originEpoch: 'Edge-Origin-Epoch',
  /** Id of the request that a block is sent again for; only on resend subjects. */
  resend: 'Edge-Resend',
  /** Over HTTP: the subject that the block would have on the bus. */
  subject: 'Edge-Subject',
  /** In answers over HTTP: what the receiver holds last of this subject in the epoch that was asked about. */
  heldFirstSeq: 'Edge-Held-First-Seq',
  heldLastSeq: 'Edge-Held-Last-Seq',
  heldDigest: 'Edge-Held-Digest',
  /** `1` when only the account of that block is left, the block itself has expired. */
  heldExpired: 'Edge-Held-Expired',
  /** Epoch of the last block on the subject, whoever's it is. */
  heldEpoch: 'Edge-Held-Epoch',
  /** In answers over HTTP: id of a receiver that compares before it stores; another one for another archive. */
  receiver: 'Edge-Receiver',
  /** In answers over HTTP: id of the receiver's start, another one after every start: it may have come back with less. */
  receiverStart: 'Edge-Receiver-Start',
  /** In answers over HTTP: the largest body it takes, compressed, in bytes. */
  maxBody: 'Edge-Max-Body',
} as const

/** Content type of a block: one JSON record a line. */
export const BLOCK_CONTENT_TYPE = 'application/x-ndjson'
