import { expect, it } from 'vitest'
import type { SampleRecord } from '../../../protocol/status.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { NodeHistorySource } from '../../../src/link/node-history.ts'
import { WebSocketLink } from '../../../src/link/websocket.ts'
import { decodePicture } from '../../../src/pictures/decode.ts'
import { Replay } from '../../../src/replay/replay.ts'
import { DaemonHome, eventually, postPicture } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

/** A console that is opened now over a daemon. */
function consoleOver(url: string) {
  const schedule = (fn: () => void, delayMs: number): (() => void) => {
    const timer = setTimeout(fn, delayMs)
    return () => clearTimeout(timer)
  }
  const live = new Fleet({ schedule })
  live.add('n1', { url, nowMs: Date.now() })
  const link = new WebSocketLink(
    { key: 'n1', url },
    {
      client: { name: 'test', version: '0' },
      interest: { status: true, alertBacklog: 10, logs: null },
      sink: (key, event) => live.apply(key, event, Date.now()),
    },
  )
  const sources = [new NodeHistorySource(() => link)]
  const replay = new Replay({ live, sources, schedule, now: Date.now })
  link.start()
  const stop = async (): Promise<void> => {
    replay.stop()
    await link.stop()
  }
  const nodeAt = (atMs: number) => replay.fleet.view(atMs, Date.now()).nodes[0]
  return { live, link, replay, nodeAt, [Symbol.asyncDispose]: stop }
}

/** What the daemon was in each second, as it keeps it. */
async function keptSamples(liveUrl: string): Promise<SampleRecord[]> {
  const session = await TestConsole.open(liveUrl)
  session.send({ t: 'read', id: 's', topic: 'status', fromMs: 0, toMs: 2e14, limit: 10_000, credits: 10_000 })
  await session.until(() => session.of('end').length === 1)
  session.close()
  return session.of('rows').flatMap((rows) => (rows.topic === 'status' ? rows.rows : []))
}

it('shows what a daemon did before this console was opened, and the picture of a flagged result', async () => {
  await using home = new DaemonHome()
  home.configure({ 'filter.minConfidence': 1 })
  const { inferUrl, liveUrl } = await home.serve()
  for (let i = 0; i < 10; i += 1) await postPicture(inferUrl, samplePicture(i % 10))
  const doneMs = Date.now()
  let atMs = 0
  // The past has to pass, and to be kept.
  await eventually(async () => {
    const sample = (await keptSamples(liveUrl)).find(({ timestamp }) => timestamp > doneMs + 2000)
    atMs = sample === undefined ? 0 : sample.timestamp + 100
    return atMs > 0
  })
  await new Promise((resolve) => setTimeout(resolve, 1000))

  await using console = consoleOver(liveUrl)
  await eventually(() => console.live.view('now', Date.now()).nodes[0]?.state === 'up')
  const look = (): void => console.replay.look({ headMs: atMs, rate: 0, focus: ['n1'], spanMs: 300_000 })
  await eventually(() => {
    look()
    const { fleet } = console.replay
    const isFed = fleet.results({ key: 'n1' }).length === 10 && fleet.logs({ asOf: atMs }).length > 0
    return isFed && console.nodeAt(atMs)?.state === 'up'
  })
  expect(console.live.knows('n1', atMs)).toBe(false)
  const detail = console.replay.fleet.nodeDetail('n1', atMs, Date.now())
  expect(detail?.status?.inference.counters.requests).toBe(10)
  expect(detail?.stages.find(({ stage }) => stage === 'total')?.count).toBe(10)
  const flagged = console.replay.fleet.results({ key: 'n1', toMs: atMs, abnormalOnly: true })
  expect(flagged.length).toBeGreaterThan(0)
  const picture = await console.link.fetchPicture(flagged[0]?.seq ?? 0, new AbortController().signal)
  if (!picture.ok) throw new Error(picture.message)
  expect(Buffer.compare(picture.data, samplePicture(0))).toBe(0)
  expect(await decodePicture(picture.data)).toMatchObject({ ok: true })
})

it('reads a range at the pace of whoever takes it, and ends it when nobody does', async () => {
  await using home = new DaemonHome()
  const { inferUrl, liveUrl } = await home.serve()
  for (let i = 0; i < 20; i += 1) await postPicture(inferUrl, samplePicture(i % 10))
  await using console = consoleOver(liveUrl)
  await eventually(() => console.live.view('now', Date.now()).nodes[0]?.state === 'up')
  const request = { topic: 'results', fromMs: 0, toMs: Date.now() + 1000, limit: 7 } as const
  const seqs: number[] = []
  const slowly = {
    rows: async (rows: readonly { readonly seq: number }[]) => {
      seqs.push(...rows.map(({ seq }) => seq))
      await new Promise((resolve) => setTimeout(resolve, 20))
    },
    gap: () => undefined,
  }
  const { signal } = new AbortController()
  const first = await console.link.stream(request, slowly, signal)
  expect(first).toMatchObject({ ok: true, truncated: true, lastSeq: seqs.at(-1) })
  if (!first.ok || first.lastSeq === null) throw new Error('no last sequence')
  await console.link.stream({ ...request, limit: 100, afterSeq: first.lastSeq }, slowly, signal)
  expect(seqs).toHaveLength(20)
  expect(new Set(seqs).size).toBe(20)
  const abort = new AbortController()
  const ended = console.link.stream(request, { rows: () => abort.abort(), gap: () => undefined }, abort.signal)
  expect(await ended).toMatchObject({ ok: false, code: 'CANCELLED' })
})
