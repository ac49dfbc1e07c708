import type { KeyObject, X509Certificate } from 'node:crypto'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import { isSameKey } from '../../identity/keys.ts'
import { type Named, pathOf } from '../../identity/names.ts'
import { readRequest } from '../../identity/request.ts'
import { isSignedBy } from '../../identity/signing.ts'
import { namedBy, readPem, verifyChain } from '../../identity/verify.ts'
import {
  type EnrolmentAnswer,
  type JoinRequest,
  type JoinToken,
  RENEWAL_GRACE_MS,
  type RenewRequest,
  readJoinToken,
  renewText,
} from '../../protocol/enrolment.ts'
import { messageOf } from '../../protocol/errors.ts'
import { keyDigestOf } from '../pki/issued-log.ts'
import { AddressLimits } from './address-limits.ts'
import type { Authority } from './authority.ts'
import type { Journal } from './journal.ts'
import { hashOfSecret, type Ledger, type LedgerEntry } from './ledger.ts'
import type { ControllerLog } from './log.ts'
import { type Outcome, refuse } from './outcome.ts'

/** Gives out what a member of the fleet needs for NATS. @throws EdgeError when it cannot */
export type BusCredentials = (who: {
  readonly named: Named
  /** Public nkey of the user. */
  readonly natsKey: string
  /** When they end, Unix ms. */
  readonly expiresAt: number
}) => Promise<EnrolmentAnswer['nats'] | null>

/** What an {@link Enrolment} works with. */
export interface EnrolmentOptions {
  readonly authority: Authority
  readonly ledger: Ledger
  readonly journal: Journal<LedgerEntry>
  readonly log: ControllerLog
  /** Sites that nodes may join; empty for all. */
  readonly sites: readonly string[]
  /** Addresses of this controller and others of the fleet. */
  readonly controllers: readonly string[]
  /** Null when no credentials for NATS are given out. */
  readonly credentials: BusCredentials | null
  /** Unix ms. */
  readonly now: () => number
}

/** A node renews once in twenty days; more often than this is a fault of it. */
const RENEWALS = { perSec: 1 / 30, burst: 10 }

/** Gives nodes their certificates: by a token at first, later by the key they have (requirement S1). */
export class Enrolment {
  readonly #options: EnrolmentOptions
  readonly #renewals = new AddressLimits(RENEWALS)

  constructor(options: EnrolmentOptions) {
    this.#options = options
  }

  /**
   * A new node's first certificate. The use of the token is on the disk before anything is given out, so that it counts
   * once whenever this process dies; asking again with the same key is answered again.
   */
  async join(request: JoinRequest, address: string): Promise<Outcome<EnrolmentAnswer>> {
    const { authority, ledger, journal, log, now } = this.#options
    const token = readJoinToken(request.token)
    if (token === null) return refuse('TOKEN_INVALID', 'this is no join token; it may be cut off', ASK_NEW)
    const wrong = this.#wrongFor(token)
    if (wrong !== null) return refuse('TOKEN_INVALID', wrong, ASK_NEW)
    const asked = await readRequest(request.csr)
    if (!asked.ok) return refuse('REQUEST_MALFORMED', asked.msg)
    const { publicKey } = asked
    const named: Named = { kind: 'node', fleet: authority.fleet, site: token.s, node: token.n }
    const key = keyDigestOf(publicKey)
    this.#lookAround()
    const decision = ledger.join({
      token,
      key,
      nowMs: now(),
      deniedMs: authority.deniedMs(named),
      isReplaceSigned: (text, signature) => authority.isSigned(text, signature),
    })
    const who = { site: token.s, node: token.n, key, address, grant: hashOfSecret(token.k).slice(0, 12) }
    if (!decision.ok) {
      const { code, message, usedBy } = decision
      log.log('warn', 'join.refused', message, { ...who, code, ...(usedBy === undefined ? {} : { usedBy }) })
      return refuse(code, message, code === 'NAME_TAKEN' ? replaceCure(token) : newCure(token))
    }
    try {
      if (decision.entry === null) await journal.settled()
      else await journal.append(decision.entry)
      // Also when it was decided before: this process may have died in between.
      authority.denyOthers(named, key, `${token.s}/${token.n} was replaced`)
    } catch (error) {
      return this.#failed('join.failed', error)
    }
    return this.#give({ named, publicKey, natsKey: request.natsKey, how: 'join', who })
  }

