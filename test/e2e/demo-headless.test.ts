import { readdirSync } from 'node:fs'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from 'nats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BLOCK_HEADERS, subjectOf } from '../../protocol/subjects.ts'
import { DEMO_STREAM } from '../../src/demo/nats-stream.ts'
import { HeadlessDemo } from '../support/headless-demo.ts'
import { isAlive, SeenProcesses } from '../support/process-tree.ts'

/** Pictures that a camera of the demo sends a second. */
const CAMERA_PER_SEC = 6

/** Headers of the last block of unreadable pictures that the cloud holds of a node; null when it holds none. */
async function lastResults(cloudUrl: string, origin: { site: string; node: string }) {
  const connection = await connect({ servers: cloudUrl })
  try {
    const manager = await jetstreamManager(connection)
    const held = await manager.streams.getMessage(DEMO_STREAM, { last_by_subj: subjectOf(origin, 'abnormal') })
    return held?.header ?? null
  } finally {
    await connection.close()
  }
}

/** The demo runs once; the tests are a story in order. */
describe('the headless demo', () => {
  let demo: HeadlessDemo

  beforeAll(async () => {
    demo = new HeadlessDemo()
    await demo.untilServing()
  })

  afterAll(async () => {
    await demo[Symbol.asyncDispose]()
  })

  it('runs three daemons that serve their cameras', () => {
    expect(demo.latest.nodes.map(({ name, site }) => ({ name, site }))).toEqual([
      { name: 'node-1', site: 'plant-a' },
      { name: 'node-2', site: 'plant-a' },
      { name: 'node-3', site: 'warehouse-东' },
    ])
    for (const node of demo.latest.nodes) {
      expect(isAlive(node.pid as number)).toBe(true)
      expect(node.inferUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/infer$/)
      expect(node.liveUrl).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/live$/)
      expect(readdirSync(node.stateDir).length).toBeGreaterThan(0)
      expect(node.p99Ms).toBeGreaterThanOrEqual(node.p50Ms as number)
    }
    expect(demo.latest.cloud).toEqual({ kind: 'nats', url: expect.stringMatching(/^nats:\/\/127\.0\.0\.1:\d+$/) })
  })

  it('answers a line it does not know with the commands there are', async () => {
    demo.send('explode node-1')
    demo.send('kill node-9')
    await demo.until('both are refused', () => demo.stderr.includes('node-9'))
    expect(demo.stderr).toContain('"explode" is no command of the demo')
    expect(demo.stderr).toContain('there is no node "node-9"')
  })

  it('shows a killed node stale, then offline, while the others serve on: cut off, or slowed', async () => {
    const killed = new SeenProcesses()
    killed.note([demo.node('node-1').pid as number])
    const before = demo.node('node-2').backlogRecords ?? 0
    demo.send('kill node-1')
    demo.send('cut node-2')
    demo.send('garbage node-2')
    demo.send('slow node-3 300')
    await demo.until('node-1 is offline', () => demo.node('node-1').state === 'offline')
    expect(demo.statesOf('node-1').slice(-2)).toEqual(['stale', 'offline'])
    expect(killed.alive()).toEqual([])
    expect(demo.node('node-1')).toMatchObject({ pid: null, inferencesPerSec: null })
    await demo.until('node-2 serves on and keeps what it cannot send', () => {
      const { state, inferencesPerSec, backlogRecords } = demo.node('node-2')
      return state === 'up' && (inferencesPerSec ?? 0) > 0 && (backlogRecords ?? 0) > before + 20
    })
    await demo.until('node-3 is slow', () => (demo.node('node-3').p50Ms ?? 0) > 250)
    demo.send('slow node-3 0')
  })

  it('revives it on the same state and ports, and drains the backlog once the link is restored', async () => {
    const { stateDir, inferUrl, liveUrl } = demo.node('node-1')
    demo.send('revive node-1')
    demo.send('restore node-2')
    await demo.until('node-1 is up', () => (demo.node('node-1').inferencesPerSec ?? 0) > 0)
    expect(demo.node('node-1')).toMatchObject({ state: 'up', stateDir, inferUrl, liveUrl })
    await demo.until('the backlog is gone', () => demo.node('node-2').backlogRecords === 0)
    const block = await lastResults(demo.latest.cloud.url as string, { site: 'plant-a', node: 'node-2' })
    expect(block?.get(BLOCK_HEADERS.epoch)).toMatch(/^[0-9a-f]{32}$/)
  })

  it('stops the cameras on request', async () => {
    demo.send('cameras 0')
    await demo.until('nothing comes', () => demo.latest.nodes.every((node) => node.inferencesPerSec === 0))
  })

  it('saves nearly all of the bytes', () => {
    // Measured over the last minute, so the cameras' rest does not hide it. Only of a node that served all the while:
    // node-1 was dead for most of it and has sent little but telemetry since, node-2 sent a burst of faults.
    const sentPct = 100 - (demo.node('node-3').savedPct ?? 0)
    // Telemetry goes up by the second; of pictures a busy machine takes fewer than the cameras would send.
    const perSec = demo.recent('node-3').map(({ inferencesPerSec }) => inferencesPerSec ?? 0)
    const pace = perSec.reduce((sum, rate) => sum + rate, 0) / perSec.length / CAMERA_PER_SEC
    expect(sentPct * Math.min(1, pace)).toBeLessThanOrEqual(1.5)
  })

  it('leaves no process and no file when it is told to quit', async () => {
    expect(demo.note().length).toBeGreaterThanOrEqual(6)
    demo.send('quit')
    await demo.until('it ends', () => demo.ended !== null)
    expect(demo.ended).toEqual({ code: 0, signal: null })
    expect(demo.leftovers()).toEqual({ processes: [], files: [] })
  })
})
