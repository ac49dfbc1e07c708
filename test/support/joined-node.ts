import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { type ClientOptions, WebSocket } from 'ws'
import { IdentityFiles } from '../../edge-daemon/identity/files.ts'
import { type IdentityClocks, NodeIdentity } from '../../edge-daemon/identity/node-identity.ts'
import type { FleetAuthority, IssuedIdentity } from './fleet-authority.ts'

/** Put a node's certificate, key and lists where its daemon looks for them: `<stateDir>/identity`. */
export function joinFiles(stateDir: string, issued: IssuedIdentity): IdentityFiles {
  const files = new IdentityFiles(stateDir)
  mkdirSync(files.dir, { recursive: true, mode: 0o700 })
  for (const name of ['key.pem', 'cert.pem', 'trust.json', 'deny.json'])
    cpSync(join(issued.dir, name), files.path(name))
  return files
}

/** The identity of a node that has joined in a folder of its own. */
export async function joinedNode(
  authority: FleetAuthority,
  { site = 'plant', node = 'n1', clocks = {} as IdentityClocks, nowMs = Date.now() } = {},
): Promise<NodeIdentity> {
  const issued = await authority.node(site, node, { nowMs })
  const identity = NodeIdentity.load(joinFiles(join(issued.dir, 'state'), issued), clocks)
  if (identity === null) throw new Error('the node has not joined')
  return identity
}

/** Options of a TLS client that is somebody of the fleet; who serves is not checked. */
export function clientTls(issued: IssuedIdentity | null): ConnectionOptions {
  const own = issued === null ? {} : { key: issued.keyPem, cert: issued.certPem }
  return { ...own, minVersion: 'TLSv1.3', rejectUnauthorized: false }
}

/** Options of a WebSocket as somebody of the fleet. */
export function clientSocket(issued: IssuedIdentity | null): ClientOptions {
  const own = issued === null ? {} : { key: issued.keyPem, cert: issued.certPem }
  return { ...own, minVersion: 'TLSv1.3', rejectUnauthorized: false, perMessageDeflate: false }
}

/** A TLS connection to a listener, after its handshake. */
export async function secureTo(url: string, options: ConnectionOptions): Promise<TLSSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ...options })
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  return socket
}

/** All that a listener says to one request until it hangs up; the reason when there is no connection. */
export async function secureExchange(url: string, options: ConnectionOptions, request: string): Promise<string> {
  let answer = ''
  try {
    const socket = await secureTo(url, options)
    socket.on('data', (data: Buffer) => {
      answer += data.toString('latin1')
    })
    socket.write(request)
    await new Promise((resolve) => {
      socket.on('error', resolve)
      socket.on('close', resolve)
    })
    return answer
  } catch (error) {
    return `no connection: ${(error as NodeJS.ErrnoException).code ?? String(error)}`
  }
}

/** How a WebSocket to a listener begins: open, or the status and body of the refusal. */
export async function knock(url: string, issued: IssuedIdentity | null): Promise<string> {
  const socket = new WebSocket(url, 'edgedeck.v1', clientSocket(issued))
  return new Promise((resolve) => {
    socket.once('open', () => {
      socket.terminate()
      resolve('open')
    })
    socket.once('error', (error) => resolve(error.message))
    socket.once('unexpected-response', (_request, response) => {
      let body = ''
      response.on('data', (data: Buffer) => {
        body += data.toString()
      })
      response.on('end', () => resolve(`${response.statusCode} ${body.trim()}`))
    })
  })
}
