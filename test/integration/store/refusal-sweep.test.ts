import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { NEW_CHAIN } from '../../../edge-daemon/store/chain-file.ts'
import type { StoredRecord } from '../../../edge-daemon/store/contract.ts'
import { LogEngine } from '../../../edge-daemon/store/engine.ts'
import type { LedgerRecord } from '../../../protocol/records.ts'
import type { RecordClass } from '../../../protocol/subjects.ts'
import { failingDisk, type Refusals } from '../../support/failing-disk.ts'
import {
  engineOptions,
  ledgerOf,
  readAll,
  type StoreFolder,
  storeFolder,
  withEngine,
} from '../../support/store-folder.ts'

const CODES = ['ENOSPC', 'EIO', 'EROFS'] as const
const STEPS = 11
/** Longer than the store waits before it asks a disk again that refused. */
const STEP_MS = 300
const CLASSES: readonly RecordClass[] = ['normal', 'abnormal', 'sample', 'normal']

/** Appends, acknowledgements, aging and evictions by a fixed script on a disk that refuses a stretch of its calls. */
class ScriptedRun {
  readonly disk = failingDisk()
  readonly #engine: LogEngine
  #monotonicMs = 0
  #n = 0
  /** Bodies by sequence of what was answered. */
  readonly #answered = new Map<number, { class: RecordClass; body: string }>()
  readonly #ledger = new Map<number, LedgerRecord>()
  #refused = 0
  #cursor = 0

