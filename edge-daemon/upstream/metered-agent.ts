import { Agent, type AgentOptions } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as secureConnect } from 'node:tls'
import { SocketBytes } from './socket-bytes.ts'

/** An agent whose connections are counted, below TLS where there is TLS. */
export interface MeteredAgent {
  readonly agent: Agent
  /** Bytes that the TCP connection under a request's socket handed to the network so far. */
  bytesOf(socket: Socket): number
  /** The same of all connections there have been. */
  totalBytes(): number
}

/** What is believed of a server and shown to it, PEM; read for every connection. */
export interface HttpTls {
  /** Null for the platform's authorities. */
  readonly ca: string | null
  readonly own: { readonly cert: string; readonly key: string } | null
}

/** Make a keep-alive agent for `http:` or `https:`, of which nothing before TLS 1.3 is taken. */
export function createMeteredAgent(
  protocol: string,
  tls: () => HttpTls = () => ({ ca: null, own: null }),
): MeteredAgent {
  const bytes = new SocketBytes()
  const tcpOf = new WeakMap<object, Socket>()
  const open = (options: object): Socket => {
    const tcp = connect(options as NetConnectOpts)
    tcp.setNoDelay(true)
    bytes.add(tcp)
    return tcp
  }
  const agentOptions: AgentOptions = { keepAlive: true, maxSockets: 8, scheduling: 'lifo' }
  const agent =
    protocol === 'https:'
      ? Object.assign(new SecureAgent(agentOptions), {
          createConnection: (options: ConnectionOptions) => {
            const tcp = open(options)
            const secure = secureConnect({ ...options, ...shownBy(tls, tcp), minVersion: 'TLSv1.3', socket: tcp })
            tcpOf.set(secure, tcp)
            return secure
          },
        })
      : Object.assign(new Agent(agentOptions), { createConnection: open })
  return {
    agent,
    bytesOf: (socket) => bytes.of(tcpOf.get(socket) ?? socket),
    totalBytes: () => bytes.total(),
  }
}

/** Options of a connection; one that cannot be made as it must be is cut, which whoever asked for it is told. */
function shownBy(tls: () => HttpTls, tcp: Socket): ConnectionOptions {
  try {
    const { ca, own } = tls()
    return { ...(ca === null ? {} : { ca }), ...own }
  } catch (error) {
    tcp.destroy(error as Error)
    return {}
  }
}
