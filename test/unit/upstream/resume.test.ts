import { expect, it } from 'vitest'
import { DiskEpoch } from '../../../edge-daemon/upstream/disk-epoch.ts'
import { LaneChain } from '../../../edge-daemon/upstream/lane-chain.ts'
import { Resume } from '../../../edge-daemon/upstream/resume.ts'
import type { Holding } from '../../../edge-daemon/upstream/wire.ts'
import type { UpstreamClass } from '../../../protocol/subjects.ts'
import { MemoryStore } from '../../support/memory-store.ts'

/** A receiver that holds a block of this epoch which is not from this disk. */
function foreign(epoch: string): Holding {
  const block = { epoch, firstSeq: 90, lastSeq: 99, digest: 'd'.repeat(64), position: 7 }
  return { outcome: 'holds', block, archive: 'a', after: 7, expired: false }
}

it('lanes that asked before another one forked the disk do not fork it again', async () => {
  const store = new MemoryStore()
  const epoch = store.epoch
  const records = (['abnormal', 'stat'] as const).map((name) => ({ class: name, timestamp: 1, body: {} }))
  await store.append(records)
  const disk = new DiskEpoch(store, { info: () => undefined, warn: () => undefined })
  const answers = new Map<UpstreamClass, (holding: Holding) => void>()
  const lane = (recordClass: UpstreamClass) => {
    const chain = new LaneChain({ target: 'nats', recordClass, store, syncedAfterMs: 1000, onDue: () => undefined })
    const holding = () => new Promise<Holding>((resolve) => answers.set(recordClass, resolve))
    const options = { target: 'nats', recordClass, subject: recordClass, store, chain, disk, wire: { holding } }
    return new Resume({ ...options, nowMs: Date.now, onRewound: () => undefined })
  }
  const [first, second] = [lane('abnormal').settle(epoch), lane('stat').settle(epoch)]
  answers.get('abnormal')?.(foreign(epoch))
  expect(await first).toEqual({ outcome: 'moved' })
  expect(store.forks.length).toBe(1)
  answers.get('stat')?.(foreign(epoch))
  expect(await second).toEqual({ outcome: 'moved' })
  expect(store.forks.length).toBe(1)
})

it('an answer from before the link broke settles nothing, for no epoch', async () => {
  const store = new MemoryStore()
  await store.append([{ class: 'abnormal', timestamp: 1, body: {} }])
  const disk = new DiskEpoch(store, { info: () => undefined, warn: () => undefined })
  const asked: string[] = []
  const nothing: Holding = {
    outcome: 'nothing',
    archive: 'a',
    after: 0,
    lastPosition: 0,
    foreignEpoch: null,
    keepsMarks: true,
  }
  const chain = new LaneChain({
    target: 'nats',
    recordClass: 'abnormal',
    store,
    syncedAfterMs: 1000,
    onDue: () => undefined,
  })
  chain.sending({ epoch: 'before', firstSeq: 1, lastSeq: 1, digest: 'd'.repeat(64), position: 0 })
  const wire = {
    holding: async ({ epoch }: { epoch: string }): Promise<Holding> => {
      asked.push(epoch)
      // The link breaks and comes back while the second is asked about.
      if (asked.length === 2) resume.unsettle()
      return nothing
    },
  }
  const resume = new Resume({
    target: 'nats',
    recordClass: 'abnormal',
    subject: 'abnormal',
    store,
    chain,
    disk,
    wire,
    nowMs: Date.now,
    onRewound: () => undefined,
  })
  expect(await resume.settle(store.epoch)).toEqual({ outcome: 'settled' })
  expect(asked).toEqual(['before', store.epoch, 'before'])
})
