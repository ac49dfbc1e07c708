import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import type { LiveServerOptions } from '../../../edge-daemon/live/live-server.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { clientSocket, clientTls, joinedNode, knock, secureExchange, secureTo } from '../../support/joined-node.ts'
import { LiveNode, rawConnect, TestConsole, upgradeRequest } from '../../support/live-node.ts'

const open: { stop(): Promise<void> }[] = []
const authorities: FleetAuthority[] = []

afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
  for (const authority of authorities.splice(0)) authority[Symbol.dispose]()
})

async function fleet(name = 'acme', nowMs = Date.now()): Promise<FleetAuthority> {
  const authority = await FleetAuthority.create(name, nowMs)
  authorities.push(authority)
  return authority
}

async function serve(options: Partial<LiveServerOptions>): Promise<LiveNode> {
  const node = await new LiveNode(options).start()
  open.push(node.server)
  return node
}

test('serves off loopback by mutual TLS, to those of the fleet alone, and says why to the others', async () => {
  const authority = await fleet()
  const identity = await joinedNode(authority)
  const { url } = await serve({ identity, listen: { host: '0.0.0.0', port: 0 } })
  const at = url.replace('0.0.0.0', '127.0.0.1')
  expect(url).toMatch(/^wss:/)

  const now = Date.now()
  const denied = await authority.operator('eve')
  authority.deny({ serials: [{ serial: denied.certificate.serialNumber, until: now + 1e9, why: 'laptop lost' }] })
  expect(identity.takeDeny(authority.denyList())).toEqual({ ok: true })
  const other = await fleet('acme')

  expect(await knock(at, await authority.operator('mia', { role: 'viewer' }))).toBe('open')
  expect(await knock(at, await authority.controller())).toBe('open')
  expect(await knock(at, await authority.service('prometheus'))).toMatch(/^403 .*prometheus is a service/)
  expect(await knock(at, await authority.node('plant', 'n2'))).toMatch(/^403 .*plant\/n2 is a node/)
  expect(await knock(at, denied)).toMatch(/^403 .*laptop lost/)
  expect(await knock(at, await other.operator('mia'))).toMatch(/^403 .*not from this fleet/)
  expect(await knock(at, await authority.operator('old', {}, { nowMs: now - 13 * 3_600_000 }))).toMatch(
    /^403 .*ended at/,
  )
  expect(await knock(at, null)).toMatch(/^403 .*no certificate/)
  expect(await knock(at.replace('wss:', 'ws:'), null)).toMatch(/socket hang up|ECONNRESET/)
  const older = await secureExchange(
    at,
    { ...clientTls(await authority.operator('mia')), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
    upgradeRequest(),
  )
  expect(older).toMatch(/^no connection: .*PROTOCOL_VERSION/)
})

test('takes nobody back by a resumed session', async () => {
  const authority = await fleet()
  const identity = await joinedNode(authority)
  const { url } = await serve({ identity })
  const mia = await authority.operator('mia')
  const first = await secureTo(url, clientTls(mia))
  const session = await new Promise<Buffer | null>((resolve) => {
    first.once('session', resolve)
    first.write('GET /live HTTP/1.1\r\nHost: n1\r\n\r\n')
    first.once('close', () => resolve(null))
  })
  first.destroy()
  authority.deny({ names: [{ name: 'operator/mia', before: Date.now() + 60_000, why: 'left us' }] })
  identity.takeDeny(authority.denyList())
  const options = session === null ? clientTls(mia) : { ...clientTls(mia), session }
  expect(await secureExchange(url, options, upgradeRequest())).toMatch(/403 [\s\S]*left us/)
})

test('ends the sessions of whoever is denied, at once, and of whoever is over, soon', {
  timeout: 240_000,
}, async () => {
  const authority = await fleet()
  let aheadMs = 0
  const identity = await joinedNode(authority, { clocks: { wallMs: () => Date.now() + aheadMs } })
  const node = await serve({ identity })
  const [mia, eve, ann] = [
    await authority.operator('mia'),
    await authority.operator('eve'),
    await authority.operator('ann'),
  ]
  const stays = await TestConsole.open(node.url, clientSocket(mia))
  const leaves = await TestConsole.open(node.url, clientSocket(eve))
  authority.deny({ names: [{ name: 'operator/eve', before: Date.now() + 60_000, why: 'left us' }] })
  identity.takeDeny(authority.denyList())
  await leaves.until(() => leaves.closed !== null)
  expect(leaves.closed).toMatchObject({ code: 1008, reason: expect.stringContaining('left us') })
  expect(stays.closed).toBeNull()

  aheadMs = 13 * 3_600_000
  await stays.until(() => stays.closed !== null, 90_000)
  expect(stays.closed?.reason).toContain('ended at')
  expect(await knock(node.url, ann)).toMatch(/^403 .*ended at/)
})

test('serves with a renewed certificate and keeps the sessions of before', async () => {
  const authority = await fleet()
  const identity = await joinedNode(authority)
  const node = await serve({ identity })
  const before = await TestConsole.open(node.url, clientSocket(await authority.operator('mia')))
  const renewed = await authority.node('plant', 'n1', { key: identity.key })
  expect(identity.takeCertificate(renewed.certPem)).toEqual({ ok: true })
  const socket = await secureTo(node.url, clientTls(await authority.operator('ann')))
  expect(socket.getPeerX509Certificate()?.serialNumber).toBe(renewed.certificate.serialNumber)
  socket.destroy()
  before.send({ t: 'subscribe', id: 's', topic: 'status', credits: 9 })
  await before.until(() => before.of('status').length > 0)
  expect(before.closed).toBeNull()
})

test('counts what left under TLS, handshakes included, and cuts who never shakes hands', {
  timeout: 240_000,
}, async () => {
  const authority = await fleet()
  const node = await serve({ identity: await joinedNode(authority) })
  const console = await TestConsole.open(node.url, clientSocket(await authority.operator('mia')))
  const handshakeBytes = node.server.sentBytes()
  // Two certificates and a signature alone are more than this.
  expect(handshakeBytes).toBeGreaterThan(1200)
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1 })
  await console.until(() => console.of('status').length === 1)
  const frameBytes = JSON.stringify(console.of('status')[0]).length
  expect(node.server.sentBytes() - handshakeBytes).toBeGreaterThan(frameBytes)

  const mute = rawConnect(node.url.replace('wss:', 'ws:'))
  const startedMs = performance.now()
  await new Promise((resolve) => mute.on('close', resolve))
  // Left to itself Node waits two minutes.
  expect(performance.now() - startedMs).toBeLessThan(60_000)
})

