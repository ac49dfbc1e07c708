import type { X509Certificate } from 'node:crypto'
import { titleOf } from '../../identity/names.ts'
import { namedBy, type Trust, verifyChain } from '../../identity/verify.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { Endpoint, EndpointProbe, Failure, Handshake } from './endpoint-probe.ts'
import { isFailure } from './endpoint-probe.ts'
import type { FindingsOf } from './finding.ts'
import { lasting } from './times.ts'

/** Who is expected at an endpoint, and by what it is judged. */
export type Expected =
  /** A member of the fleet by the URI in its certificate. */
  | {
      readonly by: 'fleet'
      readonly trust: Trust
      readonly kind: 'controller' | 'node'
      /** `site/node` or `node` for a node; null for whichever. */
      readonly name: string | null
    }
  /** A server by its host name, below `ca` or the platform's authorities. */
  | { readonly by: 'host'; readonly whose: string }
  /** Nobody is asked who it is. */
  | { readonly by: 'nobody' }

/** What to say of an endpoint. */
export interface EndpointSubject {
  readonly endpoint: Pick<Endpoint, 'host' | 'port' | 'speaks'>
  readonly expected: Expected
  /** What should listen there, and where it is configured: for cures. */
  readonly what: string
  readonly configured: string
  /** Unix ms. */
  readonly nowMs: number
}

/** A certificate that ends within this time is told. */
const ENDING_MS = 3 * 86_400_000

/** Say how far one gets at an endpoint, and what keeps one from getting further. Returns whether all of it is good. */
export function judgeEndpoint(probe: EndpointProbe, subject: EndpointSubject, say: FindingsOf): boolean {
  const { endpoint, what, configured } = subject
  const at = `${endpoint.host}:${endpoint.port}`
  if (isFailure(probe.addresses)) {
    say.fault(
      'dns',
      `${dnsReason(probe.addresses)} ${endpoint.host}`,
      `correct the name in ${configured}, or the name service (/etc/resolv.conf, /etc/hosts)`,
    )
    return false
  }
  if (probe.tcp === null || isFailure(probe.tcp)) {
    const failure = probe.tcp ?? { code: '', msg: 'not tried' }
    say.fault('port', `${at}: ${portReason(failure)}`, portCure(failure, { at, what, configured }))
    return false
  }
  say.ok('port', `${at} takes connections in ${Math.round(probe.tcp.tookMs)} ms`)
  if (endpoint.speaks === 'plain') return true
  if (probe.tls === null || isFailure(probe.tls)) {
    const failure = probe.tls ?? { code: '', msg: 'not tried' }
    say.fault('tls', `${at} ${tlsReason(failure)}`, tlsCure(failure, subject))
    return false
  }
  return judgeHandshake(probe.tls, subject, say)
}

function judgeHandshake(shown: Handshake, subject: EndpointSubject, say: FindingsOf): boolean {
  const { expected, nowMs, what, configured } = subject
  if (shown.version !== 'TLSv1.3') {
    say.fault('tls', `it speaks ${shown.version}, and at least TLS 1.3 is wanted`, `let ${what} speak TLS 1.3`)
    return false
  }
  const [leaf] = shown.chain
  if (leaf === undefined) {
    say.fault('tls', 'it shows no certificate', `see what listens there, and ${configured}`)
    return false
  }
  const ends = leaf.validToDate.getTime()
  const left = ends - nowMs
  let who = ''
  if (expected.by === 'fleet') {
    const verdict = verifyChain(shown.chain, { trust: expected.trust, nowMs, use: 'server' })
    if (!verdict.ok) {
      say.fault('certificate', `its certificate does not count: ${verdict.msg}`, chainCure(leaf, subject, verdict.why))
      return false
    }
    const { named } = verdict
    who = untrusted(titleOf(named))
    const isRight = named.kind === expected.kind && (expected.name === null || isCalled(titleOf(named), expected.name))
    if (!isRight) {
      const meant = expected.name === null ? `a ${expected.kind}` : expected.name
      say.fault(
        'certificate',
        `${named.kind} ${who} answers there, not ${meant}`,
        `correct the address in ${configured}`,
      )
      return false
    }
  } else if (expected.by === 'host' && shown.platform !== null) {
    say.fault(
      'certificate',
      `its certificate does not count: ${platformReason(shown.platform, leaf, subject)}`,
      platformCure(shown.platform, subject),
    )
    return false
  }
  const about = `TLS 1.3${who === '' ? '' : `, ${who}`}; its certificate ends in ${lasting(left)}`
  if (left < ENDING_MS) say.warning('certificate', about, `renew it: ${renewal(expected)}`)
  else say.ok('certificate', about)
  return true
}

