import { createHash } from 'node:crypto'
import type { AuditChain } from './audit.ts'
import { canonicalJson, type Json } from './canonical-json.ts'

/** Where a chain has got to. */
export interface AuditHead {
  readonly n: number
  readonly hash: string
}

/** Before the first record. */
export const AUDIT_GENESIS: AuditHead = { n: 0, hash: '0'.repeat(64) }

/** A record with its place in a chain. */
export type Chained = { readonly chain: AuditChain }

/** What is wrong with a chain; `n` is where it begins, `through` where a range ends. */
export interface ChainFault {
  readonly kind: /** Its text is not what its hash, or the record behind it, says. */
    | 'altered'
    /** Records between two others are gone. */
    | 'missing'
    /** The end is gone that somebody else has seen. */
    | 'truncated'
    /** It stands behind a later one. */
    | 'reordered'
    /** The same record is there again. */
    | 'twice'
    /** Two different records follow the same one: another disk or process went on in this chain. */
    | 'forked'
    /** A second chain begins at 1: the disk was wiped or replaced. */
    | 'begun_anew'
  readonly n: number
  readonly through?: number
}

/** What a look at a chain came to. */
export interface ChainVerdict {
  /** The first and the last record; null for a chain without any. */
  readonly first: AuditHead | null
  readonly head: AuditHead | null
  readonly faults: readonly ChainFault[]
}

/**
 * Give a record its place behind `head`. The hash is SHA-256 of the canonical JSON of all of it but the hash itself and
 * `seq`, which the store gives later.
 */
export function link<T extends object>(body: T, head: AuditHead): T & Chained {
  const chain = { n: head.n + 1, prev: head.hash }
  return { ...body, chain: { ...chain, hash: digest({ ...body, chain }) } }
}

/** The hash that a record must have by what it says. */
export function hashOf(record: Chained): string {
  const { chain, ...body } = record
  return digest({ ...body, chain: { n: chain.n, prev: chain.prev } })
}

/** The head that a record is. */
export function headOf({ chain }: Chained): AuditHead {
  return { n: chain.n, hash: chain.hash }
}

/**
 * Look at the records of one writer, in the order in which they were found. The oldest may be gone without a fault, since
 * a store has bounds: whoever knows better compares `first`. A tail that is gone shows only against heads that others
 * have seen ({@link checkHeads}).
 */
export function checkChain(records: readonly Chained[]): ChainVerdict {
  const faults: ChainFault[] = []
  const known = new Map<string, Chained>()
  const byN = new Map<number, Chained[]>()
  let highest = 0
  for (const record of records) {
    const { n, hash } = record.chain
    if (known.has(hash)) {
      faults.push({ kind: 'twice', n })
      continue
    }
    if (n < highest && !byN.has(n)) faults.push({ kind: 'reordered', n })
    highest = Math.max(highest, n)
    known.set(hash, record)
    byN.set(n, [...(byN.get(n) ?? []), record])
  }
  const numbers = [...byN.keys()].sort((a, b) => a - b)
  const altered = new Set<number>()
  const children = new Map<string, number>()
  for (const n of numbers) {
    for (const record of byN.get(n) ?? []) {
      const { prev, hash } = record.chain
      if (hashOf(record) !== hash) altered.add(n)
      children.set(prev, (children.get(prev) ?? 0) + 1)
      if (n === 1 ? prev !== AUDIT_GENESIS.hash : byN.has(n - 1) && !known.has(prev)) altered.add(n === 1 ? 1 : n - 1)
    }
  }
  for (const n of altered) faults.push({ kind: 'altered', n })
  let before: number | null = null
  for (const n of numbers) {
    if (before !== null && n > before + 1) faults.push({ kind: 'missing', n: before + 1, through: n - 1 })
    before = n
    const forks = (byN.get(n) ?? []).some(({ chain }) => (children.get(chain.prev) ?? 0) > 1)
    if (forks) faults.push({ kind: n === 1 ? 'begun_anew' : 'forked', n })
  }
  const first = byN.get(numbers[0] ?? 0)?.[0]
  const last = byN.get(numbers.at(-1) ?? 0)?.at(-1)
  return {
    first: first === undefined ? null : headOf(first),
    head: last === undefined ? null : headOf(last),
    faults: faults.sort((a, b) => a.n - b.n),
  }
}

/**
 * Compare records with heads of the same chain that others hold: an end that is gone here, or a record that is another
 * one there. Heads before the first record are passed over.
 */
export function checkHeads(records: readonly Chained[], heads: readonly AuditHead[]): ChainFault[] {
  const hashes = new Map<number, Set<string>>()
  let last = 0
  let first = Number.POSITIVE_INFINITY
  for (const { chain } of records) {
    hashes.set(chain.n, (hashes.get(chain.n) ?? new Set()).add(chain.hash))
    last = Math.max(last, chain.n)
    first = Math.min(first, chain.n)
  }
  const faults: ChainFault[] = []
  const through = Math.max(0, ...heads.map(({ n }) => n))
  if (through > last) faults.push({ kind: 'truncated', n: last + 1, through })
  for (const { n, hash } of heads) {
    if (n >= first && n <= last && hashes.has(n) && !hashes.get(n)?.has(hash)) faults.push({ kind: 'altered', n })
  }
  return faults
}

function digest(said: object): string {
  // `seq` is given by the store when it commits, behind the hash.
  const { seq: _, ...rest } = said as { readonly seq?: unknown }
  // What a record leaves out is not there in JSON either.
  return createHash('sha256')
    .update(canonicalJson(JSON.parse(JSON.stringify(rest)) as Json))
    .digest('hex')
}
