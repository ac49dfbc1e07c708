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

/** Make a keep-alive agent for `http:` or `https:`. */
export function createMeteredAgent(protocol: string): MeteredAgent {
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
            const secure = secureConnect({ ...options, socket: tcp })
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