function dnsReason({ code, msg }: Failure): string {
  if (code === 'ENOTFOUND') return 'there is no address of the name'
  if (code === 'EAI_AGAIN' || code === 'TIMEOUT') return 'the name service does not answer for'
  return `${untrusted(msg)}:`
}

function portReason({ code, msg }: Failure): string {
  const known: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'the connection is refused: nothing listens there',
    TIMEOUT: `${msg}: the machine is off, or a firewall drops what comes`,
    ETIMEDOUT: 'no answer to the connection attempt',
    EHOSTUNREACH: 'there is no route to the host',
    ENETUNREACH: 'there is no route to the network',
  }
  return known[code] ?? untrusted(msg)
}

function portCure(
  { code }: Failure,
  { at, what, configured }: { at: string; what: string; configured: string },
): string {
  if (code === 'ECONNREFUSED') return `start ${what}, or correct the port in ${configured}`
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH')
    return `look at the route there: ip route get ${at.replace(/:\d+$/, '')}`
  return `let ${at} through the firewalls between, or correct the address in ${configured}`
}

function tlsReason({ code, msg }: Failure): string {
  if (/wrong version number|packet length too long/i.test(msg) || code === 'NO_TLS') return 'speaks no TLS'
  if (code === 'TIMEOUT') return 'takes the connection and does not answer'
  if (/alert (?:number 116|certificate required)/i.test(msg)) return 'wants a certificate, and none is held here'
  if (code === 'ECONNRESET' || /closed the connection/.test(msg)) return 'ends the connection in the handshake'
  return `fails in TLS: ${untrusted(/routines:[^:]*:([^:]+)/.exec(msg)?.[1] ?? msg)}`
}

function tlsCure({ code, msg }: Failure, { what, configured, expected }: EndpointSubject): string {
  if (/certificate required/i.test(msg)) return 'log in first: edgedeck login'
  if (/wrong version number|packet length too long/i.test(msg) || code === 'NO_TLS') {
    return expected.by === 'fleet' && expected.kind === 'node'
      ? `let the node join the fleet (edge-daemon join), or write ws:// if it is on this machine`
      : `give ${what} a certificate, or correct the address in ${configured}`
  }
  return `look at the log of ${what}`
}

function chainCure(leaf: X509Certificate, { expected, nowMs }: EndpointSubject, why: string): string {
  const of = namedBy(leaf)
  if (expected.by !== 'fleet') return ''
  if (of !== null && of.fleet !== expected.trust.fleet) {
    return `it is of the fleet ${untrusted(of.fleet)}: correct the address, or take the context of that fleet`
  }
  if (why === 'expired' || why === 'not_yet_valid') {
    return `compare this machine's clock (${new Date(nowMs).toISOString().slice(0, 16)}Z) with the controller's below; if it is right, ${renewal(expected)}`
  }
  if (why === 'revoked') return 'let it join again with a token made with --replace'
  return 'compare the pin of "edgedeck pki status" with "edgedeck context show"; the root may have been changed: edgedeck login'
}

function renewal(expected: Expected): string {
  if (expected.by === 'host') return 'edgedeck pki service'
  if (expected.by === 'fleet' && expected.kind === 'controller')
    return 'start the controller anew, which issues its own'
  return 'see why the node does not renew it: edge-daemon identity, on the node'
}

function platformReason(code: string, leaf: X509Certificate, { endpoint, nowMs }: EndpointSubject): string {
  if (code === 'CERT_HAS_EXPIRED') {
    const agoMs = nowMs - leaf.validToDate.getTime()
    return agoMs > 0 ? `it ended ${lasting(agoMs)} ago` : 'one that it hangs on has ended'
  }
  if (code === 'CERT_NOT_YET_VALID') return 'it is not valid yet by the clock of this machine'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `it is not for the name ${endpoint.host} (${untrusted(leaf.subjectAltName ?? 'no name')})`
  return `it is not signed by those who are believed (${untrusted(code)})`
}

function platformCure(code: string, { endpoint, configured, expected }: EndpointSubject): string {
  if (code === 'CERT_NOT_YET_VALID') return 'set the clock of this machine'
  if (code === 'CERT_HAS_EXPIRED') return 'issue it anew: edgedeck pki service; or set the clock of this machine'
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `issue it for that name (edgedeck pki service --dns ${endpoint.host}), or write another of its names in ${configured}`
  }
  const whose = expected.by === 'host' ? expected.whose : ''
  return `it is judged by ${whose}: name who signed it under nats.ca, or issue it by the fleet (edgedeck pki service)`
}

function isCalled(title: string, wanted: string): boolean {
  return title === wanted || title.endsWith(`/${wanted}`)
}
