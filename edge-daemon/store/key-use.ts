import { closeSync, openSync, readSync } from 'node:fs'
import { EdgeError } from '../../protocol/errors.ts'
import type { StoreStatus } from '../../protocol/status.ts'
import type { RecordClass } from '../../protocol/subjects.ts'
import { EpochReader, openPayload, readFrame } from './frame.ts'
import type { LedgerEntry } from './ledger.ts'
import type { KeyUse, LogIndex, Segment } from './log-index.ts'
import type { KeyRing } from './seal.ts'

/** Frames that are tried before a key counts as the wrong one: one of them may be forged or broken. */
const SAMPLES = 3

/** What the status says of encryption; null for a plain store. */
export function encryptionOf(index: LogIndex, ring: KeyRing): StoreStatus['encryption'] {
  const { sealer, size } = ring
  if (sealer === null) return null
  let plainBlocks = 0
  let missingKeys = 0
  let lostKeys = 0
  for (const segment of index.segments) {
    for (const [keyId, { blocks }] of segment.keys) {
      if (keyId === 0) plainBlocks += blocks
      else if (ring.isLost(keyId)) lostKeys += blocks
      else if (!ring.has(keyId)) missingKeys += blocks
    }
  }
  return { keyId: sealer.keyId, keys: size, missingKeys, plainBlocks, ...(lostKeys > 0 ? { lostKeys } : {}) }
}

/**
 * Whether a ring may serve a log: a wrong key would make all of its blocks look damaged, and without any key of the log
 * nothing of it could be read.
 * @throws EdgeError `STORE_KEY_WRONG` | `STORE_KEY_MISSING` with what to do.
 */
export function checkKeys(index: LogIndex, ring: KeyRing): void {
  const used = new Set(index.segments.flatMap(({ keys }) => [...keys.keys()]).filter((keyId) => keyId !== 0))
  for (const keyId of used) {
    if (ring.has(keyId) && isWrong(index, ring, keyId)) {
      throw new EdgeError('STORE_KEY_WRONG', {
        message: `key ${keyId} is not the key ${keyId} that sealed this store`,
        next: [
          `put the key that was number ${keyId} back into the key file, and give the other one a number of its own`,
          `when the old key ${keyId} is gone for good, give the new one the next number and add the line "${keyId}:lost"`,
        ],
      })
    }
  }
  const lacking = [...used].filter((keyId) => !ring.isLost(keyId))
  if (lacking.length === 0 || lacking.some((keyId) => ring.has(keyId))) return
  const names = lacking.toSorted((a, b) => a - b).join(', ')
  throw new EdgeError('STORE_KEY_MISSING', {
    message: `this store is sealed under key ${names}, and ${ring.size === 0 ? 'no key is given' : 'no key given opens it'}`,
    next: [
      `give the key file with key ${names} as store.keyFile, or as the systemd credential edgedeck-store-keys`,
      `when that key is gone for good, add the line "${lacking[0]}:lost" to the key file and then a new key with "edge-daemon keys new"`,
    ],
  })
}

/**
 * What the ledger has to say of each key that is missing: its records are not readable, and so do not travel. What its
 * `recent` entries say already, as those of an earlier start do, is not said again.
 */
export function missingKeyEntries(index: LogIndex, ring: KeyRing, recent: () => readonly LedgerEntry[]): LedgerEntry[] {
  const uses = new Map<number, Omit<KeyUse, 'sample'>>()
  for (const segment of index.segments) {
    for (const [keyId, use] of segment.keys) if (!ring.has(keyId)) uses.set(keyId, joined(uses.get(keyId), use))
  }
  if (uses.size === 0) return []
  const said = new Set(recent().map(({ reason, msg }) => `${reason} ${msg}`))
  const entries = Array.from(uses, ([keyId, { firstSeq, lastSeq, records }]) => ({
    event: 'undeliverable' as const,
    reason: ring.isLost(keyId) ? 'key_lost' : 'key_missing',
    first_seq: firstSeq,
    last_seq: lastSeq,
    records,
    bytes: 0,
    msg: ring.isLost(keyId)
      ? `these records are sealed under key ${keyId}, which is gone for good: they are passed over`
      : `these records are sealed under key ${keyId}, which is not in the key ring: they wait on the disk for it`,
  }))
  return entries.filter(({ reason, msg }) => !said.has(`${reason} ${msg}`))
}

function joined(a: Omit<KeyUse, 'sample'> | undefined, b: KeyUse): Omit<KeyUse, 'sample'> {
  const records: Partial<Record<RecordClass, number>> = { ...a?.records }
  for (const [name, count] of Object.entries(b.records) as [RecordClass, number][]) {
    records[name] = (records[name] ?? 0) + count
  }
  return {
    blocks: (a?.blocks ?? 0) + b.blocks,
    firstSeq: Math.min(a?.firstSeq ?? b.firstSeq, b.firstSeq),
    lastSeq: Math.max(a?.lastSeq ?? b.lastSeq, b.lastSeq),
    records,
  }
}

/** A key is wrong when its frames are whole by their checksum and it opens none of them. */
function isWrong(index: LogIndex, ring: KeyRing, keyId: number): boolean {
  let tried = 0
  for (const segment of index.segments.toReversed()) {
    const sample = segment.keys.get(keyId)?.sample
    const opens = sample === undefined ? null : opensSample(segment, sample, ring)
    if (opens === true) return false
    if (opens === false) tried += 1
    if (tried >= SAMPLES) break
  }
  return tried > 0
}

/** Null when the frame cannot be read or is damaged. */
function opensSample(segment: Segment, { offset, bytes }: KeyUse['sample'], ring: KeyRing): boolean | null {
  const frame = Buffer.alloc(bytes)
  try {
    const fd = openSync(segment.path, 'r')
    try {
      readSync(fd, frame, 0, bytes, offset)
    } finally {
      closeSync(fd)
    }
  } catch {
    return null
  }
  const read = readFrame(frame, 0, new EpochReader())
  return read.ok ? openPayload(read.header, frame, ring) !== null : null
}
