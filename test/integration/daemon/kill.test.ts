import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openStore } from '../../../edge-daemon/store/store.ts'
import type { StatRecord } from '../../../protocol/records.ts'
import { RECORD_CLASSES } from '../../../protocol/subjects.ts'
import {
  DaemonHome,
  type EdgeDaemonProcess,
  eventually,
  type InferAnswer,
  postPicture,
} from '../../support/edge-daemon.ts'
import { samplePicture } from '../../support/pictures.ts'
import { descendants, isAlive } from '../../support/process-tree.ts'

const SENDERS = 8
const AGGREGATE_COUNT = 30

/** Send pictures from many senders until the daemon dies; what it acknowledged. */
async function loadUntilDeath(inferUrl: string, kill: () => void, killAfter: number): Promise<InferAnswer[]> {
  const acknowledged: InferAnswer[] = []
  let isKilled = false
  await Promise.all(
    Array.from({ length: SENDERS }, async (_, sender) => {
      const picture = sender === 0 ? Buffer.from('no picture') : samplePicture(sender)
      for (;;) {
        try {
          acknowledged.push(await postPicture(inferUrl, picture))
        } catch {
          return
        }
        if (acknowledged.length < killAfter || isKilled) continue
        isKilled = true
        kill()
      }
    }),
  )
  return acknowledged
}

it('kill -9 under load, again and again: every answer is kept once, and statistics are neither doubled nor lost', async () => {
  await using home = new DaemonHome()
  home.configure({ 'filter.aggregateCount': AGGREGATE_COUNT })
  const acknowledged: InferAnswer[] = []
  const epochs = new Set<string>()
  for (const killAfter of [40, 300, 200]) {
    const { daemon, inferUrl, epoch } = await home.serve()
    epochs.add(epoch)
    const children = descendants(daemon.child.pid as number)
    expect(children.length).toBeGreaterThan(0)
    // The process alone, as the kernel's OOM killer would: what it started has to notice by itself.
    acknowledged.push(...(await loadUntilDeath(inferUrl, () => killAlone(daemon), killAfter)))
    expect(await daemon.ended).toEqual({ code: null, signal: 'SIGKILL' })
    await eventually(() => !children.some(isAlive), { what: 'the process of the model is gone too' })
  }
  const last = await home.serve()
  epochs.add(last.epoch)
  expect(await last.daemon.stop()).toEqual({ code: 0, signal: null })

  expect(acknowledged.length).toBeGreaterThan(540)
  expect(acknowledged.every(({ stored }) => stored)).toBe(true)
  expect(new Set(acknowledged.map(({ epoch }) => epoch))).toEqual(epochs)
  expect(epochs.size).toBe(1)

  const store = await openStore({
    dir: join(home.stateDir, 'store'),
    nodeName: 'n1',
    maxBytes: 1e9,
    segmentBytes: 16e6,
  })
  const kept = await store.read({ classes: RECORD_CLASSES, limit: 1_000_000 })
  await store.close()
  expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: kept.length }, (_, n) => n + 1))
  const recordOf = new Map(kept.map((record) => [record.seq, record]))
  expect(new Set(acknowledged.map(({ seq }) => seq)).size).toBe(acknowledged.length)
  for (const { seq, code, timestamp } of acknowledged) {
    const record = recordOf.get(seq as number)
    expect(record?.class).toBe(code === 200 ? 'normal' : 'abnormal')
    expect(JSON.parse(record?.line ?? '{}')).toMatchObject({ seq, code, timestamp })
  }

  const stats = kept.filter((record) => record.class === 'stat').map(({ line }) => JSON.parse(line) as StatRecord)
  const normal = kept.filter((record) => record.class === 'normal').map(({ seq }) => seq)
  expect(stats.length).toBeGreaterThan(10)
  let nextSeq = 1
  for (const { first_seq, last_seq, count } of stats) {
    expect(first_seq).toBeGreaterThanOrEqual(nextSeq)
    expect(count).toBe(normal.filter((seq) => seq >= first_seq && seq <= last_seq).length)
    nextSeq = last_seq + 1
  }
  const counted = stats.reduce((sum, { count }) => sum + count, 0)
  expect(counted).toBe(normal.filter((seq) => seq < nextSeq).length)
  expect(normal.length - counted).toBeLessThan(AGGREGATE_COUNT)
})

function killAlone(daemon: EdgeDaemonProcess): void {
  daemon.child.kill('SIGKILL')
}
