import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../../support/edge-daemon.ts'
import { ControllerHome, LocalController, refused } from '../../support/fleet-controller.ts'

const PER_ADDRESS = 12
const HEAD_TIMEOUT_MS = 1000

let home: ControllerHome
let controller: LocalController
const sockets: Socket[] = []

beforeAll(async () => {
  home = await ControllerHome.create()
  home.configure({
    metrics: { listen: '127.0.0.1:0' },
    limits: {
      connectionsPerAddress: PER_ADDRESS,
      connections: 40,
      perAddressPerSec: 200,
      burst: 200,
      refusalsPerMin: 5,
      headTimeout: `${HEAD_TIMEOUT_MS}ms`,
    },
  })
  controller = await new LocalController(home).start()
})

afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await controller[Symbol.asyncDispose]()
  home[Symbol.dispose]()
})

/** A connection that may be ended by the other side; `closed` is how long it lasted then, ms. */
function open(options: { tls?: boolean; localAddress?: string; send?: string } = {}): { closedMs: number | null } {
  const { tls = false, localAddress = '127.0.0.1', send = '' } = options
  const state: { closedMs: number | null } = { closedMs: null }
  const startMs = performance.now()
  const tcp = connectTcp({ port: controller.client.port, host: '127.0.0.1', localAddress })
  const socket = tls ? connectTls({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }) : tcp
  sockets.push(tcp, socket)
  for (const each of [tcp, socket]) each.on('error', () => {})
  socket.resume()
  socket.on(tls ? 'secureConnect' : 'connect', () => socket.write(send))
  socket.on('close', () => {
    state.closedMs = performance.now() - startMs
  })
  return state
}

/** How long an honest request from another address takes, ms. */
async function honest(localAddress = '127.0.0.2'): Promise<number> {
  const startMs = performance.now()
  expect((await controller.client.ask('/v1/trust', { localAddress })).status).toBe(200)
  return performance.now() - startMs
}

test('those that are slow with handshake, head or body are hung up on, and lock out only their own address', async () => {
  const body = 'POST /v1/join HTTP/1.1\r\nhost: c\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{'
  const slow = [
    ...Array.from({ length: 4 }, () => open()),
    ...Array.from({ length: 4 }, () => open({ tls: true, send: 'GET /v1/trust HTTP/1.1\r\nhost:' })),
    ...Array.from({ length: 4 }, () => open({ tls: true, send: body })),
  ]
  await eventually(async () => (await connections()) >= PER_ADDRESS, { timeoutMs: 5000 })
  // There is no room for this address, and there is for another.
  await expect(controller.client.ask('/v1/trust')).rejects.toThrow()
  expect(await honest()).toBeLessThan(1000)
  await eventually(() => slow.every(({ closedMs }) => closedMs !== null), {
    timeoutMs: 10_000,
    what: 'the slow are gone',
  })
  expect(Math.max(...slow.map(({ closedMs }) => closedMs ?? Number.POSITIVE_INFINITY))).toBeLessThan(
    6 * HEAD_TIMEOUT_MS,
  )
  await honest('127.0.0.1')
})

test('many connections from many addresses find an end, and the controller serves on', async () => {
  const flood = Array.from({ length: 120 }, (_, n) => open({ localAddress: `127.0.1.${1 + (n % 20)}` }))
  await eventually(() => flood.filter(({ closedMs }) => closedMs !== null).length >= 80, { timeoutMs: 5000 })
  expect(await connections()).toBeLessThanOrEqual(40)
  await eventually(() => flood.every(({ closedMs }) => closedMs !== null), { timeoutMs: 10_000 })
  await honest()
})

test('what is no request, too large or refused too often is answered shortly', async () => {
  const localAddress = '127.0.0.3'
  const post = (body: string) => controller.client.ask('/v1/join', { body, localAddress })
  expect((await post(JSON.stringify({ token: 'x'.repeat(40_000), csr: '' }))).status).toBe(413)
  const headers = { 'x-much': 'y'.repeat(9000) }
  await expect(controller.client.ask('/v1/trust', { localAddress, headers })).resolves.toMatchObject({ status: 431 })
  const answers = []
  for (let tries = 0; tries < 8; tries += 1) answers.push(refused(await post('[[[[[')))
  expect(answers).toEqual([...Array(5).fill('REQUEST_MALFORMED'), ...Array(3).fill('RATE_LIMITED')])
  const limited = await post('{}')
  expect([limited.status, limited.headers['retry-after']]).toEqual([429, '60'])
  await honest(localAddress)
  expect(refused(await controller.client.ask('/v1/join', { body: '{}', localAddress: '127.0.0.4' }))).toBe(
    'REQUEST_MALFORMED',
  )
})

/** Open connections by its own count. */
async function connections(): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${controller.metricsPort}/metrics`)).text()
  return Number(/^edgectl_connections (\d+)$/m.exec(page)?.[1])
}