  /** A new certificate for the key that a node has (requirement S1), also when its last one has ended. */
  async renew(request: RenewRequest, address: string): Promise<Outcome<EnrolmentAnswer>> {
    const { authority, ledger, log, now } = this.#options
    const chain = readChain(request.certificate)
    const [leaf] = chain
    const named = leaf === undefined ? null : namedBy(leaf)
    if (leaf === undefined || named === null) return refuse('REQUEST_MALFORMED', 'this is no certificate of a fleet')
    const { signature, ...signed } = request
    if (!isSignedBy(renewText(signed), signature, leaf.publicKey)) {
      return refuse('IDENTITY_REFUSED', 'the renewal is not signed by the key of the certificate')
    }
    const asked = await readRequest(request.csr)
    if (!asked.ok) return refuse('REQUEST_MALFORMED', asked.msg)
    if (!isSameKey(asked.publicKey, leaf.publicKey))
      return refuse('IDENTITY_REFUSED', 'another key is asked for', JOIN_ANEW)
    this.#lookAround()
    const endedMs = leaf.validToDate.getTime()
    // An ended certificate is judged as of its end; how long ago that is, is asked beside.
    const at = { nowMs: Math.min(now(), endedMs), use: 'client' } as const
    const verdict = verifyChain(chain, { ...at, trust: authority.trustForRenewal })
    const key = keyDigestOf(leaf.publicKey)
    const who = { name: named.kind === 'node' ? `${named.site}/${named.node}` : named.name, key, address }
    const no = (code: 'IDENTITY_REFUSED' | 'IDENTITY_REVOKED' | 'RATE_LIMITED', message: string, next: string) => {
      log.log('warn', 'renew.refused', message, { ...who, code })
      return refuse(code, message, next)
    }
    if (!verdict.ok) {
      return no(verdict.why === 'revoked' ? 'IDENTITY_REVOKED' : 'IDENTITY_REFUSED', verdict.msg, JOIN_ANEW)
    }
    if (named.kind !== 'node')
      return no('IDENTITY_REFUSED', 'only nodes renew here; operators log in', 'run edgedeck login')
    const isRootGone = !verifyChain(chain, { ...at, trust: authority.trust }).ok
    if (isRootGone && ledger.ownerOf(named.site, named.node) !== key) {
      return no('IDENTITY_REFUSED', 'the certificate is below a root that counts no more', JOIN_ANEW)
    }
    if (now() - endedMs > RENEWAL_GRACE_MS) {
      const days = Math.floor((now() - endedMs) / DAY_MS)
      return no('IDENTITY_REFUSED', `the certificate ended ${days} days ago; after 90 it is not renewed`, JOIN_ANEW)
    }
    const isReplaced = (): boolean => (ledger.ownerOf(named.site, named.node) ?? key) !== key
    const replaced = `${named.site}/${named.node} belongs to another key now`
    if (isReplaced()) return no('IDENTITY_REFUSED', replaced, JOIN_ANEW)
    if (!this.#renewals.take(who.name, performance.now())) {
      return no('RATE_LIMITED', `${who.name} renews too often`, 'renew when two thirds of the time are over')
    }
    const { publicKey } = asked
    const given = await this.#give({ named, publicKey, natsKey: request.natsKey, how: 'renew', who })
    if (!isReplaced()) return given
    // The name was replaced while this certificate was being made: it is taken back before anybody gets it.
    authority.denyOthers(named, ledger.ownerOf(named.site, named.node) ?? '', replaced)
    return no('IDENTITY_REFUSED', replaced, JOIN_ANEW)
  }

