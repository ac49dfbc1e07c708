import { expect, it } from 'vitest'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import type { LogsCommandRequest } from '../../../src/command-line/log-commands.ts'
import { runLogs } from '../../../src/commands/logs.ts'
import { slicesOf } from '../../../src/commands/logs-cloud.ts'
import { cloudBlock, cloudRecord, publishBlocks } from '../../support/cloud-blocks.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { natsFixture } from '../../support/nats-server.ts'

const DAY_MS = 86_400_000

interface Printed {
  readonly kind: string
  readonly node: string
  readonly msg?: string
  readonly reason?: string
}

it('log lines of nodes are read from the cloud: in one order, filtered, counted, the newest of several logs first', async () => {
  await using nats = await natsFixture()
  await nats.addStream()
  const beginMs = Date.now() - 3_600_000
  const line = (node: string, seq: number, afterMs: number, msg: string, level = 'error') => {
    const timestamp = beginMs + afterMs
    return { ...cloudRecord(seq, { level, source: 'app', msg, timestamp }, node), timestamp }
  }
  const errors = (node: string, epoch: string, ...records: ReturnType<typeof line>[]) =>
    cloudBlock(records, { node, epoch, recordClass: 'error', prevSeq: null, heldAtMs: beginMs })
  await publishBlocks(
    nats,
    errors('n1', 'e1', line('n1', 900, 0, 'pump 1 failed'), line('n1', 901, 2000, 'pump 2 failed', 'fatal')),
    errors('n2', 'e1', line('n2', 5, 1000, 'no camera'), line('n2', 6, 3000, 'pump 3 failed')),
    // The node got another disk and counts from the start again.
    errors('n1', 'e2', line('n1', 1, 600_000, 'pump 4 failed'), line('n1', 2, 601_000, 'no space')),
  )
  const logs = async (...flags: string[]): Promise<{ isWhole: boolean; rows: Printed[]; err: string }> => {
    const io = new CapturedIo()
    const wish = readCommandLine(['logs', '--from-cloud', '-o', 'ndjson', ...flags], '0') as LogsCommandRequest
    const nodes = ['n1', 'n2'].map((name) => ({ key: name, url: null, site: 'plant' }))
    const clouds = [{ name: 'east', servers: [nats.url], stream: 'EDGE' }]
    const isWhole = await runLogs({ ...wish, nodes, clouds, access: { version: '0' }, colour: false }, io)
    const rows = io
      .out()
      .split('\n')
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as Printed)
    return { isWhole, rows, err: io.err() }
  }
  const said = async (...flags: string[]): Promise<unknown> =>
    (await logs(...flags)).rows.filter(({ kind }) => kind === 'line').map(({ node, msg }) => `${node} ${msg}`)
  const all = [
    'n1 pump 1 failed',
    'n2 no camera',
    'n1 pump 2 failed',
    'n2 pump 3 failed',
    'n1 pump 4 failed',
    'n1 no space',
  ]
  expect(await logs('--since', '2h')).toMatchObject({ isWhole: true, err: '' })
  expect(await said('--since', '2h')).toEqual(all)
  expect(await said('--since', '6d', '--reverse')).toEqual([...all].reverse())
  expect(await said('--tail', '3')).toEqual(all.slice(3))
  expect(await said('--since', '2h', '--level', 'fatal')).toEqual(['n1 pump 2 failed'])
  expect(await said('--since', '2h', '--grep', 'pump [34]')).toEqual(['n2 pump 3 failed', 'n1 pump 4 failed'])
  expect(await said('--since', '55m')).toEqual(['n1 pump 4 failed', 'n1 no space'])
  const { rows: steps } = await logs('--since', '2h', '--histogram')
  const counted = (steps as unknown as { error: number; fatal: number }[]).reduce(
    (sum, { error, fatal }) => ({ error: sum.error + error, fatal: sum.fatal + fatal }),
    { error: 0, fatal: 0 },
  )
  expect(counted).toEqual({ error: 5, fatal: 1 })
})

it('a long range is read in few slices that leave nothing out and nothing twice', () => {
  const slices = slicesOf({ fromMs: 0, toMs: 3650 * DAY_MS })
  expect(slices.length).toBeLessThan(15)
  expect(slices[0]).toEqual({ fromMs: 3649 * DAY_MS + 1, toMs: 3650 * DAY_MS })
  expect(slices.at(-1)?.fromMs).toBe(0)
  for (const [index, slice] of slices.entries()) {
    const older = slices[index + 1]
    if (older !== undefined) expect(older.toMs).toBe(slice.fromMs - 1)
  }
  expect(slicesOf({ fromMs: 7, toMs: 7 })).toEqual([{ fromMs: 7, toMs: 7 }])
})
