import { appendFileSync, rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { AlertRecord } from '../../../protocol/records.ts'
import { DaemonHome, eventually, postPicture } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

const DISK_BYTES = 4_000_000

/** A command line before the daemon's that gives it a small disk of its own, which is gone with it; any user may. */
function onSmallDisk(dir: string): string[] {
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const mount = `mount -t tmpfs -o size=${DISK_BYTES} tmpfs "$0" && exec "$@"`
  return ['unshare', '--mount', ...asRoot, 'sh', '-c', mount, dir]
}

it('a full disk: answers go on as not stored, an alert says so, and all is well once there is space', async () => {
  await using home = new DaemonHome()
  home.configure({ 'alerts.clearAfter': '1s', 'log.maxBytes': '10KB', 'log.files': 1, 'faults.allow': true })
  const { daemon, inferUrl, liveUrl, epoch, pid } = await home.serve({ under: onSmallDisk(home.stateDir) })
  const console = await TestConsole.open(liveUrl)
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10_000 })
  console.send({ t: 'subscribe', id: 'a', topic: 'alerts', credits: 1000 })
  console.send({ t: 'subscribe', id: 'r', topic: 'results', credits: 1000 })
  const status = () => console.of('status').at(-1)
  const failingAlerts = (state: AlertRecord['state']) =>
    (console.rows('a') as AlertRecord[]).filter((row) => row.rule === 'store_failing' && row.state === state)
  const picture = samplePicture(4)
  const before = await postPicture(inferUrl, picture)
  expect(before).toMatchObject({ code: 200, stored: true, epoch })

  // The daemon's disk as another process reaches it.
  const filler = `/proc/${pid}/root${home.stateDir}/filler`
  const fill = () => expect(() => appendFileSync(filler, Buffer.alloc(2 * DISK_BYTES))).toThrow('ENOSPC')
  await console.until(() => status()?.store.reserve === 'kept')
  fill()
  let refused = 0
  await eventually(async () => {
    // What the daemon itself gives back is taken as well.
    fill()
    const answer = await postPicture(inferUrl, picture)
    expect(answer.code).toBe(200)
    if (answer.stored) return false
    expect(answer).toMatchObject({ pred: 4, epoch: null, seq: null, stored: false })
    refused += 1
    return refused > 20
  })
  await console.until(() => failingAlerts('firing').length === 1)
  expect(failingAlerts('firing')[0]).toMatchObject({ severity: 'critical', msg: expect.stringContaining('ENOSPC') })
  await console.until(() => {
    const { store, inference, conditions, alerts } = status() ?? {}
    return (
      store?.state === 'failing' &&
      inference?.counters.notStored === refused &&
      conditions?.some(({ code }) => code === 'store_failing') === true &&
      alerts?.some(({ rule }) => rule === 'store_failing') === true
    )
  })
  // Consoles see what is kept nowhere, as rows without a sequence.
  await console.until(() => console.rows('r').filter(({ seq }) => seq === 0).length === refused)
  const metrics = await (await fetch(new URL('/metrics', liveUrl.replace('ws:', 'http:')))).text()
  // Records do not use it up: below the floor nothing is evicted, and there is nothing to note.
  expect(status()?.store.reserve).toBe('kept')
  expect(metrics).toMatch(new RegExp(`not_stored\\S* ${refused}$`, 'm'))
  const first = status()?.conditions.find(({ code }) => code === 'store_failing')
  const frames = console.of('status').length
  await console.until(() => console.of('status').length > frames + 3)
  expect(status()?.conditions.find(({ code }) => code === 'store_failing')?.since).toBe(first?.since)

  // Who wants it cannot be written down, so it is not done.
  console.send({ t: 'command', id: 'c1', verb: 'fault.slow', args: { ms: 5 } })
  await console.until(() => console.of('error').length === 1)
  expect(console.of('error')[0]).toMatchObject({ code: 'AUDIT_FAILING', msg: expect.stringContaining('ENOSPC') })
  expect(status()?.faults).toEqual({})

  rmSync(filler)
  let after = before
  await eventually(async () => {
    after = await postPicture(inferUrl, picture)
    if (!after.stored) refused += 1
    return after.stored
  })
  expect(after).toMatchObject({ code: 200, epoch, stored: true })
  expect(after.seq).toBeGreaterThan(before.seq as number)
  await console.until(() => failingAlerts('resolved').length === 1)
  await console.until(() => status()?.store.state === 'ok' && status()?.alerts.length === 0)
  expect(status()?.conditions).toEqual([])
  console.close()
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
})
