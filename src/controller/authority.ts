import type { KeyObject, X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { type DenyList, type DenyListBody, signDenyList } from '../../identity/deny-list.ts'
import type { Issuer } from '../../identity/issue.ts'
import { type Named, pathOf } from '../../identity/names.ts'
import { isSignedBy } from '../../identity/signing.ts'
import type { TrustBundle } from '../../identity/trust-bundle.ts'
import type { Trust } from '../../identity/verify.ts'
import { RENEWAL_GRACE_MS } from '../../protocol/enrolment.ts'
import { messageOf } from '../../protocol/errors.ts'
import { AUTHORITY_FILES, type AuthorityFolder, openAuthority } from '../pki/authority-folder.ts'
import { type IssuedRecord, issuedRecordSchema } from '../pki/issued-log.ts'
import { JournalReader } from './journal.ts'
import type { ControllerLog } from './log.ts'

/** What an {@link Authority} is made of. */
export interface AuthorityOptions {
  readonly dir: string
  /** Read again when the issuing key was changed. @throws EdgeError */
  readonly passphrase: () => string
  readonly log: ControllerLog
  /** Unix ms. */
  readonly now: () => number
  /** A node's certificate was issued at the command line, so its name has an owner. */
  readonly onOffline: (record: IssuedRecord) => void
}

/** A signed list is signed anew when it is older than this, ms: its age tells a node how fresh its knowledge is. */
const RESIGN_AFTER_MS = 10_000
const WATCHED = ['root', 'issuing', 'issuingKey', 'trust', 'deny'] as const

/**
 * The fleet's authority as a running controller sees it: the folder of `src/pki` with its issuing key open, kept up with
 * what the command line changes in it meanwhile.
 */
export class Authority {
  readonly #options: AuthorityOptions
  readonly #listeners = new Set<() => void>()
  /** Certificates that are not over, by the name that they are of. */
  readonly #issued = new Map<string, IssuedRecord[]>()
  #folder: AuthorityFolder
  #issuer: Issuer
  #trust: Trust
  #issuers: readonly X509Certificate[]
  #denied: DenyList
  #seen: string
  #log: JournalReader<IssuedRecord>
  #newestIssuedMs = 0

  /** Open the folder and its issuing key. @throws EdgeError `PKI_UNUSABLE` or `PASSPHRASE_WRONG` */
  constructor(options: AuthorityOptions) {
    this.#options = options
    this.#seen = this.#stamp()
    this.#folder = openAuthority(options.dir)
    this.#issuer = this.#folder.unlockIssuing(options.passphrase())
    this.#trust = this.#folder.trust()
    this.#issuers = this.#folder.issuers()
    this.#denied = this.#readDenied()
    this.#log = new JournalReader(this.#folder.path('issued'), issuedRecordSchema, (record) => this.#onIssued(record))
    this.#log.follow()
  }

  get fleet(): string {
    return this.#folder.fleet
  }

  get bundle(): TrustBundle {
    return this.#folder.bundle
  }

  get issuing(): X509Certificate {
    return this.#issuer.certificate
  }

  /** The issuing certificates of now and of before, since what those issued counts until it ends. */
  get issuers(): readonly X509Certificate[] {
    return this.#issuers
  }

  get roots(): readonly X509Certificate[] {
    return this.#folder.roots
  }

  /** Whom members of the fleet believe now. */
  get trust(): Trust {
    return this.#trust
  }

  /**
   * Whom a renewal is believed by: also what was issued below a root that was given up meanwhile, since a node may have slept
   * through the change. Issuing certificates that were distrusted count here neither.
   */
  get trustForRenewal(): Trust {
    return { ...this.#trust, roots: [...this.#trust.roots, ...this.#issuers] }
  }

  /** Version of what is denied. */
  get denyVersion(): number {
    return this.#denied.version
  }

  /** The latest time that anything was signed here, Unix ms: the clock cannot be before it. */
  get newestMs(): number {
    return Math.max(this.#denied.issuedAt, this.#newestIssuedMs)
  }

  /** The deny list, signed a moment ago. */
  denyList(): DenyList {
    if (this.#options.now() - this.#denied.issuedAt > RESIGN_AFTER_MS) this.#denied = this.#signAnew(this.#denied)
    return this.#denied
  }

  /** When a name was revoked last, Unix ms; null when it never was. */
  deniedMs(named: Named): number | null {
    const name = pathOf(named)
    const times = this.#denied.names.filter((entry) => entry.name === name).map(({ before }) => before)
    return times.length === 0 ? null : Math.max(...times)
  }

  /** Issue a certificate; it is written down before it is handed out. @throws EdgeError as {@link AuthorityFolder.issue} */
  async issue(
    wish: { readonly named: Named; readonly publicKey: KeyObject; readonly dns?: string[]; readonly ips?: string[] },
    how: IssuedRecord['how'],
    bus: string | null = null,
  ): Promise<{ readonly certificate: X509Certificate; readonly chainPem: string }> {
    const issued = await this.#folder.issue(this.#issuer, { ...wish, nowMs: this.#options.now() }, how, bus)
    this.#log.follow()
    return issued
  }

  /** Deny every certificate of a name that is not over and of another key than this. */
  denyOthers(named: Named, key: string, why: string): void {
    const name = pathOf(named)
    const nowMs = this.#options.now()
    const denied = new Set(this.#denied.serials.map(({ serial }) => serial))
    const others = (this.#issued.get(name) ?? []).filter((one) => one.key !== key && one.notAfter > nowMs)
    const serials = others
      .filter(({ serial }) => !denied.has(serial))
      .map(({ serial, notAfter }) => ({ serial, until: notAfter + RENEWAL_GRACE_MS, why }))
    if (serials.length === 0) return
    const change = (held: Pick<DenyList, 'serials' | 'names'>) => ({ ...held, serials: [...held.serials, ...serials] })
    this.#folder.deny(this.#issuer, change, nowMs)
    this.refresh()
  }

  /** Whether a text is signed by the issuing key. */
  isSigned(text: string, signature: string): boolean {
    return isSignedBy(text, signature, this.issuing.publicKey)
  }

  /** Take over what was changed in the folder since the last time; what cannot be read leaves everything as it is. */
  refresh(): void {
    try {
      this.#log.follow()
      const seen = this.#stamp()
      if (seen === this.#seen) return
      const folder = openAuthority(this.#options.dir)
      const isSame = folder.issuing.raw.equals(this.#folder.issuing.raw)
      const issuer = isSame ? this.#issuer : folder.unlockIssuing(this.#options.passphrase())
      this.#folder = folder
      this.#issuer = issuer
      this.#trust = folder.trust()
      this.#issuers = folder.issuers()
      this.#denied = this.#readDenied()
      this.#seen = seen
    } catch (error) {
      const msg = `the authority cannot be read again: ${messageOf(error)}`
      this.#options.log.log('error', 'authority.unreadable', msg)
      return
    }
    const { version, names, serials } = this.#denied
    const fields = { deny: version, denied: names.length + serials.length, trust: this.bundle.version }
    this.#options.log.log('info', 'authority.changed', 'the authority was changed', fields)
    for (const listener of this.#listeners) listener()
  }

  /** Be told when trust, issuing certificate or deny list changed; the result forgets it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#log.close()
  }

  #onIssued(record: IssuedRecord): void {
    this.#newestIssuedMs = Math.max(this.#newestIssuedMs, record.at)
    if (!record.name.startsWith('node/')) return
    const nowMs = this.#options.now()
    const held = (this.#issued.get(record.name) ?? []).filter(({ notAfter }) => notAfter > nowMs)
    this.#issued.set(record.name, [...held, record])
    if (record.how === 'pki') this.#options.onOffline(record)
  }

  /** Signed anew at once: somebody may hold the version before with a later time than the command line's. */
  #readDenied(): DenyList {
    const { fleet } = this.#folder
    const none = { v: 1, fleet, version: 0, issuedAt: 0, serials: [], names: [] } as const
    return this.#signAnew(this.#folder.denied() ?? { ...none, serials: [], names: [] })
  }

  #signAnew({ v, fleet, version, issuedAt, serials, names }: DenyListBody): DenyList {
    const signer = { chain: [this.#issuer.certificate], key: this.#issuer.key }
    return signDenyList(
      { v, fleet, version, issuedAt: Math.max(this.#options.now(), issuedAt), serials, names },
      signer,
    )
  }

  /** What changes when a watched file does. */
  #stamp(): string {
    return WATCHED.map((file) => {
      const stat = statSync(`${this.#options.dir}/${AUTHORITY_FILES[file]}`, { bigint: true, throwIfNoEntry: false })
      return `${stat?.ino}:${stat?.size}:${stat?.mtimeNs}`
    }).join(' ')
  }
}
