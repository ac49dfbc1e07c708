import { X509Certificate } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { ControlIdentity } from '../../../edge-daemon/live/contract.ts'
import { verifyChain } from '../../../identity/verify.ts'
import { FleetAuthority, type IssuedIdentity } from '../../support/fleet-authority.ts'
import { LiveNode, upgradeRequest } from '../../support/live-node.ts'

let authority: FleetAuthority
let node: IssuedIdentity
let operator: IssuedIdentity
beforeAll(async () => {
  authority = await FleetAuthority.create()
  node = await authority.node('s1', 'n1')
  operator = await authority.operator('mia')
})
afterAll(() => authority[Symbol.dispose]())

const open: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const thing of open.splice(0)) await thing.stop()
})

/** Believes whoever the authority made. */
function identity(): ControlIdentity {
  return {
    tls: () => ({ key: node.keyPem, cert: node.certPem, ca: authority.rootPem }),
    judge: (socket, { route, address }) => {
      const { raw } = socket.getPeerX509Certificate() ?? {}
      if (raw === undefined) return 'no certificate was shown'
      const chain = [new X509Certificate(raw), authority.issuing.certificate]
      const verdict = verifyChain(chain, { trust: authority.trust(), nowMs: Date.now(), use: 'client' })
      if (!verdict.ok) return verdict.msg
      if (verdict.named.kind !== 'operator') return 'no operator'
      const { name, rights } = verdict.named
      return { kind: 'operator', name, rights, certificate: verdict.leaf, route, address }
    },
    judgeChain: (chain) => verifyChain(chain, { trust: authority.trust(), nowMs: Date.now(), use: 'client' }),
    nowMs: () => Date.now(),
    onChange: () => () => undefined,
  }
}

async function start(secure: boolean): Promise<{ node: LiveNode; port: number }> {
  const live = await new LiveNode(secure ? { identity: identity() } : {}).start()
  open.push(live.server)
  return { node: live, port: Number(new URL(live.url).port) }
}

function tls(port: number): TLSSocket {
  return connectTls({
    port,
    host: '127.0.0.1',
    ca: authority.rootPem,
    key: operator.keyPem,
    cert: operator.certPem,
    checkServerIdentity: () => undefined,
  })
}

/** One byte at a time, for as long as it is let; resolves to how long that was, ms. */
async function drip(socket: Socket, text: string): Promise<number> {
  const beganMs = performance.now()
  let sent = 0
  socket.setNoDelay(true)
  const timer = setInterval(() => {
    socket.write(text[sent] ?? 'x')
    sent += 1
  }, 100)
  socket.on('error', () => undefined)
  socket.resume()
  await new Promise((resolve) => socket.on('close', resolve))
  clearInterval(timer)
  return performance.now() - beganMs
}

test('hangs up on peers that send a request or a TLS handshake a byte at a time', { timeout: 240_000 }, async () => {
  const [plain, secure] = [await start(false), await start(true)]
  const head = 'GET /live HTTP/1.1\r\nHost: localhost\r\nX-Padding: '
  const [overPlain, overTls, handshake] = await Promise.all([
    drip(connectTcp(plain.port, '127.0.0.1'), head),
    drip(tls(secure.port), head),
    drip(connectTcp(secure.port, '127.0.0.1'), '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  ])
  // Left to itself Node waits a minute for a request and two for a handshake.
  for (const ms of [overPlain, overTls, handshake]) expect(ms).toBeLessThan(50_000)
})

test.each([
  ['plain', false],
  ['TLS', true],
])('refuses headers without end, over %s', async (_name, secure) => {
  const { port } = await start(secure)
  const socket = secure ? tls(port) : connectTcp(port, '127.0.0.1')
  socket.on('error', () => undefined)
  let answer = ''
  socket.on('data', (data: Buffer) => {
    answer += data.toString('utf8')
  })
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.write(upgradeRequest().trimEnd())
  for (let line = 0; line < 400; line += 1) socket.write(`\r\nX-Padding-${line}: ${'y'.repeat(100)}`)
  await closed
  // What was still being written may take the answer away.
  expect(answer === '' || answer.startsWith('HTTP/1.1 431')).toBe(true)
})
