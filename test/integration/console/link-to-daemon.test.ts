import { afterEach, describe, expect, it } from 'vitest'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { LinkProbe } from '../../support/link-probe.ts'
import { LiveNode, logBody, statusBody } from '../../support/live-node.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})
async function serve(options: ConstructorParameters<typeof LiveNode>[0] = {}): Promise<LiveNode> {
  const node = await new LiveNode(options).start()
  stops.push(() => node.server.stop())
  return node
}
function probe(url: string, options: ConstructorParameters<typeof LinkProbe>[1] = {}): LinkProbe {
  const made = new LinkProbe(url, options)
  stops.push(() => made.link.stop())
  made.link.start()
  return made
}

describe('a link to a real live server', () => {
  it('greets, follows status and logs with credits for as long as it stands, and measures the clock', async () => {
    const beganMs = performance.now()
    const node = await serve({ intervalMs: 100 })
    node.wallShiftMs = 5000
    node.keep('logs', logBody('kept before'))
    const link = probe(node.url, { probeEveryMs: 100 })
    await link.until(() => link.frames().filter((t) => t === 'status').length >= 20)
    for (let i = 1; i <= 100; i += 1) {
      node.publish('logs', logBody(`line ${i}`))
      if (i % 10 === 0) await link.until(() => link.logs().includes(`line ${i}`))
    }
    expect(link.frames()[0]).toBe('welcome')
    expect(link.logs()).toEqual(['kept before', ...Array.from({ length: 100 }, (_, i) => `line ${i + 1}`)])
    expect(link.frames()).not.toContain('gap')
    expect(link.of('misbehaved')).toEqual([])
    // By half of the way there and back a clock may seem off at most; the two here tick apart by less than the rest.
    const { offsetMs = 0, rttMs = null } = link.of('clock').at(-1) ?? {}
    expect(Math.abs(offsetMs - 5000)).toBeLessThanOrEqual((rttMs ?? 0) / 2 + 50)
    expect(rttMs).toBeGreaterThanOrEqual(0)
    expect(rttMs).toBeLessThanOrEqual(performance.now() - beganMs)
  })

  it('changes what it follows', async () => {
    const node = await serve()
    const link = probe(node.url, { interest: { status: false, alertBacklog: null, logs: null } })
    await link.until(() => link.frames().includes('welcome'))
    node.keep('logs', logBody('quiet'))
    node.keep('logs', logBody('loud', 'error'))
    link.link.followLogs({ filter: { level: 'error' }, backlog: 10 })
    await link.until(() => link.logs().length > 0)
    link.link.followLogs({ filter: { level: 'debug' }, backlog: 10 })
    await link.until(() => link.logs().length >= 3)
    expect(link.logs()).toEqual(['loud', 'quiet', 'loud'])
    link.link.followLogs(null)
    const before = link.logs().length
    node.publish('logs', logBody('unheard', 'error'))
    expect(await link.link.command('fault.slow', { ms: 1 })).toMatchObject({ ok: true })
    expect(link.logs()).toHaveLength(before)
  })

  it('loses no line that is under way while it changes what it follows', async () => {
    const node = await serve()
    const follow = (level: 'info' | 'debug') => ({ filter: { level }, backlog: 5 })
    const link = probe(node.url, { interest: { status: false, alertBacklog: null, logs: follow('info') } })
    await link.until(() => link.frames().includes('welcome'))
    node.publish('logs', logBody('first'))
    await link.until(() => link.logs().includes('first'))
    for (let round = 1; round <= 8; round += 1) {
      for (let n = 1; n <= 40; n += 1) node.publish('logs', logBody(`${round}.${n} ${'x'.repeat(8000)}`))
      link.link.followLogs(follow(round % 2 === 0 ? 'info' : 'debug'))
      await link.until(() => link.logs().some((msg) => msg.startsWith(`${round}.40 `)))
    }
    await link.until(() => new Set(link.logs()).size === 1 + 8 * 40)
    expect(link.frames()).not.toContain('gap')
  })

  it('goes on behind the last line when the node starts anew with the same log, and begins anew with another', async () => {
    const first = await serve()
    for (let i = 1; i <= 20; i += 1) first.keep('logs', logBody(`line ${i}`))
    const listen = { host: '127.0.0.1', port: Number(new URL(first.url).port) }
    const link = probe(first.url)
    await link.until(() => link.logs().length === 10 && link.frames().includes('status'))
    await first.server.stop()
    const anew = (instance: string) => ({ name: 'n1', site: 's1', version: '0.1.0', instance, startedAt: 2 })
    const second = new LiveNode({ node: anew('i2'), listen })
    for (let i = 1; i <= 90; i += 1) second.keep('logs', logBody(`line ${i}`))
    stops.push(() => second.server.stop())
    await second.start()
    await link.until(() => link.logs().includes('line 90'))
    expect(link.logs()).toEqual(Array.from({ length: 80 }, (_, index) => `line ${index + 11}`))
    await second.server.stop()
    const other = { ...statusBody(), store: { ...statusBody().store, epoch: 'another' } }
    const third = new LiveNode({ node: anew('i3'), listen, snapshot: () => other })
    for (let i = 1; i <= 30; i += 1) third.keep('logs', logBody(`new ${i}`))
    stops.push(() => third.server.stop())
    await third.start()
    await link.until(() => link.logs().includes('new 30'))
    expect(link.logs().slice(80)).toEqual(Array.from({ length: 10 }, (_, index) => `new ${index + 21}`))
  })

  it('reads back and commands, and tells a refusal in the words of the node', async () => {
    const node = await serve()
    for (let i = 1; i <= 50; i += 1) node.keep('logs', logBody(`line ${i}`))
    const link = probe(node.url)
    expect(await link.link.command('x', {})).toMatchObject({ ok: false, code: 'NODE_UNREACHABLE' })
    await link.until(() => link.frames().includes('welcome'))
    const read = await link.link.read({ topic: 'logs', fromMs: 0, toMs: 2_000_000, limit: 20 })
    expect(read).toMatchObject({ ok: true, truncated: true, missed: 0 })
    expect(read.ok && read.rows.map((row) => row.msg)).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i + 1}`))
    expect(await link.link.command('fault.slow', { ms: 120 })).toEqual({ ok: true, result: { slowMs: 120 } })
    expect(await link.link.command('reboot', {})).toEqual({
      ok: false,
      code: 'COMMAND_REFUSED',
      message: 'no reboot',
      next: ['ask nicely'],
    })
  })

  it('says why it cannot connect, goes on trying, and is there as soon as the node is', async () => {
    const first = await serve()
    const port = Number(new URL(first.url).port)
    const link = probe(first.url)
    await link.until(() => link.frames().includes('status'))
    await first.server.stop()
    await link.until(() => link.of('refused').length >= 2)
    expect(link.of('closed')).toHaveLength(1)
    expect(link.of('refused').at(-1)?.reason).toBe('connection refused: nothing listens there')
    await serve({ listen: { host: '127.0.0.1', port } })
    await link.until(() => link.frames().filter((t) => t === 'welcome').length === 2)
    await link.until(() => link.frames().at(-1) === 'status')
  })

  it('feeds the fleet: up, then stale, then up again', async () => {
    const node = await serve({ intervalMs: 100 })
    const fleet = new Fleet({ schedule: new ManualSchedule().schedule })
    fleet.add('n1', { url: node.url, nowMs: Date.now() })
    const link = probe(node.url)
    await link.until(() => link.frames().includes('status'))
    for (const event of link.events) fleet.apply('n1', event, Date.now())
    expect(fleet.view('now', Date.now()).nodes[0]).toMatchObject({
      state: 'up',
      site: 's1',
      cpuPct: 12.5,
      saysName: 'n1',
    })
    expect(fleet.view('now', Date.now() + 5000).nodes[0]?.state).toBe('stale')
  })

  it('leaves nothing running when stopped, whatever it was doing', async () => {
    const node = await serve()
    const standing = probe(node.url)
    await standing.until(() => standing.frames().includes('status'))
    const trying = probe('ws://127.0.0.1:1/live')
    await trying.until(() => trying.of('refused').length > 0)
    await Promise.all([standing.link.stop(), trying.link.stop()])
    const counts = [standing.events.length, trying.events.length]
    await new Promise((resolve) => setTimeout(resolve, 250))
    expect([standing.events.length, trying.events.length]).toEqual(counts)
    expect(standing.of('closed').at(-1)?.retryInMs).toBeNull()
  })
})
