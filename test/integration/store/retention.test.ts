import { statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { PlainRecord } from '../../../edge-daemon/store/commit.ts'
import { nodeDisk } from '../../../edge-daemon/store/disk.ts'
import type { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { engineOptions, ledgerOf, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

const LIMITS = { maxBytes: 40_000, segmentBytes: 8000 }

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

describe('a store over its size', () => {
  it('stays within it, drops the oldest segments whole, and every dropped record is in the ledger', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, LIMITS), (engine) => {
      fill(engine, 200)
      const { bytes, evictedRecords, firstSeq, lastSeq, records, segments } = engine.status()
      const onDisk = folder.segments().map((path) => statSync(path).size)
      expect(bytes).toBe(onDisk.reduce((sum, size) => sum + size, 0))
      expect(bytes).toBeLessThanOrEqual(LIMITS.maxBytes)
      expect(segments).toBe(onDisk.length)
      const kept = readAll(engine)
      expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: lastSeq - firstSeq + 1 }, (_, n) => firstSeq + n))
      expect(kept).toHaveLength(records)
      expect(evictedRecords).toBe(firstSeq - 1)

      // The ledger of this run, as far as it is still kept, tells each range that went, without a hole.
      const ranges = ledgerOf(engine)
      expect(ranges.length).toBeGreaterThan(2)
      for (const [n, entry] of ranges.entries()) {
        expect(entry.event).toBe('evicted')
        const counted = Object.values(entry.records).reduce((sum, count) => sum + count, 0)
        expect(counted).toBe((entry.last_seq ?? 0) - (entry.first_seq ?? 0) + 1)
        if (n > 0) expect(entry.first_seq).toBe((ranges[n - 1]?.last_seq ?? 0) + 1)
      }
      expect(ranges.at(-1)?.last_seq).toBe(firstSeq - 1)
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
    })
    expect(order).toEqual(['sync', 'unlink'])
  })

  it('finishes an eviction that a death interrupted, without noting it twice', () => {
    using folder = storeFolder()
    const disk = {
      ...nodeDisk,
      unlink: () => {
        throw Object.assign(new Error('killed here'), { code: 'EINTR' })
      },
    }
    const noted = withEngine(engineOptions(folder.dir, { ...LIMITS, disk }), (engine) => {
      fill(engine, 45)
      expect(engine.status().evictedRecords).toBe(0)
      return ledgerOf(engine).map(({ last_seq }) => last_seq)
    })
    expect(noted).toHaveLength(1)
    withEngine(engineOptions(folder.dir, LIMITS), (engine) => {
      expect(engine.status().firstSeq).toBeGreaterThan(noted[0] ?? 0)
      const all = ledgerOf(engine).map(({ last_seq }) => last_seq)
      expect(new Set(all).size).toBe(all.length)
      expect(all[0]).toBe(noted[0])
    })
  })

  it('shrinks at the start when it was given less room', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, LIMITS), (engine) => fill(engine, 36))
    withEngine(engineOptions(folder.dir, { maxBytes: 20_000, segmentBytes: 8000 }), (engine) => {
      expect(engine.status().bytes).toBeLessThanOrEqual(20_000)
      expect(engine.status().evictedRecords).toBeGreaterThan(0)
    })
  })
})
