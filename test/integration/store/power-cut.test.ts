import { describe, expect, it } from 'vitest'
import type { PlainRecord } from '../../../edge-daemon/store/commit.ts'
import type { StoredRecord } from '../../../edge-daemon/store/contract.ts'
import { LogEngine } from '../../../edge-daemon/store/engine.ts'
import type { LedgerRecord } from '../../../protocol/records.ts'
import type { RecordClass } from '../../../protocol/subjects.ts'
import { ForgetfulDisk } from '../../support/forgetful-disk.ts'
import { engineOptions, ledgerOf, readAll, storeFolder } from '../../support/store-folder.ts'

const CLASSES: readonly RecordClass[] = ['normal', 'normal', 'normal', 'abnormal', 'sample', 'alert']
const LIMITS = { sample: { maxBytes: null, maxAgeMs: 4000 }, abnormal: { maxBytes: 6000, maxAgeMs: null } }

function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

/** What a test run has to show for itself. */
interface Tally {
  cuts: number
  cutsInside: number
  evictions: number
  answered: number
}

/** Append, evict, rewrite and merge at random, cut the power at random, and compare after each cut. */
function run(seed: number, tally: Tally): void {
  using folder = storeFolder()
  const below = numbers(seed)
  const disk = new ForgetfulDisk()
  let monotonicMs = 0
  const options = engineOptions(folder.dir, {
    maxBytes: 24_000,
    segmentBytes: 3000,
    limits: LIMITS,
    disk,
    monotonicMs: () => monotonicMs,
  })
  const answered = new Map<number, { class: RecordClass; body: string | null; line: string | null }>()
  const remember = (records: readonly StoredRecord[]): void => {
    for (const { class: recordClass, seq, line } of records) answered.set(seq, { class: recordClass, body: null, line })
  }
  let n = 0
  const some = (engine: LogEngine): PlainRecord[] => {
    if (below(6) === 0) return [{ class: 'stat', timestamp: n, bodyJson: JSON.stringify({ last_seq: engine.lastSeq }) }]
    return Array.from({ length: 1 + below(3) }, () => {
      n += 1
      const recordClass = CLASSES[below(CLASSES.length)] ?? 'normal'
      return { class: recordClass, timestamp: n, bodyJson: JSON.stringify({ n, text: 'x'.repeat(below(400)) }) }
    })
  }

  for (let life = 0; life < 12; life += 1) {
    const engine = LogEngine.open(options)
    compare(engine, answered)
    remember(readAll(engine))
    const isInside = below(2) === 0
    if (isInside) disk.changesLeft = 5 + below(220)
    for (let step = 20 + below(40); step > 0 && disk.changesLeft > 0; step -= 1) {
      monotonicMs += below(1500)
      const records = some(engine)
      const outcome = engine.commit(records)
      if (!outcome.ok) continue
      remember(outcome.own)
      for (const [position, { class: recordClass, bodyJson }] of records.entries()) {
        const seq = outcome.firstSeq + outcome.own.length + position
        answered.set(seq, { class: recordClass, body: bodyJson, line: null })
      }
      if (below(3) === 0) engine.saveCursor('nats', 'abnormal', engine.lastSeq - below(20))
      for (let slice = below(12); slice > 0; slice -= 1) for (const { own } of engine.maintain().written) remember(own)
    }
    tally.cuts += 1
    if (disk.changesLeft <= 0) tally.cutsInside += 1
    tally.evictions += engine.status().evictedRecords
    const { afterwards } = disk.cut(folder.dir, () => below(2) === 0)
    engine.close()
    afterwards()
  }
  tally.answered += answered.size
}

/** Everything answered is there, or the ledger says that it was evicted; nothing is there twice or changed. */
function compare(
  engine: LogEngine,
  answered: ReadonlyMap<number, { class: RecordClass; body: string | null; line: string | null }>,
): void {
  const kept = readAll(engine)
  const seqs = kept.map(({ seq }) => seq)
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b))
  const ledger = ledgerOf(engine)
  // In so small a store the ledger itself is evicted: what it said before counts as well.
  const heard = [...answered.values()].flatMap(({ class: recordClass, line }): LedgerRecord[] =>
    recordClass === 'ledger' && line !== null ? [JSON.parse(line)] : [],
  )
  const evicted = [...heard, ...ledger].filter(({ event }) => event === 'evicted')
  const isEvicted = (seq: number, recordClass: RecordClass): boolean =>
    evicted.some(
      ({ records, first_seq, last_seq }) => recordClass in records && seq >= (first_seq ?? 0) && seq <= (last_seq ?? 0),
    )
  const lineOf = new Map(kept.map(({ seq, line }) => [seq, line]))
  for (const [seq, { class: recordClass, body, line }] of answered) {
    const found = lineOf.get(seq)
    if (found === undefined) expect(isEvicted(seq, recordClass), `${recordClass} ${seq} is gone`).toBe(true)
    else if (line !== null) expect(found).toBe(line)
    else expect(found.endsWith(`,${(body ?? '').slice(1)}`)).toBe(true)
  }
  expect(ledger.filter(({ event }) => event === 'lost_tail' || event === 'new_epoch')).toEqual([])
  const last = Math.max(0, ...answered.keys())
  expect(engine.lastSeq).toBeGreaterThanOrEqual(last)
}

describe('a power cut', () => {
  it.each([[[1, 2, 3, 4, 5, 6]], [[11, 12, 13, 14, 15, 16]], [[21, 22, 23, 24, 25, 26]]])(
    'takes nothing that was answered, at any moment of appending, evicting and rewriting (seeds %j)',
    (seeds) => {
      const tally: Tally = { cuts: 0, cutsInside: 0, evictions: 0, answered: 0 }
      for (const seed of seeds) run(seed, tally)
      expect(tally.cuts).toBe(seeds.length * 12)
      expect(tally.cutsInside).toBeGreaterThan(15)
      expect(tally.evictions).toBeGreaterThan(200)
      expect(tally.answered).toBeGreaterThan(1500)
    },
    120_000,
  )
})
