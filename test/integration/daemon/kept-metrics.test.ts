import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openStore } from '../../../edge-daemon/store/store.ts'
import type { MetricRecord } from '../../../protocol/records.ts'
import type { SampleRecord } from '../../../protocol/status.ts'
import { DaemonHome, eventually, postPicture } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

/** The kept samples and minutes of a node, as a console reads them. */
async function readStatus(liveUrl: string): Promise<SampleRecord[]> {
  const console = await TestConsole.open(liveUrl)
  console.send({ t: 'read', id: 's', topic: 'status', fromMs: 0, toMs: 2e14, limit: 10_000, credits: 10_000 })
  await console.until(() => console.of('end').length === 1)
  console.close()
  return console.of('rows').flatMap((rows) => (rows.topic === 'status' ? rows.rows : []))
}

test('a console reads what a node was each second, up to now, also of the run before a kill -9', async () => {
  await using home = new DaemonHome()
  const first = await home.serve()
  for (let i = 0; i < 5; i += 1) await postPicture(first.inferUrl, samplePicture(i))
  const pictures = (samples: readonly SampleRecord[]): number =>
    samples.reduce((sum, { status }) => sum + status.inference.latency.total.count, 0)
  let before: readonly SampleRecord[] = []
  const isKept = async (): Promise<boolean> => {
    before = await readStatus(first.liveUrl)
    return before.length >= 3 && pictures(before) >= 5
  }
  await eventually(isKept, { what: 'three samples and all pictures are kept' })
  expect(pictures(before)).toBe(5)
  expect(before.at(-1)?.status.inference.counters).toMatchObject({ requests: 5 })
  for (const { window_ms } of before) expect(window_ms).toBeGreaterThan(500)
  first.daemon.kill()
  await first.daemon.ended

  const { daemon, liveUrl } = await home.serve()
  await eventually(async () => (await readStatus(liveUrl)).length > before.length, { what: 'it goes on' })
  const after = await readStatus(liveUrl)
  // A minute may have ended meanwhile; then it is one record for what was kept of it.
  expect(pictures(after)).toBe(5)
  expect(new Set(after.map(({ instance }) => instance)).size).toBeGreaterThanOrEqual(1)
  await daemon.stop()
})

test('only the metric that is abnormal is kept to go up: its begin, and its end when the rule is gone', async () => {
  await using home = new DaemonHome()
  const quiet = { name: 'never', when: 'host.cores > 100000.0' }
  home.configure({ 'filter.metrics': [quiet, { name: 'has_memory', when: 'host.memUsedBytes > 1.0', for: '1s' }] })
  const first = await home.serve()
  await eventually(() => first.daemon.lines.some((line) => line.includes('metric.abnormal')), { what: 'it is told' })
  await first.daemon.stop()
  home.configure({ 'filter.metrics': [quiet] })
  const second = await home.serve()
  await eventually(() => second.daemon.lines.some((line) => line.includes('metric.normal')), {
    what: 'its end is told',
  })
  const said = [...first.daemon.lines, ...second.daemon.lines].filter((line) => line.includes('"metric.'))
  expect(said[0]).toMatch(/has_memory: host\.memUsedBytes > 1\.0, host\.memUsedBytes is \d/)
  expect(said[1]).toMatch(/has_memory: over after \d+ s \(host\.memUsedBytes > 1\.0\)/)
  await second.daemon.stop()

  const store = await openStore({
    dir: join(home.stateDir, 'store'),
    nodeName: 'n1',
    maxBytes: 2e9,
    segmentBytes: 16e6,
  })
  const records = await store.read({ classes: ['metric'], limit: 100 })
  await store.close()
  const metrics = records.map(({ line }): MetricRecord => JSON.parse(line))
  expect(metrics.map(({ rule, state }) => `${rule} ${state}`)).toEqual(['has_memory abnormal', 'has_memory normal'])
  expect(metrics[0]?.expr).toBe('host.memUsedBytes > 1.0')
  expect(metrics[0]?.values['host.memUsedBytes']).toBeGreaterThan(1)
  expect(metrics[1]?.from).toBe(metrics[0]?.from)
})