  constructor(folder: StoreFolder) {
    this.#engine = LogEngine.open(
      engineOptions(folder.dir, {
        maxBytes: 9000,
        segmentBytes: 2200,
        limits: { sample: { maxBytes: null, maxAgeMs: 1500 } },
        awaited: [['nats']],
        disk: this.disk,
        monotonicMs: () => this.#monotonicMs,
      }),
    )
    this.disk.calls.length = 0
  }

  /** Run it; returns the calls that the disk was asked for. */
  run(refused: Refusals | null): readonly string[] {
    this.disk.fails = refused
    for (let step = 0; step < STEPS; step += 1) this.#step()
    const calls = [...this.disk.calls]
    this.disk.fails = null
    for (let step = 0; step < 4; step += 1) {
      this.#monotonicMs += 5000
      this.#step()
    }
    return calls
  }

  /** The store has recovered; everything answered is there or evicted, everything else is told. */
  check(folder: StoreFolder, what: string): void {
    const { epoch } = this.#engine
    const status = this.#engine.status()
    expect(status, what).toMatchObject({ state: 'ok', error: null, corruptBlocks: 0, notStored: this.#refused })
    const kept = readAll(this.#engine)
    this.#compare(kept, what)
    const told = [...this.#ledger.values()].filter(({ event }) => event === 'not_stored')
    const counts = told.flatMap(({ records }) => Object.values(records))
    expect(
      counts.reduce((sum, count) => sum + count, 0),
      `${what}: told`,
    ).toBe(this.#refused)
    expect(
      told.every(({ reason }) => reason === 'disk_refused'),
      `${what}: why`,
    ).toBe(true)
    expect(readdirSync(join(folder.dir, 'segments')), `${what}: files`).toHaveLength(status.segments)
    expect(status.bytes, what).toBeLessThanOrEqual(status.maxBytes)
    this.#engine.close()

    withEngine(
      engineOptions(folder.dir, { maxBytes: 9000, segmentBytes: 2200, awaited: [['nats']], disk: failingDisk() }),
      (again) => {
        expect(readAll(again), `${what}: started again`).toEqual(kept)
        expect(again.epoch, what).toBe(epoch)
        expect(again.targets.chains().nats?.abnormal?.cursor, what).toBe(this.#cursor)
        expect(new Set(ledgerOf(again).map(({ event }) => event)), what).not.toContain('corrupt')
        expect(again.status().reserve, what).toBe('kept')
      },
    )
  }

  #step(): void {
    this.#monotonicMs += STEP_MS
    const records = CLASSES.map((recordClass) => {
      this.#n += 1
      return {
        class: recordClass,
        timestamp: this.#n,
        bodyJson: JSON.stringify({ n: this.#n, text: 'x'.repeat(150) }),
      }
    })
    const outcome = this.#engine.commit(records)
    if (outcome.ok) {
      this.#hear(outcome.own)
      for (const [position, { class: recordClass, bodyJson }] of records.entries()) {
        const seq = outcome.firstSeq + outcome.own.length + position
        this.#answered.set(seq, { class: recordClass, body: bodyJson })
      }
    } else this.#refused += records.length
    this.#cursor = Math.max(0, this.#engine.lastSeq - 3)
    this.#engine.saveChain('nats', 'abnormal', { ...NEW_CHAIN, cursor: this.#cursor, syncedSeq: this.#cursor })
    expect(
      this.#engine.targets.chains().nats?.abnormal?.cursor,
      'in memory a cursor moves whatever the disk says',
    ).toBe(this.#cursor)
    for (let slice = 0; slice < 60; slice += 1) {
      const { written, more } = this.#engine.maintain()
      for (const { own } of written) this.#hear(own)
      if (!more) return
    }
    expect.unreachable('there is always more to maintain')
  }

  #hear(own: readonly StoredRecord[]): void {
    for (const { seq, line } of own) this.#ledger.set(seq, JSON.parse(line))
  }

  #compare(kept: readonly StoredRecord[], what: string): void {
    const seqs = kept.map(({ seq }) => seq)
    expect(seqs, what).toEqual([...new Set(seqs)].sort((a, b) => a - b))
    const evicted = [...this.#ledger.values()].filter(({ event }) => event === 'evicted')
    const lineOf = new Map(kept.map(({ seq, line }) => [seq, line]))
    for (const [seq, { class: recordClass, body }] of this.#answered) {
      const isEvicted = evicted.some(
        ({ records, first_seq, last_seq }) =>
          recordClass in records && seq >= (first_seq ?? 0) && seq <= (last_seq ?? 0),
      )
      const found = lineOf.get(seq)
      if (found === undefined) expect(isEvicted, `${what}: ${recordClass} ${seq} is gone`).toBe(true)
      else expect(found.endsWith(`,${body.slice(1)}`), what).toBe(true)
      lineOf.delete(seq)
    }
    // Nothing is there that was answered as not stored.
    for (const seq of lineOf.keys()) expect(this.#ledger.has(seq), `${what}: ${seq} was never answered`).toBe(true)
  }
}

/** Run the script once for every call, or every n-th, from which on calls are refused. */
function sweep({ every = 1, ...refusals }: { every?: number; count: number; late: boolean }): void {
  using whole = storeFolder()
  const { length: calls } = new ScriptedRun(whole).run(null)
  for (let run = 0; run * every < calls; run += 1) {
    using folder = storeFolder()
    const script = new ScriptedRun(folder)
    const at = run * every
    const code = CODES[run % CODES.length] ?? 'EIO'
    const asked = script.run({ ...refusals, at, code })
    script.check(folder, `${code} from call ${at} (${asked[at]}) on, ${JSON.stringify(refusals)}`)
  }
}

describe('a disk that refuses any one of its calls', () => {
  it('is asked for everything that a store does, so that the sweeps mean something', () => {
    using folder = storeFolder()
    const script = new ScriptedRun(folder)
    const calls = script.run(null)
    script.check(folder, 'no refusal')
    expect(calls.length).toBeLessThan(400)
    const count = (name: string): number => calls.filter((call) => call === name).length
    expect(count('create')).toBeGreaterThan(5)
    expect(count('rename')).toBeGreaterThan(3)
    expect(count('unlink')).toBeGreaterThan(5)
    expect(count('syncFolder')).toBeGreaterThan(5)
  })

  it(
    'once: the store goes on, loses nothing and says what was not kept',
    () => sweep({ count: 1, late: false, every: 2 }),
    120_000,
  )

  it('once, after it had its effect', () => sweep({ count: 1, late: true, every: 5 }), 120_000)

  it('and those behind it for a while: it recovers alone', () => sweep({ count: 25, late: false, every: 4 }), 120_000)
})
