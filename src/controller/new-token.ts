import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import type { Issuer } from '../../identity/issue.ts'
import { signText } from '../../identity/signing.ts'
import { type JoinToken, joinTokenText } from '../../protocol/enrolment.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { AuthorityFolder } from '../pki/authority-folder.ts'
import type { ControllerConfig } from './config.ts'
import { JOINS_FILE } from './controller.ts'
import { appendEntry } from './journal.ts'
import { hashOfSecret, replaceText, type TokenEntry } from './ledger.ts'

/** What a new token is for. */
export interface TokenWish {
  readonly site: string
  readonly node: string
  readonly ttlMs: number
  /** The open issuing key, for a token that may replace the key of a name; null for others. */
  readonly replaceBy: Issuer | null
  /** Unix ms. */
  readonly nowMs: number
}

/** A token that was made; its text is shown once and kept nowhere. */
export interface NewToken {
  readonly text: string
  /** Unix ms. */
  readonly expiresAt: number
}

const MAX_TTL_MS = 7 * 86_400_000
/** Control characters and blanks at the ends make names that nobody can tell apart. */
const GOOD_NAME = /^(?! )[^\p{C}]{1,253}(?<! )$/u

/**
 * Make a join token and write its hash into the journal of the controller, which may be running.
 * @throws EdgeError `USAGE` for what no token can be made of, `CONTROLLER_FAILING` when it cannot be written
 */
export function newToken(
  wish: TokenWish,
  { config, authority }: { readonly config: ControllerConfig; readonly authority: AuthorityFolder },
): NewToken {
  const { site, node, ttlMs, replaceBy, nowMs } = wish
  for (const name of [site, node]) {
    if (!GOOD_NAME.test(name)) throw usage(`${JSON.stringify(name)} is no name`, 'write a name of 1 to 253 characters')
  }
  if (config.sites.length > 0 && !config.sites.includes(site)) {
    throw usage(
      `nodes of the site ${site} do not join here`,
      `the sites are ${config.sites.join(', ')}; see "sites" of the configuration`,
    )
  }
  if (ttlMs > MAX_TTL_MS) throw usage('a token lasts at most 7 days', 'write a shorter --ttl')
  const [root] = authority.roots
  if (root === undefined) throw new Error('an authority without a root')
  const secret = randomBytes(32).toString('base64url')
  const pin = fingerprintOf(root)
  const token: JoinToken = { u: config.publicUrl, f: authority.fleet, s: site, n: node, k: secret, p: pin }
  const body = { hash: hashOfSecret(secret), site, node, expiresAt: nowMs + ttlMs }
  const replace = replaceBy === null ? {} : { replace: signText(replaceText(body), replaceBy.key) }
  const entry: TokenEntry = { e: 'token', ...body, at: nowMs, ...replace }
  try {
    statSync(config.state.dir)
    appendEntry(join(config.state.dir, JOINS_FILE), entry)
  } catch (cause) {
    throw new EdgeError('CONTROLLER_FAILING', {
      message: `the token cannot be kept in ${config.state.dir}: ${messageOf(cause)}`,
      next: ['run this on the host of the controller, as the user that it runs as, after its first start'],
      cause,
    })
  }
  return { text: joinTokenText(token), expiresAt: body.expiresAt }
}

function usage(message: string, next: string): EdgeError {
  return new EdgeError('USAGE', { message, next: [next] })
}
