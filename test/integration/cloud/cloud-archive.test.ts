import { expect, it } from 'vitest'
import { CloudArchive, demoClouds } from '../../../src/commands/cloud-archive.ts'
import type { CloudAddress } from '../../../src/config/cloud-address.ts'
import type { DemoControls } from '../../../src/demo/scenario.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { cloudBlock, cloudRecord, publishBlocks } from '../../support/cloud-blocks.ts'
import { natsFixture } from '../../support/nats-server.ts'

it('the screen reads the cloud as soon as there is one, by the name that the operator gave the node', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const alert = { rule: 'r', state: 'firing', severity: 'info', value: 1, threshold: 1, unit: '', since: 1, msg: 'm' }
  await publishBlocks(nats, cloudBlock([cloudRecord(1, alert)], { recordClass: 'alert' }))
  const fleet = new Fleet({ schedule: () => () => undefined })
  fleet.add('n1', { nowMs: Date.now() })
  let clouds: CloudAddress[] = []
  const archive = new CloudArchive(fleet, () => clouds)
  const read = async () => {
    let count = 0
    const sink = {
      rows: (page: { rows: readonly unknown[] }) => {
        count += page.rows.length
      },
      gap: () => undefined,
    }
    const range = { fromMs: 0, toMs: 9e15, kinds: ['alerts' as const] }
    const outcome = await archive.read('n1', range, sink, new AbortController().signal)
    return { ok: outcome.ok, count }
  }
  expect(await read()).toEqual({ ok: true, count: 0 })
  clouds = [{ name: 'east', servers: [nats.url], stream: 'EDGE' }]
  expect(await read()).toEqual({ ok: true, count: 1 })
})

it('a demo has a cloud to read once its nats-server runs', () => {
  const withCloud = (cloud: { kind: string; url: string | null }) =>
    demoClouds({ controls: { state: () => ({ cloud }) } as unknown as DemoControls })
  expect(withCloud({ kind: 'starting', url: null })).toEqual([])
  expect(withCloud({ kind: 'http', url: 'http://127.0.0.1:1/blocks' })).toEqual([])
  expect(withCloud({ kind: 'nats', url: 'nats://127.0.0.1:1' })).toEqual([
    { name: 'demo', servers: ['nats://127.0.0.1:1'], stream: 'EDGE' },
  ])
})
