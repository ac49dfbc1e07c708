import 'reflect-metadata'
import { X509Certificate as Certificate, type KeyObject, randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { DenyListBody } from './deny-list.ts'
import { cryptoKeyOf, publicOf, SIGNING_ALGORITHM } from './keys.ts'
import { type Named, pathOf, uriOf } from './names.ts'

/** A certificate that signs others, and its key. */
export interface Issuer {
  readonly certificate: Certificate
  readonly key: KeyObject
}

/** What a certificate of somebody is made of. */
export interface LeafWish {
  readonly named: Named
  readonly publicKey: KeyObject
  /** Unix ms. */
  readonly nowMs: number
  /** Host names and IP addresses of a server. */
  readonly dns?: readonly string[]
  readonly ips?: readonly string[]
  /** A shorter life than {@link LIFE_MS} gives, ms. */
  readonly lifeMs?: number
  /** What is denied now: whoever was revoked by name and is issued anew gets a certificate that the old entry does not hit. */
  readonly denied?: Pick<DenyListBody, 'names'> | null
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** How long certificates last. */
export const LIFE_MS = {
  root: 3652 * DAY_MS,
  issuing: 730 * DAY_MS,
  node: 30 * DAY_MS,
  operator: 12 * 60 * MINUTE_MS,
  controller: 730 * DAY_MS,
  service: 730 * DAY_MS,
} as const

/** How far back they begin: clocks differ, and a node that never was online may have one that is weeks behind. */
const BACKDATE_MS = {
  root: 60 * DAY_MS,
  issuing: 60 * DAY_MS,
  node: 5 * MINUTE_MS,
  operator: 5 * MINUTE_MS,
  controller: 60 * DAY_MS,
  service: 60 * DAY_MS,
} as const

/** How many authorities may stand below a root: the issuing certificate. */
const ROOT_PATH_LENGTH = 1

/** The self-signed root of a fleet; it only signs issuing certificates and trust bundles, and is kept offline. */
export async function makeRoot(fleet: string, key: KeyObject, nowMs: number): Promise<Certificate> {
  const subject = `${fleet} root ${randomBytes(3).toString('hex')}`
  return sign({
    subject,
    issuer: [{ CN: [subject] }],
    publicKey: publicOf(key),
    signer: key,
    signerKey: publicOf(key),
    validity: validityOf('root', nowMs),
    extensions: authority(ROOT_PATH_LENGTH),
  })
}

/** The certificate that signs those of nodes, people and servers. It ends when its root does, at the latest. */
export async function makeIssuing(
  root: Issuer,
  { fleet, publicKey, nowMs }: { readonly fleet: string; readonly publicKey: KeyObject; readonly nowMs: number },
): Promise<Certificate> {
  return sign({
    ...below(root),
    subject: `${fleet} issuing ${randomBytes(3).toString('hex')}`,
    publicKey,
    validity: within(validityOf('issuing', nowMs), root.certificate),
    extensions: authority(0),
  })
}

/**
 * A certificate for a node, an operator, a controller or a service. Its one URI names the holder; a subject is only there
 * for people who read it.
 * @throws RangeError when a wish is not well formed, or the issuing certificate is over.
 */
export async function issueLeaf(issuing: Issuer, wish: LeafWish): Promise<Certificate> {
  const { named, publicKey, nowMs, dns = [], ips = [], lifeMs = LIFE_MS[named.kind], denied = null } = wish
  if (!(lifeMs > 0 && lifeMs <= LIFE_MS[named.kind])) throw new RangeError(`no life for a certificate: ${lifeMs} ms`)
  if (!ips.every((ip) => isIP(ip) !== 0)) throw new RangeError(`no IP address: ${ips.join(', ')}`)
  if (!dns.every(isHostName)) throw new RangeError(`no host name: ${dns.join(', ')}`)
  const usual = validityOf(named.kind, nowMs)
  const deniedBeforeMs = denied?.names.filter(({ name }) => name === pathOf(named)).map(({ before }) => before) ?? []
  // A certificate counts in whole seconds, so one that has to begin after a time begins at the next of them.
  const startMs = Math.max(usual.notBefore.getTime(), ...deniedBeforeMs.map((ms) => Math.ceil(ms / 1000) * 1000))
  const validity = within({ notBefore: new Date(startMs), notAfter: new Date(nowMs + lifeMs) }, issuing.certificate)
  if (validity.notAfter.getTime() <= nowMs) throw new RangeError('the issuing certificate is over')
  const usages = [ExtendedKeyUsage.clientAuth, ...(named.kind === 'operator' ? [] : [ExtendedKeyUsage.serverAuth])]
  return sign({
    ...below(issuing),
    subject: pathOf(named).slice(0, MAX_COMMON_NAME),
    publicKey,
    validity,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usages),
      new SubjectAlternativeNameExtension([
        { type: 'url', value: uriOf(named) },
        ...dns.map((value) => ({ type: 'dns', value }) as const),
        ...ips.map((value) => ({ type: 'ip', value }) as const),
      ]),
    ],
  })
}

/** Certificates as a PEM text, the leaf first. */
export function pemOf(...chain: readonly Certificate[]): string {
  return chain.map((certificate) => certificate.toString()).join('')
}

/** Whether a text can stand in a certificate as the host name of a server; a leading `*.` is a wildcard. */
export function isHostName(text: string): boolean {
  return (
    text.length <= 253 &&
    /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(text)
  )
}

/** X.520 allows a common name so many characters. */
const MAX_COMMON_NAME = 64

interface Draft {
  readonly subject: string
  readonly issuer: string | [{ readonly CN: string[] }]
  readonly publicKey: KeyObject
  readonly signer: KeyObject
  readonly signerKey: KeyObject
  readonly validity: Validity
  readonly extensions: readonly Extension[]
}

interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

async function sign({
  subject,
  issuer,
  publicKey,
  signer,
  signerKey,
  validity,
  extensions,
}: Draft): Promise<Certificate> {
  const holder = cryptoKeyOf(publicKey)
  const made = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ CN: [subject] }],
    issuer,
    ...validity,
    publicKey: holder,
    signingKey: cryptoKeyOf(signer),
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(holder),
      await AuthorityKeyIdentifierExtension.create(cryptoKeyOf(signerKey)),
    ],
  })
  return new Certificate(Buffer.from(made.rawData))
}

function below({ certificate, key }: Issuer): Pick<Draft, 'issuer' | 'signer' | 'signerKey'> {
  const [, commonName = ''] = /^CN=(.*)$/m.exec(certificate.subject) ?? []
  return { issuer: [{ CN: [commonName] }], signer: key, signerKey: certificate.publicKey }
}

function authority(pathLength: number): Extension[] {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ]
}

function validityOf(kind: keyof typeof LIFE_MS, nowMs: number): Validity {
  return { notBefore: new Date(nowMs - BACKDATE_MS[kind]), notAfter: new Date(nowMs + LIFE_MS[kind]) }
}

/** The part of a validity in which the issuer is valid too. */
function within({ notBefore, notAfter }: Validity, issuer: Certificate): Validity {
  return {
    notBefore: new Date(Math.max(notBefore.getTime(), issuer.validFromDate.getTime())),
    notAfter: new Date(Math.min(notAfter.getTime(), issuer.validToDate.getTime())),
  }
}

/** 126 random bits, positive and without leading zeros, so that it is written alike everywhere. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0)
  return bytes.toString('hex')
}
