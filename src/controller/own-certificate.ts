import type { KeyObject, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { pemOf } from '../../identity/issue.ts'
import { isSameKey, newKey, pemOfKey, publicOf, readKey } from '../../identity/keys.ts'
import type { Named } from '../../identity/names.ts'
import { namedBy, readPem } from '../../identity/verify.ts'
import { readText, replaceFile } from '../pki/durable-file.ts'
import type { Authority } from './authority.ts'

/** The certificate that a controller serves with and signs times by. */
export interface OwnCertificate {
  readonly key: KeyObject
  readonly keyPem: string
  /** Leaf first. */
  readonly chain: readonly X509Certificate[]
  readonly chainPem: string
}

/** A certificate is made anew when this much of its time is left, ms. */
const RENEW_BEFORE_MS = 60 * 86_400_000

/**
 * The controller's own certificate, from its state folder or issued now by the authority that it has open: at the first
 * start, when it is about to end, when the issuing certificate was changed, and when the hosts are others.
 * @param hosts host names and IP addresses that it is reached by
 * @throws EdgeError as the authority and its files do
 */
export async function ownCertificate(
  authority: Authority,
  {
    dir,
    name,
    hosts,
    nowMs,
  }: { readonly dir: string; readonly name: string; readonly hosts: readonly string[]; readonly nowMs: number },
): Promise<OwnCertificate> {
  const [keyFile, certFile] = [join(dir, 'controller.key'), join(dir, 'controller.pem')]
  const named: Named = { kind: 'controller', fleet: authority.fleet, name }
  const held = readHeld(keyFile, certFile)
  if (held !== null && isGood(held, { authority, named, hosts, nowMs })) return held
  const key = held?.key ?? newKey()
  const keyPem = pemOfKey(key)
  const ips = hosts.filter((host) => isIP(host) !== 0)
  const dns = hosts.filter((host) => isIP(host) === 0)
  const { certificate, chainPem } = await authority.issue({ named, publicKey: publicOf(key), dns, ips }, 'own')
  // The key first: a certificate without its key would be of no use.
  replaceFile(keyFile, keyPem, 0o600)
  replaceFile(certFile, chainPem)
  return { key, keyPem, chain: [certificate, authority.issuing], chainPem: pemOf(certificate, authority.issuing) }
}

function readHeld(keyFile: string, certFile: string): OwnCertificate | null {
  const keyPem = readText(keyFile, { secret: true })
  const chainPem = readText(certFile)
  const key = keyPem === null ? null : readKey(keyPem)
  if (key === null || keyPem === null || chainPem === null) return null
  try {
    const chain = readPem(chainPem)
    const [leaf] = chain
    if (leaf === undefined || !isSameKey(leaf.publicKey, key)) return null
    return { key, keyPem, chain, chainPem }
  } catch {
    return null
  }
}

function isGood(
  { chain }: OwnCertificate,
  {
    authority,
    named,
    hosts,
    nowMs,
  }: {
    readonly authority: Authority
    readonly named: Named
    readonly hosts: readonly string[]
    readonly nowMs: number
  },
): boolean {
  const [leaf, issuing] = chain
  if (leaf === undefined || issuing === undefined || !issuing.raw.equals(authority.issuing.raw)) return false
  const who = namedBy(leaf)
  if (who === null || who.kind !== 'controller' || who.name !== (named as { name: string }).name) return false
  if (authority.trust.revoked(leaf, who) !== null) return false
  const endsMs = leaf.validToDate.getTime()
  if (endsMs - nowMs < RENEW_BEFORE_MS && endsMs < issuing.validToDate.getTime()) return false
  return hosts.every((host) => (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) !== undefined)
}
