import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ReadRequest, StoredRecord } from '../../../edge-daemon/store/contract.ts'
import { readRange } from '../../../edge-daemon/store/range-read.ts'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { RECORD_CLASSES } from '../../../protocol/subjects.ts'
import { engineOptions, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

const CLASSES = RECORD_CLASSES
/** Times go back and forth between records, as a clock that is set does. */
const timeOf = (n: number): number => 1_793_000_000_000 + ((n * 37) % 100)

/** What a read should return, by looking at every record. */
function expected(all: readonly StoredRecord[], request: ReadRequest): StoredRecord[] {
  const { afterSeq = 0, throughSeq = Number.MAX_VALUE, fromMs = 0, toMs = Number.MAX_VALUE } = request
  const fitting = all.filter(
    (record) =>
      request.classes.includes(record.class) &&
      record.seq > afterSeq &&
      record.seq <= throughSeq &&
      record.timestamp >= fromMs &&
      record.timestamp <= toMs,
  )
  if (request.newestFirst) fitting.reverse()
  let bytes = 0
  const within = fitting.findIndex(({ line }, n) => {
    bytes += Buffer.byteLength(line) + 1
    return n > 0 && bytes > (request.maxBytes ?? Number.POSITIVE_INFINITY)
  })
  return fitting.slice(0, Math.min(request.limit, within < 0 ? fitting.length : within))
}

describe('a range read', () => {
  it('returns what looking at every record would, over segments, classes and mixed-up times', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, { segmentBytes: 3000 }), (engine) => {
      for (let n = 0; n < 60; n += 1) {
        const records = Array.from({ length: 1 + ((n * 7) % 11) }, (_, m) => ({
          class: CLASSES[(n * 3 + m * m) % CLASSES.length] ?? 'normal',
          timestamp: timeOf(n * 11 + m),
          bodyJson: JSON.stringify({ n, m }),
        }))
        engine.commit(records)
      }
      expect(folder.segments().length).toBeGreaterThan(3)
      const all = readAll(engine)
      expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: engine.lastSeq }, (_, n) => n + 1))
      let compared = 0
      for (const classes of [CLASSES, ['stat', 'normal'], ['alert'], []] as const) {
        for (const newestFirst of [false, true]) {
          for (const afterSeq of [undefined, 0, 57, 200, 9999]) {
            for (const bounds of [
              {},
              { throughSeq: 130 },
              { fromMs: timeOf(0) + 20, toMs: timeOf(0) + 41 },
              { throughSeq: 250, fromMs: timeOf(0) + 90 },
              { maxBytes: 700 },
              { limit: 5 },
            ]) {
              const request = { classes, newestFirst, afterSeq, limit: 1000, ...bounds }
              expect(readAll(engine, request), JSON.stringify(request)).toEqual(expected(all, request))
              compared += 1
            }
          }
        }
      }
      expect(compared).toBe(240)
    })
  })

  it('always returns one record, however small the byte limit, so that a reader gets on', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      engine.commit(
        [1, 2].map((n) => ({ class: 'stat', timestamp: n, bodyJson: JSON.stringify({ text: 'x'.repeat(5000) }) })),
      )
      expect(readAll(engine, { maxBytes: 10 }).map(({ seq }) => seq)).toEqual([1])
    })
  })

  it('goes on across commits and evictions between its steps, and stops at where the log ended when it began', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, { maxBytes: 20_000, segmentBytes: 3000 }), (engine) => {
      const write = (): void => {
        engine.commit([{ class: 'normal', timestamp: 1, bodyJson: JSON.stringify({ text: 'x'.repeat(500) }) }])
        engine.enforceRetention()
      }
      for (let n = 0; n < 20; n += 1) write()
      const steps = readRange(engine.source(), { classes: ['normal'], limit: 1000 })
      const seqs: number[] = []
      for (const record of steps) {
        write()
        write()
        if (record !== null) seqs.push(record.seq)
      }
      expect(seqs.length).toBeGreaterThan(0)
      expect(Math.max(...seqs)).toBeLessThanOrEqual(20)
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
      expect(engine.status().firstSeq).toBeGreaterThan(20)
    })
  })

  it('leaves out a frame that was damaged after the start and counts it once', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 3; n += 1) engine.commit([{ class: 'stat', timestamp: n, bodyJson: '{}' }])
      const [segment = ''] = folder.segments()
      folder.edit(segment, (bytes) => {
        bytes.writeUInt8(0, 90)
        return bytes
      })
      for (let time = 0; time < 3; time += 1) expect(readAll(engine).map(({ seq }) => seq)).toEqual([2, 3])
      expect(engine.status().corruptBlocks).toBe(1)
    })
  })

  it('fails when the disk lets nothing be read now, and then leaves out no record', async () => {
    using folder = storeFolder()
    const store = await openStore({ dir: folder.dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 65_536 })
    try {
      const body = { filling: 'x'.repeat(3000) }
      for (let n = 0; n < 100; n += 1) {
        await store.append([{ class: 'abnormal', timestamp: 1_793_000_000_000 + n, body: { ...body, n } }])
      }
      const [oldest = ''] = folder.segments()
      renameSync(oldest, `${oldest}.away`)
      mkdirSync(oldest)
      const request = { classes: ['abnormal'], limit: 1000 } as const
      await expect(store.read(request)).rejects.toMatchObject({ code: 'STORE_FAILING' })
      expect(await store.append([{ class: 'abnormal', timestamp: 1_793_000_000_100, body }])).toMatchObject({
        stored: true,
      })
      rmSync(oldest, { recursive: true })
      renameSync(`${oldest}.away`, oldest)
      expect(await store.read(request)).toHaveLength(101)
    } finally {
      await store.close()
    }
  })
})
