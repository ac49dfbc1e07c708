import type { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DenyList } from '../../identity/deny-list.ts'
import { type Issuer, issueLeaf, type LeafWish, pemOf } from '../../identity/issue.ts'
import { isSameKey } from '../../identity/keys.ts'
import { trustOf } from '../../identity/trust.ts'
import { type TrustBundle, verifyTrustBundle } from '../../identity/trust-bundle.ts'
import { readPem, type Trust } from '../../identity/verify.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { type DenyChange, DenyFile } from './deny-file.ts'
import { readText } from './durable-file.ts'
import { type IssuedRecord, issuedRecord, readIssued, recordIssued } from './issued-log.ts'
import { openSealedKey } from './sealed-key.ts'
import { finishSwap, waitingCertificate } from './swap-pair.ts'

/** Names of the files of an authority, in its folder. */
export const AUTHORITY_FILES = {
  root: 'root.pem',
  /** Sealed; kept offline, only needed to change roots or the issuing certificate. */
  rootKey: 'root.key',
  /** The root before, while roots are changed. */
  oldRoot: 'root-old.pem',
  oldRootKey: 'root-old.key',
  issuing: 'issuing.pem',
  /** Sealed; a controller needs it. */
  issuingKey: 'issuing.key',
  issued: 'issued.ndjson',
  deny: 'deny.json',
  trust: 'trust.json',
} as const

/**
 * The certificate authority of one fleet, in a folder. Constructed by {@link openAuthority}; what may change under another
 * process (`deny.json`, `issued.ndjson`) is read anew whenever it is asked for.
 */
export class AuthorityFolder {
  readonly dir: string
  readonly fleet: string
  readonly issuing: X509Certificate
  readonly bundle: TrustBundle
  readonly roots: readonly X509Certificate[]
  readonly #deny: DenyFile

  constructor(parts: Pick<AuthorityFolder, 'dir' | 'issuing' | 'bundle' | 'roots'>) {
    this.dir = parts.dir
    this.fleet = parts.bundle.fleet
    this.issuing = parts.issuing
    this.bundle = parts.bundle
    this.roots = parts.roots
    const { fleet, roots } = this
    this.#deny = new DenyFile(this.path('deny'), { fleet, roots, distrusted: [] })
  }

  /** Path of one of its files. */
  path(file: keyof typeof AUTHORITY_FILES): string {
    return join(this.dir, AUTHORITY_FILES[file])
  }

  /**
   * Open the sealed key of the issuing certificate. Takes a good part of a second.
   * @throws EdgeError `PASSPHRASE_WRONG` or `PKI_UNUSABLE`
   */
  unlockIssuing(passphrase: string): Issuer {
    return unlock({ certificate: this.issuing, keyFile: this.path('issuingKey'), passphrase })
  }

  /** The issuing certificate and those before it, newest first; what cannot be read is passed over. */
  issuers(): X509Certificate[] {
    const before = readdirSync(this.dir).filter((name) => /^issuing-[0-9a-f]{8}\.pem$/.test(name))
    const read = before.flatMap((name) => {
      try {
        return readPem(readFileSync(join(this.dir, name), 'utf8'))
      } catch {
        return []
      }
    })
    const newestFirst = read.sort((a, b) => b.validFromDate.getTime() - a.validFromDate.getTime())
    return [this.issuing, ...newestFirst]
  }

  /** What leaves are handed out with, in PEM: the leaf, then the issuing certificate. */
  chainPem(leaf: X509Certificate): string {
    return pemOf(leaf, this.issuing)
  }

  /** PEM of every root that is believed, for `ca` settings of servers. */
  rootsPem(): string {
    return pemOf(...this.roots)
  }

  /** Every certificate that was issued and written down, oldest first. */
  issued(): ReturnType<typeof readIssued> {
    return readIssued(this.path('issued'))
  }

  /** The deny list in force; null when there is none yet. @throws EdgeError `PKI_UNUSABLE` when it is damaged */
  denied(): DenyList | null {
    return this.#deny.read()
  }

  /** Change what is denied and sign it as the next version; safe beside other processes that do the same. */
  deny(issuing: Issuer, change: DenyChange, nowMs: number): DenyList {
    return this.#deny.change(issuing, change, nowMs)
  }

  /** Whom members of the fleet believe now. */
  trust(): Trust {
    return trustOf(this, this.denied())
  }