  /** Know what the command line did until now: tokens, names that it certified, revocations. */
  #lookAround(): void {
    this.#options.journal.follow()
    this.#options.authority.refresh()
  }

  /** A certificate and all that belongs to it, for somebody who was believed. */
  async #give(wish: {
    readonly named: Named
    readonly publicKey: KeyObject
    readonly natsKey: string | undefined
    readonly how: 'join' | 'renew' | 'login'
    readonly who: Readonly<Record<string, string>>
  }): Promise<Outcome<EnrolmentAnswer>> {
    const { authority, controllers, log } = this.#options
    const { named, publicKey, natsKey, how, who } = wish
    try {
      const { certificate, chainPem } = await authority.issue({ named, publicKey }, how, natsKey ?? null)
      const expiresAt = certificate.validToDate.getTime()
      const nats = natsKey === undefined ? null : await this.#credentials({ named, natsKey, expiresAt })
      const until = certificate.validToDate.toISOString()
      // The key on the bus is what edgedeck nats revoke asks for.
      const onBus = natsKey === undefined ? {} : { natsKey }
      const given = { ...who, serial: certificate.serialNumber, until, ...onBus }
      log.log('info', `${how}.done`, 'a certificate was given out', given)
      const body: EnrolmentAnswer = {
        v: 1,
        fleet: authority.fleet,
        certificate: chainPem,
        trust: { ...authority.bundle },
        deny: { ...authority.denyList() },
        controllers: [...controllers],
        ...(nats === null || nats === undefined ? {} : { nats }),
      }
      return { ok: true, body }
    } catch (error) {
      return this.#failed(`${how}.failed`, error)
    }
  }

  /** A certificate for an operator who proved who they are. */
  give(
    named: Named,
    publicKey: KeyObject,
    natsKey: string | undefined,
    address: string,
  ): Promise<Outcome<EnrolmentAnswer>> {
    const who = { name: named.kind === 'operator' ? named.name : '', address }
    return this.#give({ named, publicKey, natsKey, how: 'login', who })
  }

  /** What a member needs for NATS; null when none is given out, or when it cannot be: the certificate is of use without. */
  async #credentials(who: Parameters<BusCredentials>[0]): ReturnType<BusCredentials> {
    const { credentials, log } = this.#options
    try {
      return credentials === null ? null : await credentials(who)
    } catch (error) {
      log.log('error', 'nats.failed', messageOf(error), { name: pathOf(who.named) })
      return null
    }
  }

  #wrongFor({ f, s, p }: JoinToken): string | null {
    const { authority, sites } = this.#options
    if (f !== authority.fleet) return `the token is of the fleet ${f}, not ${authority.fleet}`
    if (!authority.roots.some((root) => fingerprintOf(root) === p)) return 'the token names another root'
    return sites.length === 0 || sites.includes(s) ? null : `nodes of the site ${s} do not join here`
  }

  #failed(event: string, error: unknown): Outcome<never> {
    this.#options.log.log('error', event, messageOf(error))
    return refuse('CONTROLLER_FAILING', 'the controller cannot do it now; nothing was given out', 'try again later')
  }
}

const DAY_MS = 86_400_000
const ASK_NEW = 'ask for a new token: edgedeck pki token --site SITE --node NODE'
const JOIN_ANEW = 'join again with a token made with "edgedeck pki token … --replace"'

function newCure({ s, n }: JoinToken): string {
  return `ask for a new token: edgedeck pki token --site ${s} --node ${n}`
}

function replaceCure(token: JoinToken): string {
  return `${newCure(token)} --replace`
}

function readChain(pem: string): X509Certificate[] {
  try {
    return readPem(pem)
  } catch {
    return []
  }
}