test('tells metrics to every certificate of the fleet and to nobody else', async () => {
  const authority = await fleet()
  const node = await serve({ identity: await joinedNode(authority), metricsText: () => 'edge_up 1\n' })
  const ask = 'GET /metrics HTTP/1.1\r\nHost: n1\r\n\r\n'
  for (const reader of [await authority.service('prometheus'), await authority.operator('mia', { role: 'viewer' })]) {
    expect(await secureExchange(node.url, clientTls(reader), ask)).toMatch(/^HTTP\/1\.1 200 [\s\S]*edge_up 1\n$/)
  }
  expect(await secureExchange(node.url, clientTls(await authority.node('plant', 'n2')), ask)).toMatch(/^HTTP\/1\.1 403/)
  expect(await secureExchange(node.url, clientTls(null), ask)).toMatch(/^HTTP\/1\.1 403/)
  const web = ask.replace('\r\n\r\n', '\r\nOrigin: https://evil.example\r\n\r\n')
  expect(await secureExchange(node.url, clientTls(await authority.operator('mia')), web)).toMatch(/^HTTP\/1\.1 403/)
})

test('openssl sees TLS 1.3, the certificate of the node, and that a certificate is asked for', async () => {
  const authority = await fleet()
  const node = await serve({ identity: await joinedNode(authority) })
  const { host } = new URL(node.url)
  const { stdout: told } = await promisify(execFile)('sh', [
    '-c',
    `timeout 60 openssl s_client -connect ${host} -CAfile ${authority.rootFile} < /dev/null 2>&1 || true`,
  ])
  expect(told).toContain('TLSv1.3')
  expect(told).toContain('Verify return code: 0 (ok)')
  expect(told).toMatch(/Acceptable client certificate CA names/)
})
