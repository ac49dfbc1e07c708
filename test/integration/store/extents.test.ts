import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cursorsOf } from '../../../edge-daemon/store/chain-file.ts'
import { encodeCommit, type PlainRecord } from '../../../edge-daemon/store/commit.ts'
import { nodeDisk } from '../../../edge-daemon/store/disk.ts'
import { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { FRAME_MAGIC } from '../../../edge-daemon/store/frame.ts'
import { LogIndex } from '../../../edge-daemon/store/log-index.ts'
import { recoverLog } from '../../../edge-daemon/store/recover.ts'
import { SegmentWriter } from '../../../edge-daemon/store/segment-writer.ts'
import { isUpstream } from '../../../edge-daemon/store/targets.ts'
import type { LedgerRecord } from '../../../protocol/records.ts'
import { RECORD_CLASSES, type RecordClass, UPSTREAM_CLASSES } from '../../../protocol/subjects.ts'
import { engineOptions, plain, readAll, type StoreFolder, storeFolder, withEngine } from '../../support/store-folder.ts'

/** Numbers below a bound that look random and are the same in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

function damage(folder: StoreFolder, frames: readonly number[], byte = 90): void {
  const [segment = ''] = folder.segments()
  folder.edit(segment, (bytes) => {
    const offsets: number[] = []
    for (let at = bytes.indexOf(FRAME_MAGIC); at >= 0; at = bytes.indexOf(FRAME_MAGIC, at + 1)) offsets.push(at)
    for (const frame of frames) {
      const at = (offsets[frame] ?? 0) + byte
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at)
    }
    return bytes
  })
}

const seqsOf = (engine: LogEngine, ...classes: RecordClass[]): number[] =>
  readAll(engine, { classes }).map(({ seq }) => seq)

/** All rows of an index, as plain data. */
function rowsOf(index: LogIndex): object {
  return {
    bytes: index.bytes,
    records: index.records,
    segments: index.segments.map(({ path, bytes, tables }) => ({
      path,
      bytes,
      tables: Object.fromEntries(
        Array.from(tables, ([name, table]) => [name, Array.from({ length: table.length }, (_, n) => table.at(n))]),
      ),
    })),
  }
}

/** Take out of a list what a ledger record says is gone. */
function dropEvicted(
  list: { class: RecordClass; seq: number }[],
  { records, first_seq, last_seq }: LedgerRecord,
): void {
  const isGone = (record: { class: RecordClass; seq: number }): boolean =>
    record.class in records && record.seq >= (first_seq ?? 0) && record.seq <= (last_seq ?? 0)
  const left = list.filter((record) => !isGone(record))
  expect(list.length - left.length).toBe(Object.values(records).reduce((sum, count) => sum + count, 0))
  list.splice(0, list.length, ...left)
}

describe('extents of the log', () => {
  it.each([1, 2, 3])('are after a restart what they were before, many frames to each (seed %i)', (seed) => {
    using folder = storeFolder()
    mkdirSync(join(folder.dir, 'segments'), { recursive: true })
    const below = numbers(seed)
    const index = new LogIndex([])
    const place = { folder: join(folder.dir, 'segments'), segmentBytes: 60_000 }
    const writer = new SegmentWriter({ ...place, disk: { ...nodeDisk, sync: () => {} }, index, monotonicMs: () => 0 })
    const epoch = 'ab'.repeat(16)
    const encode = (firstSeq: number, classes: readonly RecordClass[]): ReturnType<typeof encodeCommit> =>
      encodeCommit(plain(...classes), { epoch, firstSeq, nodeJson: '"n1"' })
    let seq = 1
    let frames = 0
    for (let n = 0; n < 900; n += 1) {
      const classes = Array.from({ length: 1 + below(3) }, () => RECORD_CLASSES[below(3)] ?? 'normal')
      const commit = encode(seq, classes)
      const segment = writer.append(
        commit.frames.flatMap(({ buffers }) => buffers),
        seq,
      )
      for (const { header, frameBytes } of commit.frames) index.append(segment, header, frameBytes)
      frames += commit.frames.length
      seq = commit.lastSeq + 1
    }
    writer.close()
    const before = rowsOf(index)
    let rows = 0
    for (const { tables } of index.segments) for (const table of tables.values()) rows += table.length
    expect(index.segments.length).toBeGreaterThan(2)
    expect(rows).toBeLessThan(frames / 20)
    expect(rowsOf(recoverLog(folder.dir, seq - 1).index)).toEqual(before)

    // A commit that did not come to its end adds nothing to the extents, though its first frames are whole.
    const [first] = encode(seq, ['normal', 'abnormal']).frames
    appendFileSync(folder.segments().at(-1) ?? '', Buffer.concat(first?.buffers ?? []))
    expect(rowsOf(recoverLog(folder.dir, seq - 1).index)).toEqual(before)
  })

  it.each([21, 22, 23])(
    'read and count as a plain list does, through acknowledgements, evictions and restarts (seed %i)',
    (seed) => {
      using folder = storeFolder()
      const below = numbers(seed)
      const options = engineOptions(folder.dir, { maxBytes: 160_000, segmentBytes: 40_000, nowMs: () => 5000 })
      let engine = LogEngine.open(options)
      const list: { class: RecordClass; seq: number; timestamp: number; line: string }[] = []
      let evicted = 0
      for (let step = 0; step < 1500; step += 1) {
        const records = Array.from({ length: below(10) === 0 ? 4 : 1 }, (): PlainRecord => {
          const recordClass = RECORD_CLASSES[below(RECORD_CLASSES.length)] ?? 'normal'
          const bodyJson = JSON.stringify({ text: '字'.repeat(below(20)) })
          return { class: recordClass, timestamp: 1000 + step + below(40), bodyJson }
        })
        const firstSeq = engine.lastSeq + 1
        engine.commit(records)
        for (const [n, { class: recordClass, timestamp, bodyJson }] of records.entries()) {
          const line = `{"seq":${firstSeq + n},"node_id":"n1","timestamp":${timestamp},${bodyJson.slice(1)}`
          list.push({ class: recordClass, seq: firstSeq + n, timestamp, line })
        }
        for (const { own } of engine.enforceRetention()) {
          evicted += 1
          for (const { class: recordClass, seq, timestamp, line } of own) {
            dropEvicted(list, JSON.parse(line))
            list.push({ class: recordClass, seq, timestamp, line })
          }
        }
        const recordClass = UPSTREAM_CLASSES[below(UPSTREAM_CLASSES.length)] ?? 'stat'
        if (below(3) === 0) engine.saveCursor('nats', recordClass, engine.lastSeq - below(200))
        if (step % 500 === 499) {
          engine.close()
          engine = LogEngine.open(options)
        }
        if (step % 10 !== 0) continue

        const { firstSeq: kept } = engine.status()
        expect(list[0]?.seq).toBe(kept)
        const cursors: Partial<Record<RecordClass, number>> = cursorsOf(engine.targets.chains().nats ?? {})
        const waiting = list.filter((record) => isUpstream(record.class) && record.seq > (cursors[record.class] ?? 0))
        expect(
          engine.targets.backlogs()[Object.keys(cursors).length === 0 ? '' : 'nats'],
          `step ${step}`,
        ).toMatchObject({
          records: waiting.length,
          bytes: waiting.reduce((sum, { line }) => sum + Buffer.byteLength(line) + 1, 0),
        })
        const classes = RECORD_CLASSES.filter(() => below(2) === 0)
        const afterSeq = kept + below(engine.lastSeq - kept + 1)
        const throughSeq = afterSeq + below(300)
        const fromMs = 1000 + below(step + 1)
        const toMs = fromMs + below(400)
        const fitting = list.filter(
          (record) =>
            classes.includes(record.class) &&
            record.seq > afterSeq &&
            record.seq <= throughSeq &&
            record.timestamp >= fromMs &&
            record.timestamp <= toMs,
        )
        const request = { classes, afterSeq, throughSeq, fromMs, toMs }
        const lines = (newestFirst: boolean): string[] =>
          readAll(engine, { ...request, newestFirst }).map(({ line }) => line)
        expect(lines(false)).toEqual(fitting.map(({ line }) => line))
        expect(lines(true)).toEqual(fitting.map(({ line }) => line).reverse())
      }
      expect(evicted).toBeGreaterThan(0)
      engine.close()
    },
  )

  it('lose only the damaged frames, and damage is counted once, whichever class comes across it', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 20; n += 1) engine.commit(plain(n % 2 === 0 ? 'normal' : 'stat'))
      damage(folder, [4])
      damage(folder, [11], 13)
      for (let time = 0; time < 2; time += 1) {
        expect(seqsOf(engine, 'normal')).toEqual([1, 3, 7, 9, 11, 13, 15, 17, 19])
        expect(seqsOf(engine, 'stat')).toEqual([2, 4, 6, 8, 10, 14, 16, 18, 20])
        expect(engine.status().corruptBlocks).toBe(2)
      }
    })
  })

  it('do not reach over damage that a start found, so that it is not counted again', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 12; n += 1) engine.commit(plain(n % 2 === 0 ? 'normal' : 'stat'))
    })
    damage(folder, [4, 7])
    for (let start = 0; start < 2; start += 1) {
      withEngine(engineOptions(folder.dir), (engine) => {
        expect(seqsOf(engine, 'normal')).toEqual([1, 3, 7, 9, 11])
        expect(seqsOf(engine, 'stat')).toEqual([2, 4, 6, 10, 12])
        expect(engine.status().corruptBlocks).toBe(2)
      })
    }
  })

  it('leave nothing in a backlog when a frame behind the cursor is damaged after it was counted', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 10; n += 1) engine.commit(plain('alert'))
      engine.saveCursor('nats', 'alert', 4)
      expect(engine.targets.backlogs().nats?.records).toBe(6)
      damage(folder, [6])
      engine.commit(plain('alert'))
      expect(engine.targets.backlogs().nats?.records).toBe(7)
      engine.saveCursor('nats', 'alert', 11)
      expect(engine.targets.backlogs().nats).toMatchObject({ records: 0, bytes: 0, oldestAt: null })
      engine.commit(plain('alert'))
      expect(engine.targets.backlogs().nats).toMatchObject({ records: 1, oldestAt: 1_793_000_000_000 })
    })
  })

  it('give records the epoch that each was written in', () => {
    using folder = storeFolder()
    const epoch = withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 4; n += 1) engine.commit(plain('normal'))
      return engine.epoch
    })
    const [segment = ''] = folder.segments()
    folder.edit(segment, (bytes) => bytes.subarray(0, bytes.lastIndexOf(FRAME_MAGIC)))
    expect(readFileSync(segment).length).toBeGreaterThan(0)
    withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 2; n += 1) engine.commit(plain('normal'))
      const epochs = readAll(engine, { classes: ['normal'] }).map((record) => record.epoch)
      expect(epochs).toEqual([epoch, epoch, epoch, engine.epoch, engine.epoch])
      expect(engine.epoch).not.toBe(epoch)
    })
  })
})
