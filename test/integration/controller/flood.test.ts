import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../../support/edge-daemon.ts'
import { ControllerHome, LocalController, refused } from '../../support/fleet-controller.ts'

const PER_ADDRESS = 12
const HEAD_TIMEOUT_MS = 3000

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

interface Opened {
  isClosed: boolean
}

/** A connection that may be ended by the other side. */
function open(options: { tls?: boolean; localAddress?: string; send?: string } = {}): Opened {
  const { tls = false, localAddress = '127.0.0.1', send = '' } = options
  const state: Opened = { isClosed: false }
  const tcp = connectTcp({ port: controller.client.port, host: '127.0.0.1', localAddress })
  const socket = tls ? connectTls({ socket: tcp, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }) : tcp
  sockets.push(tcp, socket)
  for (const each of [tcp, socket]) each.on('error', () => {})
  socket.resume()
  socket.on(tls ? 'secureConnect' : 'connect', () => socket.write(send))
  socket.on('close', () => {
    state.isClosed = true
  })
  return state
}

/** An honest request from another address is answered. */
async function honest(localAddress = '127.0.0.2'): Promise<void> {
  expect((await controller.client.ask('/v1/trust', { localAddress })).status).toBe(200)
}

test('those that are slow with handshake, head or body are hung up on, and lock out only their own address', async () => {
  const body = 'POST /v1/join HTTP/1.1\r\nhost: c\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{'
  const habits = [{}, { tls: true, send: 'GET /v1/trust HTTP/1.1\r\nhost:' }, { tls: true, send: body }]
  const slow: Opened[] = []
  const standing = (): Opened[] => slow.filter(({ isClosed }) => !isClosed)
  // There is no room for this address while they stand, and there is for another.
  await eventually(async () => {
    while (standing().length < PER_ADDRESS) slow.push(open(habits[slow.length % habits.length]))
    const before = standing()
    const isRefused = await controller.client.ask('/v1/trust').then(
      () => false,
      () => true,
    )
    await honest()
    return isRefused && before.some(({ isClosed }) => !isClosed)
  })
  // Left to itself, Node would let them stand for a minute and longer.
  await eventually(() => standing().length === 0, { timeoutMs: 45_000, what: 'the slow are gone' })
  await honest('127.0.0.1')
})

test('many connections from many addresses find an end, and the controller serves on', async () => {
  const flood = Array.from({ length: 120 }, (_, n) => open({ localAddress: `127.0.1.${1 + (n % 20)}` }))
  await eventually(() => flood.filter(({ isClosed }) => isClosed).length >= 80)
  expect(await connections()).toBeLessThanOrEqual(40)
  await eventually(() => flood.every(({ isClosed }) => isClosed), { timeoutMs: 45_000 })
  await honest()
})

test('what is no request, too large or refused too often is answered shortly', async () => {
  const localAddress = '127.0.0.3'
  const post = (body: string) => controller.client.ask('/v1/join', { body, localAddress })
  expect((await post(JSON.stringify({ token: 'x'.repeat(40_000), csr: '' }))).status).toBe(413)
  const headers = { 'x-much': 'y'.repeat(9000) }
  await expect(controller.client.ask('/v1/trust', { localAddress, headers })).resolves.toMatchObject({ status: 431 })
  const answers = []
  for (let tries = 0; tries < 8; tries += 1) answers.push(await post('[[[[['))
  expect(answers.slice(0, 5).map(refused)).toEqual(Array(5).fill('REQUEST_MALFORMED'))
  // One more may be refused every twelve seconds.
  const limited = answers.slice(5).find((answer) => refused(answer) === 'RATE_LIMITED')
  expect([limited?.status, limited?.headers['retry-after']]).toEqual([429, '60'])
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
