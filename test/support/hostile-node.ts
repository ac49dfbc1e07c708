import { createServer as createHttp, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { LIVE_SUBPROTOCOL } from '../../protocol/frames.ts'
import { logRecord, statusFrame, welcomeFrame } from './live-frames.ts'

/** What a terminal would do if it were let: title, clipboard, clear, hide, resize, answer back, and what looks like other text. */
export const ATTACKS = [
  ...['\u001b]0;owned\u0007', '\u001b]52;c;b3duZWQ=\u0007', '\u001b[2J\u001b[H', '\u001b[?25l\u001b[?1049l', '\u001bc'],
  ...[
    '\u001bP+q544e\u001b\\',
    '\u001b[6n\u001b[c',
    '\u009b31m',
    '\u009d0;owned\u009c',
    '\u202eevil\u202c',
    '\r\nroot# ',
  ],
  ...[
    '\u0007\u0008\u000b',
    '\u2066x\u2069',
    'e\u0301\u0302\u0303\u0304\u0305\u0306\u0307',
    '\ud800',
    '\u{e0041}',
    '\u200b\ufeff',
  ],
].join('')

/** One way to misbehave: what it does with a console that connected. Returns how to stop. */
type Habit = (peer: Peer) => () => void

/** A console that connected, after its hello. */
interface Peer {
  readonly socket: WebSocket
  readonly raw: Socket
  /** Ids of what the console subscribed to, by topic. */
  readonly ids: ReadonlyMap<string, string>
  send(frame: object): void
}

const HUGE = Number.MAX_SAFE_INTEGER

/** Send something again and again, as fast as the socket takes it or every so many ms. */
function every(ms: number, act: (turn: number) => void): () => void {
  let turn = 0
  const timer = setInterval(() => {
    turn += 1
    act(turn)
  }, ms)
  return () => clearInterval(timer)
}

/** Keep the socket full of one frame: making others would slow the flood down. */
function flood(peer: Peer, frame: object): () => void {
  const text = JSON.stringify(frame)
  return every(5, () => {
    for (let sent = 0; sent < 200 && peer.raw.writableLength < 4_000_000; sent += 1) peer.socket.send(text)
  })
}

function statusOf(peer: Peer, turn: number, wish: Omit<Parameters<typeof statusFrame>[0], 'at'> & { at?: number }) {
  return { ...statusFrame({ at: Date.now(), n: turn, ...wish }), id: peer.ids.get('status') ?? 'status-1' }
}

function logsOf(peer: Peer, rows: object[]): object {
  return { t: 'rows', id: peer.ids.get('logs') ?? 'logs-1', topic: 'logs', rows }
}

function alertOf(rule: string) {
  const times = { since: Date.now() - 1000 }
  return {
    rule,
    severity: 'critical' as const,
    value: HUGE,
    threshold: -HUGE,
    unit: '%',
    msg: `${rule} fires`,
    ...times,
  }
}

/** Everything that a node may do to a console, by the name of the node that does it. */
export const HABITS: Readonly<Record<string, Habit>> = {
  /** Terminal sequences in every text there is. */
  'bad-escapes': (peer) =>
    every(300, (turn) => {
      const frame = statusOf(peer, turn, {
        alerts: [{ ...alertOf(`rule${ATTACKS}`.slice(0, 120)), unit: '\u001b[31m', msg: ATTACKS }],
        conditions: [{ code: `code${ATTACKS}`.slice(0, 60), severity: 'critical', msg: ATTACKS, since: 1 }],
        faults: { '\u001b]0;owned\u0007': turn },
        sentBytes: { '\u001b[2J': turn * 1000, telemetry: turn },
      })
      const model = { name: `m${ATTACKS}`.slice(0, 120), version: '\u001b[2J', variant: '\u009b2J' }
      peer.send({ ...frame, inference: { ...frame.inference, model } })
      const line = { ...logRecord(turn, Date.now(), `line ${ATTACKS}`, 'error'), source: ATTACKS.slice(0, 200) }
      peer.send(
        logsOf(peer, [{ ...line, node_id: ATTACKS.slice(0, 200), fields: { [ATTACKS.slice(0, 200)]: ATTACKS } }]),
      )
      peer.send({ t: 'error', id: null, code: ATTACKS.slice(0, 60), msg: ATTACKS, next: [ATTACKS] })
    }),
  /** As many status frames as the wire carries. */
  'bad-flood': (peer) => flood(peer, statusOf(peer, 1, {})),
  /** Rows in the worst order there is. */
  'bad-rows': (peer) =>
    flood(
      peer,
      logsOf(
        peer,
        Array.from({ length: 900 }, (_, index) => logRecord(HUGE - index, 2e12 - index, 'x')),
      ),
    ),
  /** Just under what a console takes, for ever, always other names. */
  'bad-crowd': (peer) =>
    every(20, (turn) => {
      const conditions = Array.from({ length: 64 }, (_, index) => {
        return { code: `c${turn}-${index}`, severity: 'warning' as const, msg: `${turn} ${'y'.repeat(1000)}`, since: 1 }
      })
      const alerts = Array.from({ length: 64 }, (_, index) => alertOf(`rule-${turn}-${index}`))
      peer.send(statusOf(peer, turn, { conditions, alerts }))
      const kept = { seq: turn, node_id: 'n', timestamp: Date.now(), state: 'firing' }
      peer.send({
        ...{ t: 'rows', id: peer.ids.get('alerts') ?? 'alerts-1', topic: 'alerts' },
        rows: alerts.map((alert) => ({ ...kept, ...alert })),
      })
    }),
  /** A frame over the size limit. */
  'bad-large': (peer) => every(500, () => peer.socket.send('x'.repeat(400_000))),
  /** A frame that never ends, in many small parts. */
  'bad-endless': (peer) => {
    peer.socket.send('{"t":"status","pad":"', { fin: false })
    return every(10, () => peer.socket.send('x'.repeat(1000), { fin: false }))
  },
  /** Says that it is a good node. */
  'bad-liar': (peer) => every(500, (turn) => peer.send(statusOf(peer, turn, { cpuPct: 99 }))),
  /** Numbers at the edges, counters that fall, `n` that jumps, a clock that is set every time. */
  'bad-numbers': (peer) =>
    every(200, (turn) => {
      const counters = { requests: turn % 2 === 0 ? HUGE : 0, ok: HUGE, rawBytes: turn % 3 === 0 ? HUGE : 1 }
      const latency = { count: HUGE, sumMs: 1e308, maxMs: 1e308, buckets: [[300, HUGE]] as [number, number][] }
      const at = [0, 253_402_300_799_999, Date.now(), 1][turn % 4] as number
      const frame = statusOf(peer, [1, HUGE, 0, turn][turn % 4] as number, { at, counters, latency, cpuPct: 1e308 })
      peer.send({ ...frame, host: { ...frame.host, load1: 1e308, memUsedBytes: HUGE, tempC: -1e308 } })
      peer.send({ ...frame, host: { ...frame.host, cpuPct: -5 } })
      peer.send({ t: 'pong', n: turn, echo: 0, recvAt: 253_402_300_799_999, at: 253_402_300_799_999 })
      peer.send(logsOf(peer, [logRecord(turn, at, 'a line of another time')]))
    }),
  /** Histograms that cannot be. */
  'bad-histograms': (peer) =>
    every(200, (turn) => {
      const buckets = Array.from({ length: 500 }, (_, index): [number, number] => [index - 155, HUGE])
      peer.send(statusOf(peer, turn, { latency: { count: turn % 2, sumMs: 0, maxMs: 0, buckets } }))
      peer.send(statusOf(peer, turn, { latency: { count: 5, sumMs: 1, maxMs: 1, buckets: [[HUGE, 5]] } }))
    }),
  /** JSON that costs a parser most. */
  'bad-json': (peer) =>
    every(400, (turn) => {
      const nest = turn % 2 === 0 ? `${'['.repeat(60_000)}${']'.repeat(60_000)}` : `[${'0,'.repeat(100_000)}0]`
      peer.socket.send(`{"t":"done","id":"c","result":{"a":${nest}}}`)
    }),
  /** Greets again and again. */
  'bad-greeter': (peer) => flood(peer, welcomeFrame({ name: 'someone' })),
}

/** A running set of hostile nodes on one port, `ws[s]://127.0.0.1:PORT/NAME/live` each. */
export interface HostileNodes {
  readonly urls: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** Start every habit on a free loopback port; over TLS when a certificate is given. */
export async function startHostileNodes(tls?: {
  readonly key: string
  readonly cert: string
  /** Whom the certificate names; they greet by that. */
  readonly name?: string
}): Promise<HostileNodes> {
  const stops = new Set<() => void>()
  const server: Server =
    tls === undefined ? createHttp() : createHttps({ key: tls.key, cert: tls.cert, minVersion: 'TLSv1.3' })
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: () => LIVE_SUBPROTOCOL,
    perMessageDeflate: false,
  })
  server.on('upgrade', (request, raw: Socket, head) => {
    const name = /^\/([^/]+)\/live$/.exec(request.url ?? '')?.[1] ?? ''
    raw.on('error', () => raw.destroy())
    if (name === 'bad-loris') {
      // One byte of an answer at a time.
      const stop = every(200, (turn) => raw.write('HTTP/1.1 101 Switching Protocols\r\nX-Pad: '[turn - 1] ?? 'x'))
      stops.add(stop)
      raw.on('close', stop)
      return
    }
    const habit = HABITS[name]
    if (habit === undefined) return void raw.destroy()
    sockets.handleUpgrade(request, raw, head, (socket) => {
      const ids = new Map<string, string>()
      const send = (frame: object): void => {
        if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(frame))
      }
      let stop: (() => void) | null = null
      socket.on('error', () => socket.terminate())
      socket.on('message', (data) => {
        const frame = JSON.parse(data.toString()) as { t: string; id: string; topic: string }
        if (frame.t === 'subscribe') ids.set(frame.topic, frame.id)
        if (frame.t !== 'hello' || stop !== null) return
        const escaped = name === 'bad-escapes' && tls === undefined
        const honest = escaped ? `n${ATTACKS}`.slice(0, 250) : (tls?.name ?? name)
        const site = escaped ? `s${ATTACKS}`.slice(0, 250) : 'plant-a'
        send(welcomeFrame({ name: name === 'bad-liar' ? 'node-001' : honest, site }))
        // Not before the console has subscribed.
        const begin = setTimeout(() => {
          if (socket.readyState === socket.OPEN) stop = habit({ socket, raw, ids, send })
        }, 100)
        stop = () => clearTimeout(begin)
      })
      const end = (): void => stop?.()
      stops.add(end)
      socket.on('close', end)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const scheme = tls === undefined ? 'ws' : 'wss'
  const urls = [...Object.keys(HABITS), 'bad-loris'].map((name) => [name, `${scheme}://127.0.0.1:${port}/${name}/live`])
  return {
    urls: Object.fromEntries(urls) as Record<string, string>,
    stop: async () => {
      for (const stop of stops) stop()
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
