import type { BusAccess } from '../../identity/bus-access.ts'
import { messageOf } from '../../protocol/errors.ts'
import { AUDIT_STREAM } from '../../protocol/stream-config.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { isLoopback } from '../../settings/loopback.ts'
import { lookAtBus } from '../cloud/bus-look.ts'
import { type CloudAddress, withoutCredentials } from '../config/cloud-address.ts'
import { type Endpoint, probeEndpoint } from './endpoint-probe.ts'
import { type Area, type Finding, FindingsOf } from './finding.ts'
import { judgeBus, judgeCredentials } from './judge-bus.ts'
import { judgeEndpoint } from './judge-endpoint.ts'

/** A bus or region that is looked at. */
export interface BusQuestion {
  readonly area: Extract<Area, 'bus' | 'region'>
  readonly address: CloudAddress
  /** May throw a sentence. */
  readonly access: () => BusAccess
  /** Where the servers stand, for cures. */
  readonly configured: string
  /** Look for the streams that hold records too. */
  readonly withStreams: boolean
  readonly presenceOf: '*' | readonly string[]
  readonly timeoutMs: number
  /** Unix ms. */
  readonly now: () => number
}

const NATS_PORT = 4222

/** Look at a bus: credentials, each server, what may be heard, and which streams there are. */
export async function checkBus(question: BusQuestion): Promise<readonly Finding[]> {
  const { area, address, access, configured, timeoutMs, now } = question
  const say = new FindingsOf(area, address.name)
  let shown: BusAccess
  try {
    shown = access()
  } catch (error) {
    say.fault('credentials', untrusted(messageOf(error)), 'make the file good, or: edgedeck login')
    return say.all
  }
  judgeCredentials(shown, now(), say)
  const tls = shown.tls
  const expected = {
    by: 'host',
    whose: tls.ca === null ? "this machine's authorities" : "the fleet's roots or nats.ca",
  } as const
  const reached = await Promise.all(
    address.servers.map(async (server) => {
      const endpoint: Endpoint = { ...endpointOf(server), tls }
      const its = new FindingsOf(area, address.name)
      const subject = { endpoint, expected, what: 'nats-server', configured, nowMs: now() }
      const isGood = judgeEndpoint(await probeEndpoint(endpoint, timeoutMs), subject, its)
      return { isGood, findings: its.all }
    }),
  )
  const findings = reached.flatMap((one) => one.findings)
  if (!reached.some(({ isGood }) => isGood)) return [...say.all, ...findings]
  const look = await lookAtBus({
    address: { ...address, access: () => shown },
    streams: question.withStreams ? [address.stream, AUDIT_STREAM] : [],
    presenceOf: question.presenceOf,
    timeoutMs,
  })
  const isOurs = shown.credentials?.isOurs === true
  const setup = isOurs
    ? 'edgedeck nats setup --out DIR'
    : `edgedeck nats setup --servers ${address.servers.map(withoutCredentials).join(',')}`
  const rest = new FindingsOf(area, address.name)
  judgeBus(look, { isOurs, setup }, rest)
  return [...say.all, ...findings, ...rest.all]
}

/** How a server of an address is spoken to, as the client does. */
export function endpointOf(server: string): Omit<Endpoint, 'tls'> {
  const url = new URL(server)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const speaks = url.protocol === 'tls:' ? 'tls' : isLoopback(host) ? 'plain' : 'greeting'
  return { host, port: url.port === '' ? NATS_PORT : Number(url.port), speaks }
}
