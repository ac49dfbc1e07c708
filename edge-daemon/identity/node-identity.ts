import type { KeyObject, X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { type DenyList, isIssuerGood, readHeldDenyList, verifyDenyList } from '../../identity/deny-list.ts'
import { isSameKey, pemOfKey, readKey } from '../../identity/keys.ts'
import { titleOf } from '../../identity/names.ts'
import { trustOf } from '../../identity/trust.ts'
import { readHeldBundle, type TrustBundle, verifyTrustBundle } from '../../identity/trust-bundle.ts'
import { namedBy, readPem, type Trust, type Verdict, verifyChain } from '../../identity/verify.ts'
import type { ControlIdentity, Peer, Route } from '../live/contract.ts'
import { damaged, type IdentityFiles } from './files.ts'
import { PeerChains } from './peer-chain.ts'
import { TrustedClock } from './trusted-clock.ts'

/** Whether something new was taken, or why it was not; `msg` is a sentence for an operator. */
export type Taken = { readonly ok: true } | { readonly ok: false; readonly msg: string }

/** What a {@link NodeIdentity} judges time by; the machine's own clocks when they are left out. */
export interface IdentityClocks {
  readonly wallMs?: () => number
  readonly monotonicMs?: () => number
}

/** A floor, or a signature on an unchanged list, is written when it is so much later than the one that is kept. */
const KEEP_EVERY_MS = 3_600_000
const UNCONFIRMED =
  ' (the clock of this node was not compared with a controller since the start: it may be the one that is wrong)'

/**
 * Who a joined node is, whom it believes, and by what time (requirements S1, S2). Everything new is verified before it is
 * taken and kept before it counts; versions and the clock's floor never go back.
 */
export class NodeIdentity implements ControlIdentity {
  readonly fleet: string
  readonly site: string
  readonly node: string
  readonly clock: TrustedClock
  readonly files: IdentityFiles
  readonly key: KeyObject
  readonly #listeners = new Set<() => void>()
  readonly #peers = new PeerChains()
  #chain: readonly [X509Certificate, ...X509Certificate[]]
  #bundle: TrustBundle
  #roots: readonly X509Certificate[]
  #deny: DenyList | null
  #denyKeptMs: number
  #floorKeptMs: number
  #trust: Trust

  private constructor(
    files: IdentityFiles,
    held: {
      readonly key: KeyObject
      readonly chain: readonly [X509Certificate, ...X509Certificate[]]
      readonly bundle: TrustBundle
      readonly roots: readonly X509Certificate[]
    },
    clocks: IdentityClocks,
  ) {
    const { key, chain, bundle, roots } = held
    this.files = files
    this.key = key
    this.#chain = chain
    this.#bundle = bundle
    this.#roots = roots
    this.fleet = bundle.fleet
    const [leaf] = chain
    const named = namedBy(leaf)
    // Whether it still counts is looked at later: a node that was off for weeks, or whose issuer counts no more, still has to
    // start, to serve and to renew.
    if (named === null || named.fleet !== bundle.fleet) throw damaged(files.path('cert.pem'), 'it is of another fleet')
    if (named.kind !== 'node') throw damaged(files.path('cert.pem'), `it names ${titleOf(named)}, no node`)
    if (!isSameKey(leaf.publicKey, key))
      throw damaged(files.path('cert.pem'), `it is not for the key in ${files.keyPath}`)
    this.site = named.site
    this.node = named.node

    this.#deny = null
    const list = files.deny()
    if (list !== null) {
      const read = readHeldDenyList(list, bundle.fleet)
      if (!read.ok) throw damaged(files.path('deny.json'), read.msg)
      this.#deny = read.list
    }
    this.#denyKeptMs = this.#deny?.issuedAt ?? 0
    this.#trust = this.#currentTrust()
    this.#floorKeptMs = files.clockFloorMs()
    this.clock = new TrustedClock({
      ...clocks,
      floorMs: this.#floorKeptMs,
      onFloor: (floorMs) => this.#keepFloor(floorMs),
    })
    this.clock.raiseFloor(this.#signedMs(this.#trust))
  }

  /**
   * Read who this node is; null when it has not joined.
   * @throws EdgeError `IDENTITY_UNUSABLE` for files that are damaged, do not fit each other or can be read by others
   */
  static load(files: IdentityFiles, clocks: IdentityClocks = {}): NodeIdentity | null {
    const certPem = files.certificate()
    if (certPem === null) return null
    const keyPem = files.key()
    const key = keyPem === null ? null : readKey(keyPem)
    if (key === null) throw damaged(files.keyPath, keyPem === null ? 'it is missing' : 'it holds no key of a node')
    const bundle = files.trust()
    const trusted = bundle === null ? null : readHeldBundle(bundle)
    if (trusted?.ok !== true) throw damaged(files.path('trust.json'), trusted?.msg ?? 'it is missing')
    const chain = chainIn(certPem)
    if (chain === null) throw damaged(files.path('cert.pem'))
    return new NodeIdentity(files, { key, chain, bundle: trusted.bundle, roots: trusted.roots }, clocks)
  }

  /** The own certificate, leaf first. */
  get chain(): readonly [X509Certificate, ...X509Certificate[]] {
    return this.#chain
  }

  get leaf(): X509Certificate {
    return this.#chain[0]
  }

  get trust(): Trust {
    return this.#trust
  }

  get bundle(): TrustBundle {
    return this.#bundle
  }

  get deny(): DenyList | null {
    return this.#deny
  }

  /** Why the own certificate counts no more, its time aside: its issuer or root was given up, or it was revoked. */
  get ownFault(): string | null {
    const nowMs = this.leaf.validFromDate.getTime()
    const verdict = verifyChain(this.#chain, { trust: this.#trust, nowMs, use: 'server' })
    return verdict.ok ? null : verdict.msg
  }

  tls(): { readonly key: string; readonly cert: string; readonly ca: string } {
    return { key: pemOfKey(this.key), cert: pemOf(this.#chain), ca: pemOf(this.#roots) }
  }

  judge(socket: TLSSocket, from: { readonly route: Route; readonly address: string }): Peer | string {
    const verdict = this.judgeChain(this.#peers.of(socket))
    if (!verdict.ok) return verdict.msg
    const { named, leaf: certificate } = verdict
    if (named.kind === 'node') return `${titleOf(named)} is a node, and nodes do not look at each other`
    const rights = named.kind === 'operator' ? named.rights : ({ role: 'viewer', permissions: [], sites: '*' } as const)
    return { kind: named.kind, name: named.name, rights, certificate, ...from }
  }

  nowMs(): number {
    return this.clock.nowMs()
  }

  judgeChain(chain: readonly X509Certificate[], atMs?: number): Verdict {
    this.#learnTime(chain)
    const verdict = verifyChain(chain, { trust: this.#trust, nowMs: atMs ?? this.clock.nowMs(), use: 'client' })
    if (verdict.ok || this.clock.isConfirmed) return verdict
    const isAboutTime = verdict.why === 'expired' || verdict.why === 'not_yet_valid'
    return isAboutTime ? { ...verdict, msg: `${verdict.msg}${UNCONFIRMED}` } : verdict
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Take a new certificate for the same key and names. Never throws for what it says; throws when the disk refuses. */
  takeCertificate(pem: string): Taken {
    const chain = chainIn(pem)
    if (chain === null) return { ok: false, msg: 'the new certificate is damaged' }
    const [leaf] = chain
    const startMs = leaf.validFromDate.getTime()
    const verdict = verifyChain(chain, {
      trust: this.#trust,
      nowMs: Math.max(startMs, this.clock.floorMs),
      use: 'server',
    })
    if (!verdict.ok) return { ok: false, msg: `the new certificate is not good: ${verdict.msg}` }
    const { named } = verdict
    if (named.kind !== 'node' || named.site !== this.site || named.node !== this.node) {
      return { ok: false, msg: `the new certificate names ${titleOf(named)}, and this is ${this.site}/${this.node}` }
    }
    if (!isSameKey(leaf.publicKey, this.key)) return { ok: false, msg: 'the new certificate is for another key' }
    this.clock.raiseFloor(startMs)
    this.files.writeCertificate(pem)
    this.#chain = chain
    this.#tell()
    return { ok: true }
  }

  /** Take newer roots, signed by one that is trusted already. */
  takeTrust(value: unknown): Taken {
    const read = verifyTrustBundle(value, { fleet: this.fleet, trusted: this.#roots, held: this.#bundle })
    if (!read.ok) return read
    if (read.bundle.version === this.#bundle.version) return { ok: true }
    const known = new Set(this.#bundle.distrusted.map(({ issuing }) => issuing))
    const isLess = read.bundle.distrusted.some(({ issuing }) => !known.has(issuing))
    if (isLess) this.#forgetTime(read)
    this.files.writeTrust(read.bundle)
    this.#bundle = read.bundle
    this.#roots = read.roots
    this.#trust = this.#currentTrust()
    this.#tell()
    return { ok: true }
  }

  /** Take a deny list that is not older than the one that is held. */
  takeDeny(value: unknown): Taken {
    const held = this.#deny
    const read = verifyDenyList(value, { trust: this.#trust, held })
    if (!read.ok) return read
    const { list } = read
    const isNews = held === null || list.version > held.version
    // An unchanged list is signed anew every half minute, which is no reason to wear out a disk.
    if (isNews || list.issuedAt - this.#denyKeptMs >= KEEP_EVERY_MS) {
      this.files.writeDeny(list)
      this.#denyKeptMs = list.issuedAt
    }
    this.#deny = list
    this.clock.raiseFloor(list.issuedAt)
    if (isNews) {
      this.#trust = this.#currentTrust()
      this.#tell()
    }
    return { ok: true }
  }

  /**
   * An issuing certificate counts no more, and it may have said that it is years later: the floor stands on what the others
   * signed. Kept before the bundle, so that a crash between the two does it again.
   */
  #forgetTime(believed: { readonly bundle: TrustBundle; readonly roots: readonly X509Certificate[] }): void {
    const floorMs = this.#signedMs(trustOf(believed, null))
    if (floorMs >= this.clock.floorMs && !this.clock.isConfirmed) return
    this.clock.startAnew(floorMs)
    this.#floorKeptMs = this.clock.floorMs
    this.files.writeClockFloor(this.#floorKeptMs)
  }

  /** The latest time that is signed in what is held, Unix ms, by those that count. */
  #signedMs(trust: Trust): number {
    const startMs = this.leaf.validFromDate.getTime()
    const isOwnGood = verifyChain(this.#chain, { trust, nowMs: startMs, use: 'server' }).ok
    const deniedMs = this.#deny !== null && isIssuerGood(this.#deny, trust) ? this.#deny.issuedAt : 0
    return Math.max(
      isOwnGood ? startMs : 0,
      deniedMs,
      ...trust.roots.map(({ validFromDate }) => validFromDate.getTime()),
    )
  }

  /** A certificate that the fleet's CA signed began when it was signed, or before: so it is that late at least. */
  #learnTime(chain: readonly X509Certificate[]): void {
    const startMs = chain[0]?.validFromDate.getTime() ?? 0
    if (startMs <= this.clock.nowMs()) return
    if (verifyChain(chain, { trust: this.#trust, nowMs: startMs, use: 'client' }).ok) this.clock.raiseFloor(startMs)
  }

  #keepFloor(floorMs: number): void {
    if (floorMs - this.#floorKeptMs < KEEP_EVERY_MS) return
    this.files.writeClockFloor(floorMs)
    this.#floorKeptMs = floorMs
  }

  #currentTrust(): Trust {
    const trust = trustOf({ bundle: this.#bundle, roots: this.#roots }, this.#deny)
    if (this.#deny === null || isIssuerGood(this.#deny, trust)) return trust
    // What was revoked stays so until the next list, but for controllers: they bring it, and a taken one may have shut out the rest.
    return { ...trust, revoked: (leaf, named) => (named.kind === 'controller' ? null : trust.revoked(leaf, named)) }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

function pemOf(chain: readonly X509Certificate[]): string {
  return chain.map((certificate) => certificate.toString()).join('')
}

function chainIn(pem: string): readonly [X509Certificate, ...X509Certificate[]] | null {
  try {
    const [leaf, ...issuers] = readPem(pem)
    return leaf === undefined ? null : [leaf, ...issuers]
  } catch {
    return null
  }
}
