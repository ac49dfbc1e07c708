import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { PlainRecord } from '../../../edge-daemon/store/commit.ts'
import { nodeDisk } from '../../../edge-daemon/store/disk.ts'
import type { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { dyingDisk } from '../../support/dying-disk.ts'
import { engineOptions, ledgerOf, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

const LIMITS = { maxBytes: 40_000, segmentBytes: 8000 }

/** A statistic over all that was appended before. */
const STAT: readonly PlainRecord[] = [{ class: 'stat', timestamp: 1, bodyJson: '{"last_seq":1000000}' }]

/** A record whose text does not compress away. */
function bulky(recordClass: PlainRecord['class'], n: number): PlainRecord {
  return {
    class: recordClass,
    timestamp: 1_793_000_000_000 + n,
    bodyJson: JSON.stringify({ n, text: 'x'.repeat(900) }),
  }
}

function fill(engine: LogEngine, commits: number): void {
  for (let n = 0; n < commits; n += 1) {
    engine.commit([bulky(n % 3 === 0 ? 'abnormal' : 'normal', n)])
    engine.enforceRetention()
  }
}

/** Every record that the ledger says was evicted. */
function evictedBy(engine: LogEngine): { class: string; first: number; last: number; count: number }[] {
  return ledgerOf(engine)
    .filter(({ event }) => event === 'evicted')
    .flatMap(({ records, first_seq, last_seq }) =>
      Object.entries(records).map(([name, count]) => ({
        class: name,
        first: first_seq ?? 0,
        last: last_seq ?? 0,
        count,
      })),
    )
}

describe('a store over its size', () => {
  it('stays within it, and what is kept and what the ledger says is gone make up all that was appended', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, LIMITS), (engine) => {
      fill(engine, 200)
      const { bytes, evictedRecords, lastSeq, records, segments, byClass } = engine.status()
      const onDisk = folder.segments().map((path) => statSync(path).size)
      expect(bytes).toBe(onDisk.reduce((sum, size) => sum + size, 0))
      expect(bytes).toBeLessThanOrEqual(LIMITS.maxBytes)
      expect(segments).toBe(onDisk.length)
      const kept = readAll(engine)
      expect(kept).toHaveLength(records)

      const gone = evictedBy(engine)
      expect(gone.length).toBeGreaterThan(2)
      expect(gone.reduce((sum, { count }) => sum + count, 0)).toBe(evictedRecords)
      expect(kept.length + evictedRecords).toBe(lastSeq)
      for (const { class: recordClass, first, last } of gone) {
        expect(kept.some((record) => record.class === recordClass && record.seq >= first && record.seq <= last)).toBe(
          false,
        )
      }
      for (const recordClass of ['normal', 'abnormal', 'ledger'] as const) {
        const its = kept.filter((record) => record.class === recordClass)
        expect(byClass?.[recordClass]).toMatchObject({ records: its.length, oldestAt: its[0]?.timestamp ?? null })
      }
    })
  })

  it('gives up folded results before anything else, and rewrites segments without changing a byte of what stays', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, LIMITS), (engine) => {
      let n = 0
      const lines = new Map<number, string>()
      while (engine.status().evictedRecords < 30) {
        const recordClass = n % 4 === 0 ? 'abnormal' : 'normal'
        engine.commit([bulky(recordClass, n)])
        const last = readAll(engine, { newestFirst: true, limit: 1 })[0]
        if (last !== undefined && recordClass === 'abnormal') lines.set(last.seq, last.line)
        engine.commit([{ class: 'stat', timestamp: 1, bodyJson: JSON.stringify({ last_seq: engine.lastSeq }) }])
        engine.enforceRetention()
        n += 1
      }
      expect(new Set(evictedBy(engine).map((gone) => gone.class))).toEqual(new Set(['normal']))
      const abnormal = readAll(engine, { classes: ['abnormal'] })
      expect(new Map(abnormal.map(({ seq, line }) => [seq, line]))).toEqual(lines)
      expect(readAll(engine, { classes: ['stat'] })).toHaveLength(n)
    })
    withEngine(engineOptions(folder.dir, LIMITS), (engine) => {
      expect(engine.status().corruptBlocks).toBe(0)
      expect(ledgerOf(engine).every(({ event }) => event === 'evicted')).toBe(true)
    })
  })

  it('notes an eviction in the ledger before it removes anything', () => {
    using folder = storeFolder()
    const order: string[] = []
    const disk = {
      ...nodeDisk,
      sync: (fd: number) => {
        nodeDisk.sync(fd)
        order.push('sync')
      },
      unlink: (path: string) => {
        order.push('unlink')
        nodeDisk.unlink(path)
      },
    }
    withEngine(engineOptions(folder.dir, { ...LIMITS, disk }), (engine) => {
      let n = 0
      while (engine.status().evictedRecords === 0) {
        engine.commit([bulky('normal', n)])
        n += 1
        order.length = 0
        engine.enforceRetention()
      }
      order.push('closing')
    })
    expect(order.filter((call, n) => call !== order[n - 1]).slice(0, 3)).toEqual(['sync', 'unlink', 'closing'])
  })

  it('loses and doubles nothing, whichever step of an eviction a death comes before, and notes it once', () => {
    let hasDied = true
    let diesAt = 0
    while (hasDied) {
      diesAt += 1
      using folder = storeFolder()
      const disk = dyingDisk()
      const appended = withEngine(engineOptions(folder.dir, { ...LIMITS, disk }), (engine) => {
        let n = 0
        while (engine.status().bytes <= LIMITS.maxBytes) {
          engine.commit([bulky(n % 3 === 0 ? 'abnormal' : 'normal', n), ...STAT])
          n += 1
        }
        const all = readAll(engine)
        disk.changes = 0
        disk.diesAt = diesAt
        try {
          engine.enforceRetention()
        } catch {
          // It died here.
        }
        hasDied = disk.changes >= diesAt
        return all
      })
      for (let start = 0; start < 2; start += 1) {
        withEngine(engineOptions(folder.dir, LIMITS), (engine) => {
          const gone = evictedBy(engine)
          const isGone = ({ seq, class: name }: { seq: number; class: string }): boolean =>
            gone.some(({ class: its, first, last }) => its === name && seq >= first && seq <= last)
          const kept = readAll(engine, { classes: ['normal', 'abnormal', 'stat'] })
          expect(kept, `died before change ${diesAt}`).toEqual(appended.filter((record) => !isGone(record)))
          expect(gone.reduce((sum, { count }) => sum + count, 0)).toBe(appended.length - kept.length)
          expect(ledgerOf(engine).every(({ event }) => event === 'evicted')).toBe(true)
          expect(engine.status()).toMatchObject({ corruptBlocks: 0, records: kept.length + ledgerOf(engine).length })
          expect(readdirSync(join(folder.dir, 'segments')).some((name) => name.endsWith('.part'))).toBe(false)
        })
      }
    }
    expect(diesAt).toBeGreaterThan(9)
  })

  it('shrinks at the start when it was given less room', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, LIMITS), (engine) => fill(engine, 36))
    withEngine(engineOptions(folder.dir, { maxBytes: 20_000, segmentBytes: 8000 }), (engine) => {
      expect(engine.status().bytes).toBeLessThanOrEqual(20_000)
      expect(engine.status().evictedRecords).toBeGreaterThan(0)
    })
  })

  it('opens soon when it is far over it, never grows meanwhile, and no commit waits for all that is to go', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, { segmentBytes: 8000 }), (engine) => {
      for (let n = 0; n < 600; n += 1) engine.commit([bulky(n % 3 === 0 ? 'abnormal' : 'normal', n)])
    })
    let nowMs = 0
    // Whatever is looked at takes a while.
    const monotonicMs = (): number => {
      nowMs += 30
      return nowMs
    }
    withEngine(engineOptions(folder.dir, { ...LIMITS, monotonicMs }), (engine) => {
      const sizes = [engine.status().bytes]
      expect(sizes[0]).toBeGreaterThan(3 * LIMITS.maxBytes)
      for (let n = 600; (sizes.at(-1) ?? 0) > LIMITS.maxBytes; n += 1) {
        engine.commit([bulky('normal', n)])
        engine.maintain()
        sizes.push(engine.status().bytes)
      }
      expect(sizes.length).toBeGreaterThan(10)
      // A note of what goes may come before it goes.
      for (const [n, bytes] of sizes.entries()) expect(bytes).toBeLessThan((sizes[n - 1] ?? bytes) + 1000)
      expect(readAll(engine).length + engine.status().evictedRecords).toBe(engine.lastSeq)
    })
  })
})
