import type { X509Certificate } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** A place that something listens on, and how it is spoken to. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  /** `plain` speaks no TLS; `greeting` is a NATS server that says a line first. */
  readonly speaks: 'tls' | 'plain' | 'greeting'
  /** What is shown and believed; certificates are judged by the caller. */
  readonly tls: {
    readonly ca: string | null
    readonly own: { readonly cert: string; readonly key: string } | null
  }
}

/** How far one gets at an endpoint; each step has what came of it, or why it failed. */
export interface EndpointProbe {
  readonly addresses: readonly string[] | Failure
  /** Time to connect, ms; null where the step before failed. */
  readonly tcp: { readonly tookMs: number } | Failure | null
  readonly tls: Handshake | Failure | null
}

/** Why a step failed. */
export interface Failure {
  /** `ECONNREFUSED`, `TIMEOUT`, …; empty where there is none. */
  readonly code: string
  readonly msg: string
}

/** What a server showed in its handshake. */
export interface Handshake {
  /** e.g. `TLSv1.3`. */
  readonly version: string
  /** Leaf first. */
  readonly chain: readonly X509Certificate[]
  /** Why the platform's check by `ca` and host name does not take it, a code of TLS; null when it does. */
  readonly platform: string | null
}

const MAX_CHAIN = 4
const MAX_GREETING_BYTES = 64 * 1024

/** Whether a step failed. */
export function isFailure(step: EndpointProbe[keyof EndpointProbe]): step is Failure {
  return step !== null && 'msg' in step
}

/** Look a name up, connect and shake hands, as far as it goes. Nothing is sent but the handshake. */
export async function probeEndpoint(endpoint: Endpoint, timeoutMs: number): Promise<EndpointProbe> {
  const { host, port, speaks } = endpoint
  let addresses: readonly string[]
  try {
    addresses =
      isIP(host) > 0 ? [host] : (await timed(lookup(host, { all: true }), timeoutMs)).map((one) => one.address)
  } catch (error) {
    return { addresses: failureOf(error), tcp: null, tls: null }
  }
  const startedMs = performance.now()
  let socket: Socket
  try {
    socket = await openTcp(host, port, timeoutMs)
  } catch (error) {
    return { addresses, tcp: failureOf(error), tls: null }
  }
  const tcp = { tookMs: performance.now() - startedMs }
  try {
    if (speaks === 'plain') return { addresses, tcp, tls: null }
    if (speaks === 'greeting' && !(await timed(offersTls(socket), timeoutMs))) {
      return { addresses, tcp, tls: { code: 'NO_TLS', msg: 'the server does not offer TLS' } }
    }
    return { addresses, tcp, tls: await timed(shakeHands(socket, endpoint), timeoutMs) }
  } catch (error) {
    return { addresses, tcp, tls: failureOf(error) }
  } finally {
    socket.destroy()
  }
}

function openTcp(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port })
    const timer = setTimeout(() => socket.destroy(timeout(timeoutMs)), timeoutMs)
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}

/** Whether the first line of a NATS server says that it goes over to TLS. */
function offersTls(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let text = ''
    const take = (data: Buffer): void => {
      text += data.toString('latin1')
      if (!text.includes('\n') && text.length < MAX_GREETING_BYTES) return
      socket.off('data', take).pause()
      resolve(/"tls_(?:required|available)"\s*:\s*true/.test(text))
    }
    socket.on('data', take)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the server closed the connection')))
  })
}

function shakeHands(socket: Socket, { host, tls }: Endpoint): Promise<Handshake> {
  return new Promise((resolve, reject) => {
    const secure = connectTls({
      socket,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      host,
      minVersion: 'TLSv1.2',
      ...(tls.ca === null ? {} : { ca: tls.ca }),
      ...tls.own,
      // Who it is is judged by what it showed: here also a stranger is looked at.
      rejectUnauthorized: false,
    })
    secure.once('error', reject)
    secure.once('close', () => reject(new Error('the server closed the connection')))
    secure.once('secureConnect', () => {
      const chain: X509Certificate[] = []
      for (let next = secure.getPeerX509Certificate(); next !== undefined && chain.length < MAX_CHAIN; ) {
        chain.push(next)
        next = next.issuerCertificate
      }
      // The types say that it is an error; it is its code.
      const why: unknown = secure.authorizationError
      const platform = secure.authorized ? null : why instanceof Error ? why.message : String(why)
      resolve({ version: secure.getProtocol() ?? 'no TLS', chain, platform })
      secure.destroy()
    })
  })
}

function timed<T>(step: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(timeout(timeoutMs)), timeoutMs)
  return Promise.race([step, promise]).finally(() => clearTimeout(timer))
}

function timeout(timeoutMs: number): Error {
  return Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'TIMEOUT' })
}

function failureOf(error: unknown): Failure {
  const inner = error instanceof AggregateError ? (error.errors[0] ?? error) : error
  const code = typeof inner === 'object' && inner !== null && 'code' in inner ? String(inner.code) : ''
  return { code, msg: inner instanceof Error ? inner.message : String(inner) }
}
