import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RunRequest, StoredRun } from '../../../edge-daemon/store/contract.ts'
import type { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { readRun } from '../../../edge-daemon/store/run-read.ts'
import { KeyRing } from '../../../edge-daemon/store/seal.ts'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { engineOptions, plain, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

const ALL: RunRequest = { class: 'stat', afterSeq: 0, limit: 1e6, maxBytes: 1e9 }

function run(engine: LogEngine, request: Partial<RunRequest> = {}): StoredRun | null {
  const steps = readRun(engine.source(), { ...ALL, ...request })
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

function linesOf(found: StoredRun | null): string[] {
  return Buffer.from(found?.ndjson ?? [])
    .toString()
    .split('\n')
    .slice(0, -1)
}

describe('reading records as bytes', () => {
  it('gives the same lines, sequences and times as reading records, whatever the bounds', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 60; n += 1)
        engine.commit(plain('stat', 'normal', 'stat', ...(n % 3 === 0 ? ['stat' as const] : [])))
      engine.commit(plain(...Array.from({ length: 300 }, () => 'stat' as const)))
      const whole = readAll(engine, { classes: ['stat'] })
      for (const [afterSeq, throughSeq, limit, maxBytes] of [
        [0, 1e9, 1e6, 1e9],
        [1, 1e9, 1e6, 1e9],
        [7, 190, 1e6, 1e9],
        [0, 1e9, 1, 1e9],
        [50, 1e9, 17, 1e9],
        [0, 1e9, 1e6, 1],
        [33, 1e9, 1e6, 700],
        [210, 333, 1e6, 4000],
      ] as const) {
        let bytes = 0
        const wanted = whole
          .filter(({ seq }) => seq > afterSeq && seq <= throughSeq)
          .filter(({ line }, position) => {
            bytes += Buffer.byteLength(line) + 1
            return position < limit && (position === 0 || bytes <= maxBytes)
          })
        const found = run(engine, { afterSeq, throughSeq, limit, maxBytes })
        expect(linesOf(found)).toEqual(wanted.map(({ line }) => line))
        expect([...(found?.timestamps ?? [])]).toEqual(wanted.map(({ timestamp }) => timestamp))
        expect(found).toMatchObject({ firstSeq: wanted[0]?.seq, lastSeq: wanted.at(-1)?.seq, epoch: engine.epoch })
      }
      expect(run(engine, { afterSeq: whole.at(-1)?.seq ?? 0 })).toBeNull()
      expect(run(engine, { class: 'alert' })).toBeNull()
    })
  })

  it('ends where the epoch changes, and goes on behind it', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      engine.commit(plain('stat', 'stat'))
      const before = engine.epoch
      engine.beginEpoch('cloned', 'another disk goes on in it')
      engine.commit(plain('stat'))
      const first = run(engine)
      expect(first).toMatchObject({ epoch: before, firstSeq: 1, lastSeq: 2 })
      expect(run(engine, { afterSeq: 2 })).toMatchObject({ epoch: engine.epoch, timestamps: { length: 1 } })
    })
  })

  it('leaves out a damaged frame, counts it, and goes on', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      engine.commit(plain('stat'))
      engine.commit(plain('stat'))
      engine.commit(plain('stat'))
      const [segment = ''] = folder.segments()
      folder.edit(segment, (bytes) => {
        const middle = bytes.indexOf('"seq":2,')
        bytes.writeUInt8(bytes.readUInt8(middle + 3) ^ 1, middle + 3)
        return bytes
      })
      expect(linesOf(run(engine)).map((line) => JSON.parse(line).seq)).toEqual([1, 3])
      expect(engine.status().corruptBlocks).toBe(1)
    })
  })

  it('stops before what is sealed under a missing key, and refuses to begin with it', () => {
    using folder = storeFolder()
    const key = (id: number) => ({ id, secret: new Uint8Array(32).fill(id) })
    const first = { keys: [key(1)], lost: [] }
    withEngine(engineOptions(folder.dir, { keys: first }), (engine) => engine.commit(plain('stat', 'stat')))
    withEngine(engineOptions(folder.dir, { keys: { keys: [key(1), key(2)], lost: [] } }), (engine) => {
      engine.commit(plain('stat'))
    })
    withEngine(engineOptions(folder.dir, { keys: first }), (engine) => {
      expect(run(engine)).toMatchObject({ firstSeq: 1, lastSeq: 2 })
      expect(() => run(engine, { afterSeq: 2 })).toThrow('sealed under key 2')
    })
    expect(new KeyRing(first).has(2)).toBe(false)
  })

  it('comes over from the worker, and null when there is nothing', async () => {
    using folder = storeFolder()
    const store = await openStore({ dir: folder.dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 64e6 })
    expect(await store.readRun(ALL)).toBeNull()
    await store.append([{ class: 'stat', timestamp: 5, body: { 文: '字' } }])
    const found = await store.readRun(ALL)
    expect(linesOf(found).map((line) => JSON.parse(line))).toEqual([{ seq: 1, node_id: 'n1', timestamp: 5, 文: '字' }])
    await store.close()
    await expect(store.readRun(ALL)).rejects.toThrow('closed')
  })
})

it('puts much of one class into several frames of one commit, which is whole or not there', () => {
  using folder = storeFolder()
  const many = Array.from({ length: 3000 }, (_, n) => ({
    class: n % 10 === 0 ? ('alert' as const) : ('stat' as const),
    timestamp: n,
    bodyJson: JSON.stringify({ text: 'x'.repeat(200) }),
  }))
  withEngine(engineOptions(folder.dir), (engine) => {
    engine.commit(many)
    const found = readAll(engine, { classes: ['stat', 'alert'] })
    expect(found.map(({ seq }) => seq)).toEqual(many.map((_, n) => n + 1))
    expect(run(engine, { limit: 10 })).toMatchObject({ firstSeq: 2, lastSeq: 12 })
  })
  const [segment = ''] = folder.segments()
  folder.edit(segment, (bytes) => bytes.subarray(0, bytes.length - 1))
  // As if the commit had not been answered: the watermark never heard of it.
  rmSync(join(folder.dir, 'watermark'))
  withEngine(engineOptions(folder.dir), (engine) => expect(readAll(engine, { classes: ['stat', 'alert'] })).toEqual([]))
})
