import { createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { LiveServerOptions } from '../../../edge-daemon/live/live-server.ts'
import { failAccept } from '../../support/failing-accept.ts'
import { LiveNode, rawExchange, TestConsole, upgradeRequest } from '../../support/live-node.ts'

const open: { stop(): Promise<void> }[] = []

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
})

async function start(options: Partial<LiveServerOptions> = {}): Promise<LiveNode> {
  const node = await new LiveNode(options).start()
  open.push(node.server)
  return node
}

describe('at the door', () => {
  test('refuses a listen address that is not loopback, and one that is taken', async () => {
    const away = new LiveNode({ listen: { host: '0.0.0.0', port: 0 } })
    await expect(away.start()).rejects.toMatchObject({ code: 'CONFIG_UNSERVABLE', kind: 'user' })
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const second = new LiveNode({ listen: { host: '127.0.0.1', port } })
    await expect(second.start()).rejects.toMatchObject({ code: 'PORT_IN_USE' })
    await new Promise((resolve) => taken.close(resolve))
  })

  test('keeps browsers, rebound names, wrong protocols and wrong paths out', async () => {
    const node = await start()
    const statusOf = async (request: string): Promise<string | undefined> =>
      (await rawExchange(node.url, request)).split('\r\n')[0]
    expect(await statusOf(upgradeRequest({ Origin: 'http://127.0.0.1' }))).toContain('403')
    expect(await statusOf(upgradeRequest({ Host: 'evil.example:5443' }))).toContain('403')
    expect(await statusOf(upgradeRequest({ Host: '127.0.0.1.evil.example' }))).toContain('403')
    expect(await statusOf(upgradeRequest({ 'Sec-WebSocket-Protocol': 'chat' }))).toContain('400')
    expect(await statusOf(upgradeRequest({}, '/other'))).toContain('404')
    expect(await statusOf('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n')).toContain('426')
    expect(await statusOf('\x16\x03\x01 not http at all\r\n\r\n')).toContain('400')
    expect(node.server.sessionCount).toBe(0)
    await expect(TestConsole.open(node.url.replace('127.0.0.1', 'localhost'))).resolves.toBeDefined()
  })

  test('a connection that the system cannot accept costs that connection alone', async () => {
    const node = await start()
    await failAccept(node.url.replace('ws:', 'http:'))
    await expect(TestConsole.open(node.url)).resolves.toBeDefined()
  })

  test('takes no more consoles than it may, and takes the next when one leaves', async () => {
    const node = await start({ maxSessions: 2 })
    const first = await TestConsole.open(node.url)
    await TestConsole.open(node.url)
    expect((await rawExchange(node.url, upgradeRequest())).split('\r\n')[0]).toContain('503')
    first.close()
    await first.until(() => node.server.sessionCount === 1)
    await TestConsole.open(node.url)
  })

  test('drops who says no hello in time, and who then says nothing at all', { timeout: 240_000 }, async () => {
    const node = await start()
    const mute = new TestConsole(node.url)
    const silent = await TestConsole.open(node.url)
    silent.wallMs = null
    await mute.until(() => mute.closed !== null)
    expect(mute.closed?.code).toBe(1008)
    expect(mute.of('error')).toMatchObject([{ code: 'FRAME_INVALID' }])
    expect(silent.closed).toBeNull()
    node.monotonicShiftMs = 31_000
    await silent.until(() => silent.closed !== null)
    expect(node.events.map(({ event }) => event)).toContain('live.session_silent')
    await silent.until(() => node.server.sessionCount === 0)
  })

  test('hangs up on connections that never finish their request', { timeout: 240_000 }, async () => {
    const node = await start()
    const startedMs = performance.now()
    await Promise.all([rawExchange(node.url, upgradeRequest().slice(0, 40)), rawExchange(node.url, '\r\n')])
    // Left to itself Node waits a minute.
    expect(performance.now() - startedMs).toBeLessThan(50_000)
  })

  test('refuses another frame before hello, and another version', async () => {
    const node = await start()
    const hasty = new TestConsole(node.url)
    hasty.socket.on('open', () => hasty.send({ t: 'subscribe', id: 's', topic: 'status', credits: 9 }))
    await hasty.until(() => hasty.closed !== null)
    const modern = new TestConsole(node.url)
    modern.socket.on('open', () => modern.hello(2))
    await modern.until(() => modern.closed !== null)
    expect(modern.of('error')[0]?.msg).toContain('version 1')
  })
})
