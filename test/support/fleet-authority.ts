import type { KeyObject, X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DenyList, type DenyListBody, signDenyList } from '../../identity/deny-list.ts'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import { type Issuer, issueLeaf, type LeafWish, makeIssuing, makeRoot, pemOf } from '../../identity/issue.ts'
import { newKey, pemOfKey, publicOf } from '../../identity/keys.ts'
import type { Named } from '../../identity/names.ts'
import { trustOf } from '../../identity/trust.ts'
import { signTrustBundle, type TrustBundle } from '../../identity/trust-bundle.ts'
import type { Trust } from '../../identity/verify.ts'
import type { Rights } from '../../protocol/rights.ts'
import { AUTHORITY_FILES } from '../../src/pki/authority-folder.ts'
import { sealKey } from '../../src/pki/sealed-key.ts'

/** A certificate of somebody, with its key, as files and as texts. */
export interface IssuedIdentity {
  readonly named: Named
  readonly key: KeyObject
  readonly certificate: X509Certificate
  /** Leaf and issuing certificate. */
  readonly chain: readonly X509Certificate[]
  readonly keyPem: string
  /** Leaf and issuing certificate in PEM. */
  readonly certPem: string
  /** A folder with `key.pem` (0600), `cert.pem`, `trust.json` and `deny.json`, named as on a node or at an operator. */
  readonly dir: string
  readonly keyFile: string
  readonly certFile: string
}

type Wish = Partial<Omit<LeafWish, 'named' | 'publicKey'>> & { readonly key?: KeyObject }

/**
 * A throw-away certificate authority of one fleet in a temporary folder, made as `edgedeck pki init` makes it but with its
 * keys in memory. `using` removes the folder.
 */
export class FleetAuthority {
  readonly fleet: string
  readonly dir: string
  readonly root: Issuer
  readonly issuing: Issuer
  readonly bundle: TrustBundle
  /** PEM of the root, for `ca` of Node's TLS. */
  readonly rootPem: string
  readonly rootFile: string
  /** SHA-256 of the root, as in a join token. */
  readonly pin: string
  readonly #denied: { serials: DenyListBody['serials']; names: DenyListBody['names'] } = { serials: [], names: [] }
  #denyVersion = 0
  #count = 0

  private constructor(fleet: string, root: Issuer, issuing: Issuer) {
    this.fleet = fleet
    this.root = root
    this.issuing = issuing
    this.dir = mkdtempSync(join(tmpdir(), 'edgedeck-authority-'))
    this.rootPem = pemOf(root.certificate)
    this.rootFile = join(this.dir, 'root.pem')
    this.pin = fingerprintOf(root.certificate)
    const body = { v: 1, fleet, version: 1, roots: [this.rootPem], distrusted: [] } as const
    this.bundle = signTrustBundle({ ...body, roots: [...body.roots], distrusted: [] }, [
      { root: root.certificate, key: root.key },
    ])
    writeFileSync(this.rootFile, this.rootPem)
  }

  /** Make root and issuing certificate of a fleet. */
  static async create(fleet = 'acme', nowMs = Date.now()): Promise<FleetAuthority> {
    const rootKey = newKey()
    const root = { certificate: await makeRoot(fleet, rootKey, nowMs), key: rootKey }
    const key = newKey()
    const certificate = await makeIssuing(root, { fleet, publicKey: publicOf(key), nowMs })
    return new FleetAuthority(fleet, root, { certificate, key })
  }

  /** A certificate for a node. */
  node(site: string, node: string, wish: Wish = {}): Promise<IssuedIdentity> {
    return this.issue({ kind: 'node', fleet: this.fleet, site, node }, wish)
  }

  /** A certificate for an operator; without rights an admin with every permission, everywhere. */
  operator(name: string, rights: Partial<Rights> = {}, wish: Wish = {}): Promise<IssuedIdentity> {
    const all: Rights = { role: 'admin', permissions: ['data', 'shell'], sites: '*' }
    return this.issue({ kind: 'operator', fleet: this.fleet, name, rights: { ...all, ...rights } }, wish)
  }

  /** A certificate for a controller that listens on loopback. */
  controller(name = 'eu', wish: Wish = {}): Promise<IssuedIdentity> {
    return this.issue({ kind: 'controller', fleet: this.fleet, name }, { ...LOOPBACK, ...wish })
  }

  /** A certificate for a server on loopback, such as NATS. */
  service(name: string, wish: Wish = {}): Promise<IssuedIdentity> {
    return this.issue({ kind: 'service', fleet: this.fleet, name }, { ...LOOPBACK, ...wish })
  }

  /** A certificate for anybody, of this fleet or not. */
  async issue(named: Named, { key = newKey(), ...wish }: Wish = {}): Promise<IssuedIdentity> {
    const whole = { named, publicKey: publicOf(key), nowMs: Date.now(), denied: this.#denied, ...wish }
    const certificate = await issueLeaf(this.issuing, whole)
    const chain = [certificate, this.issuing.certificate]
    this.#count += 1
    const dir = mkdtempSync(join(this.dir, `${named.kind}-${this.#count}-`))
    const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    const [keyPem, certPem] = [pemOfKey(key), pemOf(...chain)]
    writeFileSync(keyFile, keyPem, { mode: 0o600 })
    writeFileSync(certFile, certPem)
    writeFileSync(join(dir, 'trust.json'), JSON.stringify(this.bundle))
    writeFileSync(join(dir, 'deny.json'), JSON.stringify(this.denyList()))
    return { named, key, certificate, chain, keyPem, certPem, dir, keyFile, certFile }
  }

  /** Deny certificates or names from now on; {@link denyList} and {@link trust} of later say so. */
  deny(entries: Partial<Pick<DenyListBody, 'serials' | 'names'>>): DenyList {
    this.#denied.serials = [...this.#denied.serials, ...(entries.serials ?? [])]
    this.#denied.names = [...this.#denied.names, ...(entries.names ?? [])]
    this.#denyVersion += 1
    return this.denyList()
  }

  /** The deny list of now, signed. */
  denyList(issuedAt = Date.now()): DenyList {
    const body = { v: 1, fleet: this.fleet, version: this.#denyVersion, issuedAt, ...this.#denied } as const
    return signDenyList(body, { chain: [this.issuing.certificate], key: this.issuing.key })
  }

  /** Write it down as a controller reads it, without the key of the root. */
  writeFolder(dir: string, passphrase: string): void {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    const texts = {
      root: this.rootPem,
      issuing: pemOf(this.issuing.certificate),
      issuingKey: sealKey(this.issuing.key, `issuing of ${this.fleet}`, passphrase),
      issued: '',
      deny: JSON.stringify(this.denyList()),
      trust: JSON.stringify(this.bundle),
    } as const
    for (const [file, text] of Object.entries(texts)) {
      writeFileSync(join(dir, AUTHORITY_FILES[file as keyof typeof texts]), text, { mode: 0o600 })
    }
  }

  /** Whom members of the fleet believe now. */
  trust(): Trust {
    return trustOf({ bundle: this.bundle, roots: [this.root.certificate] }, this.denyList())
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}

const LOOPBACK = { dns: ['localhost'], ips: ['127.0.0.1', '::1'] } as const