  /**
   * Issue a certificate; it is written down before it is handed out.
   * @param bus public key on the bus that credentials are given out for with it
   * @throws EdgeError `PKI_REFUSED` when it cannot be issued so, `PKI_UNUSABLE` when it cannot be written down
   */
  async issue(
    issuing: Issuer,
    wish: Omit<LeafWish, 'denied'>,
    how: IssuedRecord['how'],
    bus: string | null = null,
  ): Promise<{ readonly certificate: X509Certificate; readonly chainPem: string; readonly record: IssuedRecord }> {
    const certificate = await issueLeaf(issuing, { ...wish, denied: this.denied() }).catch((cause: unknown) => {
      if (!(cause instanceof RangeError)) throw cause
      const next = isOver(issuing.certificate, wish.nowMs) ? ['make a new one: edgedeck pki rotate issuing'] : []
      throw new EdgeError('PKI_REFUSED', { message: messageOf(cause), next, cause })
    })
    const record = issuedRecord(certificate, { named: wish.named, nowMs: wish.nowMs, how, bus })
    recordIssued(this.path('issued'), record)
    return { certificate, chainPem: pemOf(certificate, issuing.certificate), record }
  }
}

/**
 * Open the folder of an authority.
 * @throws EdgeError `PKI_UNUSABLE` when it is none, or damaged
 */
export function openAuthority(dir: string): AuthorityFolder {
  finishSwap(dir, 'issuing')
  const read = (file: keyof typeof AUTHORITY_FILES): string => {
    const text = readText(join(dir, AUTHORITY_FILES[file]))
    if (text !== null) return text
    throw unusable(`${dir} has no ${AUTHORITY_FILES[file]}`, [
      'name the folder of the authority with --dir',
      'or make one: edgedeck pki init --fleet NAME',
    ])
  }
  const [issuing] = certificatesOf(read('issuing'), join(dir, AUTHORITY_FILES.issuing))
  const trusted = certificatesOf(read('root'), join(dir, AUTHORITY_FILES.root))
  const value = jsonOf(read('trust'))
  const fleet = (value as { fleet?: unknown } | null)?.fleet
  const trust = verifyTrustBundle(value, { fleet: typeof fleet === 'string' ? fleet : '', trusted, held: null })
  if (!trust.ok) throw unusable(`${join(dir, AUTHORITY_FILES.trust)}: ${trust.msg}`, ['put its copy back'])
  // A root counts from when the signed bundle says so.
  const waiting = waitingCertificate(dir, 'root')
  if (waiting !== null && trust.bundle.roots.includes(waiting)) {
    finishSwap(dir, 'root')
    return openAuthority(dir)
  }
  if (issuing === undefined) throw unusable(`${dir} has no issuing certificate`, ['put its copy back'])
  return new AuthorityFolder({ dir, issuing, bundle: trust.bundle, roots: trust.roots })
}

/**
 * Open the sealed key of a certificate that signs.
 * @throws EdgeError `PASSPHRASE_WRONG` or `PKI_UNUSABLE`
 */
export function unlock({
  certificate,
  keyFile,
  passphrase,
}: {
  readonly certificate: X509Certificate
  readonly keyFile: string
  readonly passphrase: string
}): Issuer {
  const text = readText(keyFile, { secret: true })
  if (text === null) {
    throw unusable(`${keyFile} is not there`, [
      'put it back from where it is kept offline, for as long as it is needed',
    ])
  }
  const key = openSealedKey(text, passphrase, keyFile)
  if (isSameKey(key, certificate.publicKey)) return { certificate, key }
  throw unusable(`${keyFile} is not the key of its certificate`, [
    'put the key and the certificate back that belong together',
  ])
}

/** Certificates of a PEM file. @throws EdgeError `PKI_UNUSABLE` */
export function certificatesOf(pem: string, file: string): X509Certificate[] {
  try {
    const certificates = readPem(pem)
    if (certificates.length > 0) return certificates
  } catch {
    // Told below.
  }
  throw unusable(`${file} holds no certificate`, ['put its copy back'])
}

function isOver(certificate: X509Certificate, nowMs: number): boolean {
  return certificate.validToDate.getTime() <= nowMs
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function unusable(message: string, next: readonly string[]): EdgeError {
  return new EdgeError('PKI_UNUSABLE', { message, next })
}
