import { afterEach, beforeEach, expect, it } from 'vitest'
import { RECORD_CLASSES } from '../../../protocol/subjects.ts'
import { readClouds } from '../../../src/cloud/cloud-range.ts'
import { runCompare } from '../../../src/commands/compare.ts'
import { runResend } from '../../../src/commands/resend.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { DaemonHome, eventually, postPicture, SOURCE } from '../../support/edge-daemon.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'
import { samplePicture } from '../../support/pictures.ts'

let nats: NatsFixture
let home: DaemonHome
beforeEach(async () => {
  nats = await natsFixture()
  await nats.addStream()
  home = new DaemonHome()
})
afterEach(async () => {
  await home[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
})

it('a range that is sent again twice is there once for who reads, and normal results come along when named', async () => {
  home.configure({ 'upstream.nats.servers': [nats.url] })
  const { inferUrl, liveUrl } = await home.serve({ program: SOURCE })
  const fromMs = Date.now() - 1000
  for (let n = 0; n < 5; n += 1) {
    await postPicture(inferUrl, samplePicture(7))
    await postPicture(inferUrl, Buffer.from(`no picture ${n}`))
  }
  const clouds = [{ name: 'east', servers: [nats.url], stream: 'EDGE' }]
  const read = () =>
    readClouds(
      clouds,
      { node: 'n1', site: null, classes: RECORD_CLASSES, fromMs, toMs: Date.now() },
      new AbortController().signal,
    )
  const abnormal = async () => (await read()).records.filter(({ recordClass }) => recordClass === 'abnormal').length
  await eventually(async () => (await abnormal()) === 5, { what: 'the results go up' })

  const common = {
    name: 'n1',
    node: { key: 'n1', url: liveUrl },
    access: { version: '0.0.0' },
    fromMs,
    toMs: Date.now(),
  }
  const ask = (requestId: string) =>
    runResend(
      {
        ...common,
        classes: ['abnormal', 'normal'],
        target: null,
        why: null,
        requestId,
        again: true,
        wait: true,
        format: 'json',
        timeoutMs: 60_000,
        pollMs: 50,
      },
      new CapturedIo(),
    )
  expect(await ask('r1')).toBe(true)
  expect(await ask('r1')).toBe(true)
  const once = await read()
  expect(once.copies).toMatchObject({ twice: 0, resent: 5 })
  expect(once.conflicts).toEqual([])
  expect(once.records.filter(({ recordClass }) => recordClass === 'normal')).toHaveLength(5)
  expect(await ask('r2')).toBe(true)
  const twice = await read()
  // Normal results have no live copy: the second request's are copies of the first's.
  expect(twice.copies).toMatchObject({ twice: 0, resent: 15 })
  expect(twice.records.map(({ line }) => line)).toEqual(once.records.map(({ line }) => line))
  const outcome = await runCompare({ ...common, clouds, format: 'json', timeoutMs: 60_000 }, new CapturedIo())
  expect(outcome).toBe('sound')
})
