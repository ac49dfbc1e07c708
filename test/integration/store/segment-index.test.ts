import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { FRAME_MAGIC } from '../../../edge-daemon/store/frame.ts'
import type { LogIndex } from '../../../edge-daemon/store/log-index.ts'
import { recoverLog } from '../../../edge-daemon/store/recover.ts'
import type { RecordClass } from '../../../protocol/subjects.ts'
import { seededRandom } from '../../support/random.ts'
import { engineOptions, ledgerOf, plain, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

const SMALL = { segmentBytes: 20_000 }
const CLASSES: readonly RecordClass[] = ['normal', 'abnormal', 'log', 'sample']

/** Five segments and more; returns the last sequence. */
function fill(dir: string): number {
  const random = seededRandom(7)
  return withEngine(engineOptions(dir, SMALL), (engine) => {
    while (engine.status().segments < 6) {
      engine.commit(plain(...CLASSES.filter(() => random() < 0.5), 'normal'))
    }
    return engine.lastSeq
  })
}

/** All that an index knows. */
function everything({ segments, bytes, records }: LogIndex): unknown {
  return {
    bytes,
    records,
    segments: segments.map((segment) => ({
      path: basename(segment.path),
      bytes: segment.bytes,
      startSeq: segment.startSeq,
      end: segment.end,
      keys: [...segment.keys],
      tables: Array.from(segment.tables, ([recordClass, table]) => [
        recordClass,
        table.records,
        table.frameBytes,
        Array.from({ length: table.length }, (_, position) => table.at(position)),
      ]),
    })),
  }
}

const indexesOf = (dir: string): string[] => readdirSync(join(dir, 'indexes')).map((name) => join(dir, 'indexes', name))

/** Flip a byte of a file without a trace in its time of change, as a bad disk does. */
function rot(path: string, at: number): void {
  const before = `${path}.before`
  execFileSync('cp', ['-p', path, before])
  const bytes = readFileSync(path)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(path, bytes)
  execFileSync('touch', ['-r', before, path])
  rmSync(before)
}

describe('the index of a finished segment', () => {
  it('tells a start all that reading the segment would, and is there for each but the newest', () => {
    using folder = storeFolder()
    const lastSeq = fill(folder.dir)
    expect(indexesOf(folder.dir).map((path) => basename(path))).toEqual(
      folder
        .segments()
        .slice(0, -1)
        .map((path) => `${basename(path)}.idx`),
    )
    const quick = recoverLog(folder.dir, lastSeq)
    rmSync(join(folder.dir, 'indexes'), { recursive: true })
    const whole = recoverLog(folder.dir, lastSeq)
    expect(everything(quick.index)).toEqual(everything(whole.index))
    expect(quick).toMatchObject({ lastSeq, epoch: whole.epoch, damages: [] })
    // What was read is not read again.
    expect(indexesOf(folder.dir)).toHaveLength(5)
  })

  it('is not believed when any of its bytes is damaged, nor when it is short, nor for another segment', () => {
    using folder = storeFolder()
    const lastSeq = fill(folder.dir)
    const sound = everything(recoverLog(folder.dir, lastSeq).index)
    const [first = '', second = ''] = indexesOf(folder.dir)
    const good = readFileSync(first)
    for (let at = 0; at < good.length; at += at < 14 ? 1 : 61) {
      const bad = Buffer.from(good)
      bad.writeUInt8(bad.readUInt8(at) ^ 0x20, at)
      writeFileSync(first, bad)
      expect(everything(recoverLog(folder.dir, lastSeq).index), `byte ${at}`).toEqual(sound)
      writeFileSync(first, good.subarray(0, at))
      expect(everything(recoverLog(folder.dir, lastSeq).index), `length ${at}`).toEqual(sound)
    }
    copyFileSync(second, first)
    expect(everything(recoverLog(folder.dir, lastSeq).index)).toEqual(sound)
    expect(readFileSync(first).equals(good)).toBe(true)
  })

  it('is not believed for a segment that changed since: damage in it is set aside and in the ledger as ever', () => {
    using folder = storeFolder()
    fill(folder.dir)
    const [first = '', second = '', third = ''] = folder.segments()
    folder.edit(first, (bytes) => {
      const at = bytes.indexOf(FRAME_MAGIC, 9000) + 90
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      return bytes
    })
    truncateSync(second, statSync(second).size - 1)
    appendFileSync(third, 'x')
    withEngine(engineOptions(folder.dir, SMALL), (engine) => {
      expect(ledgerOf(engine).map(({ event }) => event)).toEqual(['corrupt', 'corrupt', 'corrupt'])
    })
    expect(indexesOf(folder.dir).map((path) => basename(path, '.idx'))).not.toContain(basename(first))
  })

  it('leaves what went bad under it to who reads: it is left out, counted, set aside and in the ledger once, and its neighbours are there', () => {
    using folder = storeFolder()
    const lastSeq = fill(folder.dir)
    const all = withEngine(engineOptions(folder.dir, SMALL), (engine) => readAll(engine).map(({ seq }) => seq))
    const [first = ''] = folder.segments()
    rot(first, readFileSync(first).indexOf(FRAME_MAGIC, 9000) + 90)
    withEngine(engineOptions(folder.dir, SMALL), (engine) => {
      expect(engine.status().corruptBlocks).toBe(0)
      const read = readAll(engine).map(({ seq }) => seq)
      const lost = all.filter((seq) => !read.includes(seq))
      expect(lost.length).toBeGreaterThan(0)
      expect(lost.length).toBeLessThanOrEqual(4)
      expect(engine.status().corruptBlocks).toBe(1)
      expect(engine.lastSeq).toBe(lastSeq)
      engine.commit(plain('normal'))
      const [entry] = ledgerOf(engine)
      expect(entry).toMatchObject({ event: 'corrupt', reason: 'checksum' })
      expect(lost.every((seq) => seq >= (entry?.first_seq ?? Number.NaN) && seq <= (entry?.last_seq ?? 0))).toBe(true)
      expect((entry?.last_seq ?? 0) - (entry?.first_seq ?? 0)).toBeLessThan(16)
    })
    expect(readdirSync(join(folder.dir, 'quarantine'))).toHaveLength(1)
    withEngine(engineOptions(folder.dir, SMALL), (engine) => {
      readAll(engine)
      engine.commit(plain('normal'))
      expect(ledgerOf(engine)).toHaveLength(1)
    })
  })

  it('goes with its segment, and comes with one that is rewritten', () => {
    using folder = storeFolder()
    fill(folder.dir)
    withEngine(engineOptions(folder.dir, { ...SMALL, maxBytes: 60_000 }), (engine) => {
      expect(engine.status().bytes).toBeLessThan(60_000)
    })
    const older = folder.segments().slice(0, -1)
    expect(older.some((path) => basename(path).includes('-'))).toBe(true)
    expect(indexesOf(folder.dir).map((path) => basename(path, '.idx'))).toEqual(older.map((path) => basename(path)))
    rmSync(folder.segments()[0] ?? '')
    const engine = LogEngine.open(engineOptions(folder.dir, SMALL))
    engine.close()
    expect(indexesOf(folder.dir)).toHaveLength(folder.segments().length - 1)
  })
})
