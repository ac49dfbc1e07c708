import { join } from 'node:path'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import { type Issuer, makeIssuing, makeRoot, pemOf } from '../../identity/issue.ts'
import { newKey, publicOf } from '../../identity/keys.ts'
import { type RootSigner, signTrustBundle, type TrustBundle } from '../../identity/trust-bundle.ts'
import { verifyIssuer } from '../../identity/verify.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { AUTHORITY_FILES, type AuthorityFolder, certificatesOf, openAuthority, unlock } from './authority-folder.ts'
import { readText, removeFile, replaceFile } from './durable-file.ts'
import type { IssuedRecord } from './issued-log.ts'
import { sealKey } from './sealed-key.ts'
import { finishSwap, prepareSwap } from './swap-pair.ts'

/**
 * Make a new issuing certificate under the newest root. What the old one issued goes on counting until it ends, unless
 * `distrust` says why it must not: then a new trust bundle names it. The deny list is signed anew in any case.
 * @throws EdgeError `PASSPHRASE_WRONG` or `PKI_UNUSABLE`
 */
export async function rotateIssuing(
  authority: AuthorityFolder,
  wish: {
    readonly rootPassphrase: string
    readonly issuingPassphrase: string
    readonly distrust: string | null
    /** Unix ms. */
    readonly nowMs: number
  },
): Promise<AuthorityFolder> {
  const { dir, fleet } = authority
  const root = unlockRoot(authority, wish.rootPassphrase)
  const old = authority.issuing
  const key = newKey()
  const certificate = await makeIssuing(root, { fleet, publicKey: publicOf(key), nowMs: wish.nowMs })
  replaceFile(join(dir, `issuing-${old.serialNumber.slice(0, 8).toLowerCase()}.pem`), pemOf(old))
  const sealedKey = sealKey(key, `issuing of ${fleet}`, wish.issuingPassphrase)
  prepareSwap(dir, 'issuing', { pem: pemOf(certificate), sealedKey })
  finishSwap(dir, 'issuing')
  const rotated = openAuthority(dir)
  // Whoever believes the old one no more must find a deny list of the new one.
  rotated.deny({ certificate, key }, (denied) => denied, wish.nowMs)
  if (wish.distrust !== null) {
    const entry = { issuing: fingerprintOf(old), why: wish.distrust }
    writeBundle(rotated, { ...nextBundle(rotated), distrusted: [...rotated.bundle.distrusted, entry] }, [
      { root: root.certificate, key: root.key },
    ])
  }
  return openAuthority(dir)
}

/**
 * Make a new root and a bundle with both, signed by both. The old one still counts, and so does all that is below it, until
 * {@link finishRootRotation}.
 * @throws EdgeError `PKI_REFUSED` while an earlier change is not finished, `PASSPHRASE_WRONG` or `PKI_UNUSABLE`
 */
export async function rotateRoot(
  authority: AuthorityFolder,
  { passphrase, nowMs }: { readonly passphrase: string; readonly nowMs: number },
): Promise<AuthorityFolder> {
  const { dir, fleet } = authority
  if (authority.roots.length > 1) {
    throw new EdgeError('PKI_REFUSED', {
      message: 'the roots are being changed already',
      next: ['finish that first: edgedeck pki rotate root --finish'],
    })
  }
  const old = unlockRoot(authority, passphrase)
  const key = newKey()
  const root = await makeRoot(fleet, key, nowMs)
  replaceFile(authority.path('oldRootKey'), readText(authority.path('rootKey'), { secret: true }) ?? '', 0o600)
  replaceFile(authority.path('oldRoot'), pemOf(old.certificate))
  prepareSwap(dir, 'root', { pem: pemOf(root), sealedKey: sealKey(key, `root of ${fleet}`, passphrase) })
  const body = { ...nextBundle(authority), roots: [...authority.bundle.roots, pemOf(root)] }
  writeBundle(authority, body, [
    { root: old.certificate, key: old.key },
    { root, key },
  ])
  // Opening it puts the new root in force, as the bundle says it counts.
  return openAuthority(dir)
}

/** Certificates in force that only the root before leads to; they end with {@link finishRootRotation}. */
export function bound(authority: AuthorityFolder, nowMs: number): readonly IssuedRecord[] {
  const { records } = authority.issued()
  const last = new Map(records.map((record) => [record.name, record]))
  return [...last.values()].filter(({ notAfter, issuer }) => notAfter > nowMs && issuer !== authority.issuing.subject)
}

/**
 * Stop believing the root before. The last bundle is signed by it too, so that who slept through all of this still finds
 * the way to the new one; then its key is removed.
 * @throws EdgeError `PKI_REFUSED` when nothing is to be finished or the issuing certificate is still below the old root
 */
export function finishRootRotation(
  authority: AuthorityFolder,
  { passphrase, nowMs }: { readonly passphrase: string; readonly nowMs: number },
): AuthorityFolder {
  const { dir, fleet } = authority
  const [, newest] = authority.roots
  const [old] = certificatesOf(readText(authority.path('oldRoot')) ?? '', authority.path('oldRoot'))
  if (newest === undefined || old === undefined) {
    throw new EdgeError('PKI_REFUSED', {
      message: 'no change of the root is under way',
      next: ['begin one: edgedeck pki rotate root'],
    })
  }
  const trust = { fleet, roots: [newest], distrusted: authority.bundle.distrusted.map(({ issuing }) => issuing) }
  if (verifyIssuer([authority.issuing], { trust, nowMs }) !== null) {
    throw new EdgeError('PKI_REFUSED', {
      message: 'the issuing certificate is still below the old root, and all it issues would end',
      next: ['make one below the new root first: edgedeck pki rotate issuing'],
    })
  }
  const signers = [
    unlockRoot(authority, passphrase),
    unlock({ certificate: old, keyFile: authority.path('oldRootKey'), passphrase }),
  ]
  const body = { ...nextBundle(authority), roots: [pemOf(newest)] }
  writeBundle(
    authority,
    body,
    signers.map(({ certificate: root, key }) => ({ root, key })),
  )
  removeFile(authority.path('oldRootKey'))
  removeFile(authority.path('oldRoot'))
  return openAuthority(dir)
}

function unlockRoot(authority: AuthorityFolder, passphrase: string): Issuer {
  const file = authority.path('root')
  const [certificate] = certificatesOf(readText(file) ?? '', file)
  if (certificate !== undefined) return unlock({ certificate, keyFile: authority.path('rootKey'), passphrase })
  throw new EdgeError('PKI_UNUSABLE', { message: `${file} is not there`, next: ['put its copy back'] })
}

function nextBundle({ bundle }: AuthorityFolder): Omit<TrustBundle, 'signatures'> {
  const { v, fleet, version, roots, distrusted } = bundle
  return { v, fleet, version: version + 1, roots, distrusted }
}

function writeBundle(
  { dir }: AuthorityFolder,
  body: Omit<TrustBundle, 'signatures'>,
  signers: readonly RootSigner[],
): void {
  replaceFile(join(dir, AUTHORITY_FILES.trust), `${JSON.stringify(signTrustBundle(body, signers))}\n`)
}
