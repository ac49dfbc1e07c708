import { describe, expect, it } from 'vitest'
import { cursorsOf } from '../../../edge-daemon/store/chain-file.ts'
import type { PlainRecord } from '../../../edge-daemon/store/commit.ts'
import { nodeDisk } from '../../../edge-daemon/store/disk.ts'
import { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { isUpstream } from '../../../edge-daemon/store/targets.ts'
import { RECORD_CLASSES, UPSTREAM_CLASSES } from '../../../protocol/subjects.ts'
import { engineOptions, readAll, storeFolder } from '../../support/store-folder.ts'

function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return Math.floor((state / 2_147_483_648) * below)
  }
}

/** The backlog by looking at every record that can be read. */
function counted(engine: LogEngine, target: string): object {
  const cursors = cursorsOf(engine.targets.chains()[target] ?? {})
  const waiting = readAll(engine).filter(
    (record) => isUpstream(record.class) && record.seq > (cursors[record.class] ?? 0),
  )
  return {
    records: waiting.length,
    bytes: waiting.reduce((sum, { line }) => sum + Buffer.byteLength(line) + 1, 0),
    byClass: Object.fromEntries(
      UPSTREAM_CLASSES.map((name) => [name, waiting.filter((record) => record.class === name).length]),
    ),
    oldestAt: waiting.length === 0 ? null : Math.min(...waiting.map(({ timestamp }) => timestamp)),
  }
}

/** Nothing is synced: what is counted does not hang on it. */
const HASTY_DISK = { ...nodeDisk, sync: () => {}, syncFolder: () => {} }

describe('the backlog of a target', () => {
  it.each([11, 12, 13])(
    'is what looking at every record says, through commits, acknowledgements inside frames, evictions and restarts (seed %i)',
    (seed) => {
      using folder = storeFolder()
      const below = numbers(seed)
      let clock = 1_793_000_000_000
      const options = engineOptions(folder.dir, {
        maxBytes: 30_000,
        segmentBytes: 5000,
        nowMs: () => clock,
        disk: HASTY_DISK,
      })
      let engine = LogEngine.open(options)
      let evicted = 0
      for (let step = 0; step < 160; step += 1) {
        const records = Array.from({ length: 1 + below(30) }, (): PlainRecord => {
          clock += 1
          const recordClass = RECORD_CLASSES[below(RECORD_CLASSES.length)] ?? 'normal'
          return { class: recordClass, timestamp: clock, bodyJson: JSON.stringify({ text: '字'.repeat(below(60)) }) }
        })
        engine.commit(records)
        evicted += engine.enforceRetention().length
        const recordClass = UPSTREAM_CLASSES[below(UPSTREAM_CLASSES.length)] ?? 'stat'
        if (step % 2 === 0) engine.saveCursor('nats', recordClass, engine.lastSeq - below(90))
        if (step % 3 === 0) engine.saveCursor('http', recordClass, engine.lastSeq - below(400))
        if (step % 40 === 39) {
          engine.close()
          engine = LogEngine.open(options)
        }
        for (const target of ['nats', 'http', '']) {
          expect(engine.targets.backlogs()[target], `step ${step}, target ${target}`).toEqual(counted(engine, target))
        }
      }
      expect(evicted).toBeGreaterThan(5)
      engine.close()
    },
  )

  it('never counts a record again for a cursor that was said to be further than the log', () => {
    using folder = storeFolder()
    const engine = LogEngine.open(engineOptions(folder.dir))
    const record = { class: 'stat', timestamp: 1, bodyJson: '{}' } as const
    engine.commit([record])
    engine.saveCursor('nats', 'stat', 1_000_000)
    engine.commit([record])
    expect(cursorsOf(engine.targets.chains().nats ?? {})).toEqual({ stat: 1 })
    expect(engine.targets.backlogs().nats?.records).toBe(1)
    engine.close()
  })
})
