import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { makeIssuing, makeRoot, pemOf } from '../../identity/issue.ts'
import { newKey, publicOf } from '../../identity/keys.ts'
import { signTrustBundle } from '../../identity/trust-bundle.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { AUTHORITY_FILES, type AuthorityFolder, openAuthority } from './authority-folder.ts'
import { replaceFile } from './durable-file.ts'
import { sealKey } from './sealed-key.ts'

/** What the authority of a fleet is made of. */
export interface NewAuthority {
  readonly dir: string
  readonly fleet: string
  readonly rootPassphrase: string
  readonly issuingPassphrase: string
  /** Unix ms. */
  readonly nowMs: number
}

/**
 * Make root and issuing certificate of a fleet and everything its folder holds, with an empty deny list. `trust.json` comes
 * last: without it the folder is no authority yet.
 * @throws EdgeError `PKI_UNUSABLE` when there is something in the folder already, or it cannot be written
 */
export async function createAuthority(wish: NewAuthority): Promise<AuthorityFolder> {
  const { dir, fleet, nowMs } = wish
  makeEmptyFolder(dir)
  const put = (file: keyof typeof AUTHORITY_FILES, text: string, mode?: number): void => {
    replaceFile(join(dir, AUTHORITY_FILES[file]), text, mode)
  }
  const rootKey = newKey()
  const root = await makeRoot(fleet, rootKey, nowMs)
  const issuingKey = newKey()
  const issuer = { certificate: root, key: rootKey }
  const issuing = await makeIssuing(issuer, { fleet, publicKey: publicOf(issuingKey), nowMs })
  put('rootKey', sealKey(rootKey, `root of ${fleet}`, wish.rootPassphrase), 0o600)
  put('root', pemOf(root))
  put('issuingKey', sealKey(issuingKey, `issuing of ${fleet}`, wish.issuingPassphrase), 0o600)
  put('issuing', pemOf(issuing))
  put('issued', '', 0o600)
  const bundle = signTrustBundle({ v: 1, fleet, version: 1, roots: [pemOf(root)], distrusted: [] }, [
    { root, key: rootKey },
  ])
  put('trust', `${JSON.stringify(bundle)}\n`)
  const authority = openAuthority(dir)
  authority.deny({ certificate: issuing, key: issuingKey }, (nothing) => nothing, nowMs)
  return authority
}

/** The folder of an authority, for its owner alone, with nothing in it that could be overwritten. */
function makeEmptyFolder(dir: string): void {
  try {
    makeFolderSync(dir, { mode: 0o700 })
    if (readdirSync(dir).length === 0) return
  } catch (cause) {
    throw new EdgeError('PKI_UNUSABLE', {
      message: `the folder ${dir} cannot be made: ${messageOf(cause)}`,
      next: ['name another one with --dir'],
      cause,
    })
  }
  throw new EdgeError('PKI_UNUSABLE', {
    message: `${dir} is not empty, and an authority in it would be lost`,
    next: ['look at it with "edgedeck pki status"', 'or name another folder with --dir'],
  })
}
