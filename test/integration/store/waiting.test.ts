import { describe, expect, it } from 'vitest'
import { NEW_CHAIN } from '../../../edge-daemon/store/chain-file.ts'
import type { EngineOptions, LogEngine } from '../../../edge-daemon/store/engine.ts'
import { UPSTREAM_CLASSES } from '../../../protocol/subjects.ts'
import { engineOptions, ledgerOf, plain, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

const COUNT = 6
const LIMITS = { abnormal: { maxBytes: null, maxAgeMs: 1000 } }

/** The target holds and has synced all abnormal results up to a sequence. */
function synced(engine: LogEngine, target: string, seq: number): void {
  expect(engine.saveChain(target, 'abnormal', { ...NEW_CHAIN, cursor: seq, syncedSeq: seq })).toBeNull()
}

/** How many abnormal results are left when all have outlived their age. */
function leftBehindTheirAge(awaited: EngineOptions['awaited'], acknowledge: (engine: LogEngine) => void): number {
  using folder = storeFolder()
  let monotonicMs = 0
  const options = engineOptions(folder.dir, { limits: LIMITS, awaited, monotonicMs: () => monotonicMs })
  withEngine(options, (engine) => {
    for (let n = 0; n < COUNT; n += 1) engine.commit(plain('abnormal'))
    acknowledge(engine)
  })
  // What the store goes by is what a start finds: chain files, and the configuration.
  return withEngine(options, (engine) => {
    for (let step = 0; step < 4; step += 1) {
      monotonicMs += 5000
      engine.enforceRetention()
    }
    const left = readAll(engine, { classes: ['abnormal'] }).length
    const backlogs = engine.targets.backlogs()
    expect(engine.status().byClass?.abnormal?.records).toBe(left)
    expect(backlogs['']?.byClass.abnormal).toBe(left)
    for (const { records, byClass } of Object.values(backlogs)) {
      expect(UPSTREAM_CLASSES.reduce((sum, name) => sum + byClass[name], 0)).toBe(records)
    }
    expect(ledgerOf(engine).filter(({ event }) => event === 'evicted')).toHaveLength(left === COUNT ? 0 : 1)
    return left
  })
}

describe('what waits for an uplink target', () => {
  it('is everything, for a target that is configured and never acknowledged anything', () => {
    expect(leftBehindTheirAge([['nats']], () => {})).toBe(COUNT)
    expect(leftBehindTheirAge([['nats'], ['http']], (engine) => synced(engine, 'nats', COUNT))).toBe(COUNT)
  })

  it('is nothing where no target is configured, or all of them have synced it', () => {
    expect(leftBehindTheirAge([], () => {})).toBe(0)
    const both = (engine: LogEngine): void => {
      synced(engine, 'nats', COUNT)
      synced(engine, 'http', COUNT)
    }
    expect(leftBehindTheirAge([['nats'], ['http']], both)).toBe(0)
    const some = (engine: LogEngine): void => synced(engine, 'nats', COUNT - 1)
    expect(leftBehindTheirAge([['nats']], some)).toBe(COUNT)
  })

  it('is nothing for a target that is configured no longer, whose chain stays for its return', () => {
    const acknowledge = (engine: LogEngine): void => {
      synced(engine, 'nats', COUNT)
      synced(engine, 'old', 1)
    }
    expect(leftBehindTheirAge([['nats']], acknowledge)).toBe(0)

    using folder = storeFolder()
    const options = engineOptions(folder.dir, { awaited: [['nats']] })
    withEngine(options, (engine) => {
      engine.commit(plain('abnormal', 'abnormal'))
      synced(engine, 'old', 1)
    })
    withEngine({ ...options, awaited: [['old']] }, (engine) => {
      expect(engine.targets.chains().old?.abnormal).toMatchObject({ cursor: 1, syncedSeq: 1 })
      expect(engine.targets.backlogs().old?.byClass.abnormal).toBe(1)
    })
  })

  it('is nothing that one region of a group has synced, whichever it is', () => {
    const group = [['eu', 'us', 'asia']]
    expect(leftBehindTheirAge(group, (engine) => synced(engine, 'us', COUNT))).toBe(0)
    expect(leftBehindTheirAge(group, () => {})).toBe(COUNT)
    expect(leftBehindTheirAge([...group, ['http']], (engine) => synced(engine, 'us', COUNT))).toBe(COUNT)
  })

  it('goes after what every configured target has, when bytes are short', () => {
    using folder = storeFolder()
    const options = engineOptions(folder.dir, { maxBytes: 40_000, segmentBytes: 8000, awaited: [['nats'], ['http']] })
    withEngine(options, (engine) => {
      const bulky = { timestamp: 1, bodyJson: JSON.stringify({ text: 'x'.repeat(900) }) }
      for (let n = 0; engine.status().evictedRecords === 0; n += 1) {
        engine.commit([{ ...bulky, class: n < 15 ? 'stat' : 'metric' }])
        for (const target of ['nats', 'http']) {
          const chain = { ...NEW_CHAIN, cursor: engine.lastSeq, syncedSeq: engine.lastSeq }
          engine.saveChain(target, 'metric', chain)
          // Statistics are older, and one of the targets never took any.
          if (target === 'nats') engine.saveChain(target, 'stat', chain)
        }
        engine.enforceRetention()
      }
      const [evicted] = ledgerOf(engine).filter(({ event }) => event === 'evicted')
      expect(Object.keys(evicted?.records ?? {})).toEqual(['metric'])
      expect(engine.targets.backlogs().http?.byClass).toMatchObject({ stat: 15, metric: 0 })
    })
  })
})
