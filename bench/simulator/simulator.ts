import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { LIVE_SUBPROTOCOL, MAX_FRAME_BYTES } from '../../protocol/frames.ts'
import { seededRandom } from './random.ts'
import { type NodeCharacter, SimulatedNode } from './simulated-node.ts'
import { SimulatedSession } from './simulated-session.ts'

/** What to simulate. */
export interface SimulatorOptions {
  readonly nodes: number
  /** Ticks a second. */
  readonly hz: number
  /** Share of the nodes that send a status in a tick, in turn; 1 = all. */
  readonly changeShare?: number
  /** Log lines a second of the whole fleet. */
  readonly logsPerSec?: number
  /** Let one node have a hostile name and hostile log lines. */
  readonly hostile?: boolean
  readonly seed?: number
  readonly port?: number
}

/** A running fleet of simulated nodes on one port, `ws://127.0.0.1:PORT/NAME/live` each. */
export interface Simulator {
  readonly nodes: readonly { readonly key: string; readonly url: string }[]
  /** Say nothing more, as a node whose network went away; false = speak again. */
  silence(key: string, silent: boolean): void
  /** Crash and start a node: its sessions are cut, its counters begin at zero. */
  restart(key: string): void
  stop(): Promise<void>
}

const HOSTILE_TEXT = '\u001b[2J\u001b]0;owned\u0007\u202eevil\u0300\u0301\u0302\u0303\u0304\u0305'
/** The least that a welcome may announce. */
const MIN_INTERVAL_MS = 100
const SITES = ['plant-a', 'plant-b', 'warehouse-东', 'harbour', 'airfield']

interface Place {
  readonly key: string
  readonly node: SimulatedNode
  readonly sessions: Map<WebSocket, SimulatedSession>
  silent: boolean
}

/** Start simulating on a free loopback port. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { hz, changeShare = 1 } = options
  const everyTicks = Math.max(1, Math.round(1 / changeShare))
  const intervalMs = Math.max(MIN_INTERVAL_MS, Math.round((everyTicks * 1000) / hz))
  const places = new Map(characters(options).map((character, index) => [keyOf(index), place(index, character)]))
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(LIVE_SUBPROTOCOL) ? LIVE_SUBPROTOCOL : false),
  })
  const server = createServer((_request, response) => response.writeHead(404).end())
  server.on('upgrade', (request, socket, head) => {
    const found = places.get(decodeURIComponent(/^\/([^/]+)\/live$/.exec(request.url ?? '')?.[1] ?? ''))
    if (found === undefined || found.silent) {
      socket.destroy()
      return
    }
    sockets.handleUpgrade(request, socket, head, (peer) => welcomePeer(found, peer, intervalMs))
  })
  const port = await listen(server, options.port ?? 0)

  let tick = 0
  const timer = setInterval(() => {
    const nowMs = Date.now()
    tick += 1
    let index = 0
    for (const each of places.values()) {
      tickPlace(each, nowMs, (index + tick) % everyTicks === 0)
      index += 1
    }
  }, 1000 / hz)

  const at = (key: string): Place => {
    const found = places.get(key)
    if (found === undefined) throw new RangeError(`no simulated node ${key}`)
    return found
  }
  return {
    nodes: [...places.keys()].map((key) => ({ key, url: `ws://127.0.0.1:${port}/${encodeURIComponent(key)}/live` })),
    silence: (key, silent) => {
      at(key).silent = silent
    },
    restart: (key) => {
      const found = at(key)
      found.node.restart(Date.now())
      for (const peer of found.sessions.keys()) peer.terminate()
    },
    stop: async () => {
      clearInterval(timer)
      for (const peer of sockets.clients) peer.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function welcomePeer(found: Place, peer: WebSocket, intervalMs: number): void {
  const send = (text: string): void => {
    if (!found.silent) peer.send(text)
  }
  const session = new SimulatedSession(found.node, { intervalMs, send })
  found.sessions.set(peer, session)
  peer.on('message', (data) => {
    if (!found.silent && !session.take(data.toString(), Date.now()))
      peer.close(1008, 'the frame is not of the protocol')
  })
  peer.on('close', () => found.sessions.delete(peer))
  peer.on('error', () => peer.terminate())
}

function tickPlace(each: Place, nowMs: number, withStatus: boolean): void {
  each.node.advance(nowMs)
  const logs = each.node.takeLogs()
  if (each.silent || (!withStatus && logs.length === 0)) return
  for (const session of each.sessions.values()) session.tick(nowMs, logs, withStatus)
}

function place(index: number, character: NodeCharacter): Place {
  return { key: keyOf(index), node: new SimulatedNode(character, Date.now()), sessions: new Map(), silent: false }
}

function keyOf(index: number): string {
  return `node-${String(index + 1).padStart(3, '0')}`
}

/** A few nodes in every fleet of some size are slow, hot or cut off. */
function characters(options: SimulatorOptions): NodeCharacter[] {
  const { nodes, logsPerSec = 5, hostile = false, seed = 1 } = options
  const random = seededRandom(seed)
  return Array.from({ length: nodes }, (_, index) => {
    const bad = hostile && index === 0
    return {
      name: bad ? `node-001${HOSTILE_TEXT}` : keyOf(index),
      site: bad ? `plant-a${HOSTILE_TEXT}` : (SITES[index % SITES.length] ?? 'plant-a'),
      seed: seed * 100_000 + index,
      inferencesPerSec: 5 + 3 * random(),
      medianMs: index % 29 === 4 ? 45 : 5 + 4 * random(),
      cpuPct: index % 41 === 6 ? 91 : 10 + 40 * random(),
      uplinkDown: index % 33 === 8,
      logsPerSec: logsPerSec / nodes,
      logSuffix: bad ? HOSTILE_TEXT : '',
    }
  })
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
