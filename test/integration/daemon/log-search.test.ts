import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addKey } from '../../../edge-daemon/store/key-file.ts'
import type { LogRecord } from '../../../protocol/records.ts'
import { DaemonHome, eventually } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'

let home: DaemonHome
let console: TestConsole

/** What ships, with a sealed store; its own lines are what is searched. */
beforeAll(async () => {
  home = new DaemonHome()
  const keyFile = join(home.dir, 'store.keys')
  addKey(keyFile)
  home.configure({ 'store.keyFile': keyFile, 'log.level': 'debug' })
  const { liveUrl } = await home.serve()
  console = await TestConsole.open(liveUrl)
})
afterAll(async () => {
  console.close()
  await home[Symbol.asyncDispose]()
})

const EVER = { fromMs: 0, toMs: 9e15 }

test('a node looks through its sealed log for who asks', async () => {
  const read = { t: 'read', topic: 'logs', ...EVER, limit: 100, newestFirst: true } as const
  const filter = { pattern: 'LISTENING', ignoreCase: true, sources: ['edge-*'] }
  // It says that it listens before that is kept.
  await eventually(async () => {
    const looks = console.of('end').length + 1
    console.send({ ...read, id: `l${looks}`, filter })
    await console.until(() => console.of('end').length === looks)
    return (console.rows(`l${looks}`) as LogRecord[]).some(({ msg }) => msg === 'listening')
  })
  const ends = console.of('end').length
  console.send({ ...read, id: 'r', filter })
  await console.until(() => console.of('end').length === ends + 1)
  const rows = console.rows('r') as LogRecord[]
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map(({ seq }) => seq).toSorted((a, b) => b - a))
  expect(console.of('end').slice(ends)).toMatchObject([{ id: 'r', truncated: false }])

  console.send({ ...read, id: 'e', filter: { level: 'error' } })
  const nowMs = Date.now()
  console.send({ t: 'tally', id: 't', fromMs: nowMs - 600_000, toMs: nowMs + 600_000, stepMs: 60_000 })
  console.send({ t: 'subscribe', id: 's', topic: 'logs', credits: 10, backlog: 1, filter: { pattern: 'listening' } })
  await console.until(
    () => console.of('end').length === ends + 2 && console.of('tallied').length === 1 && console.rows('s').length > 0,
  )
  expect(console.rows('e')).toEqual([])
  const counted = console.of('tallied').flatMap(({ steps }) => steps.flatMap(({ lines }) => lines))
  expect(counted.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(3)
  expect(console.of('error')).toEqual([])
})
