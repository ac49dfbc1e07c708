import { createHash } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import type { JoinToken } from '../../protocol/enrolment.ts'
import type { ErrorCode } from '../../protocol/errors.ts'

const digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const name = z.string().min(1).max(253)
const unixMs = z.int().nonnegative()

/** A token was made; of its secret only the SHA-256 is kept. */
const tokenEntrySchema = z.strictObject({
  e: z.literal('token'),
  hash: digest,
  site: name,
  node: name,
  at: unixMs,
  expiresAt: unixMs,
  /** Signature of the issuing key over {@link replaceText}: whoever may replace a name has unlocked the authority. */
  replace: z.base64().max(1024).optional(),
})
/** A node got its name by a token, with the SHA-256 of its public key. */
const joinedEntrySchema = z.strictObject({
  e: z.literal('joined'),
  hash: digest,
  site: name,
  node: name,
  key: digest,
  at: unixMs,
})

/** A line of the journal of joins. */
export const ledgerEntrySchema = z.discriminatedUnion('e', [tokenEntrySchema, joinedEntrySchema])
/** @see ledgerEntrySchema */
export type LedgerEntry = z.infer<typeof ledgerEntrySchema>
/** @see tokenEntrySchema */
export type TokenEntry = z.infer<typeof tokenEntrySchema>
/** @see joinedEntrySchema */
export type JoinedEntry = z.infer<typeof joinedEntrySchema>

/** How long after a token's end the node that used it may ask again for an answer that was lost, ms. */
const REPEAT_GRACE_MS = 86_400_000

/** What is to be done about a join. */
export type JoinDecision =
  | {
      readonly ok: true
      /** To be on disk before anything is given out; null when it is there already. */
      readonly entry: JoinedEntry | null
      /** The key that had the name and loses it. */
      readonly replaced: string | null
    }
  | {
      readonly ok: false
      readonly code: ErrorCode
      readonly message: string
      /** The key that used the token before, for the log. */
      readonly usedBy?: string
    }

/** What is asked of the ledger. */
export interface JoinAsk {
  readonly token: JoinToken
  readonly key: string
  readonly nowMs: number
  /** When the name was revoked last, Unix ms; null when it never was. */
  readonly deniedMs: number | null
  /** Whether a signature of {@link replaceText} is the authority's. */
  readonly isReplaceSigned: (text: string, signature: string) => boolean
}

/**
 * Which tokens there are, who used them and whose each name is (requirement S1): a fold over the journal, without I/O.
 * Entries may come twice. One process decides, so two joins with one token are one after the other here.
 */
export class Ledger {
  readonly #tokens = new Map<string, TokenEntry>()
  readonly #uses = new Map<string, JoinedEntry>()
  readonly #owners = new Map<string, { readonly key: string; readonly at: number }>()
  #newestMs = 0

  /** The latest time that an entry was made, Unix ms; 0 when there is none. */
  get newestMs(): number {
    return this.#newestMs
  }

  /** Names that are taken. */
  get names(): number {
    return this.#owners.size
  }

  /** Take in an entry. */
  add(entry: LedgerEntry): void {
    this.#newestMs = Math.max(this.#newestMs, entry.at)
    if (entry.e === 'token') {
      if (!this.#tokens.has(entry.hash)) this.#tokens.set(entry.hash, entry)
      return
    }
    if (this.#uses.has(entry.hash)) return
    this.#uses.set(entry.hash, entry)
    this.own(entry)
  }

  /** A name belongs to a key from a time on (Unix ms), e.g. by a certificate that was issued offline. */
  own({ site, node, key, at }: Pick<JoinedEntry, 'site' | 'node' | 'key' | 'at'>): void {
    const pair = pairOf(site, node)
    if (at >= (this.#owners.get(pair)?.at ?? 0)) this.#owners.set(pair, { key, at })
  }

  /** SHA-256 of the key that a name belongs to; null when it is free. */
  ownerOf(site: string, node: string): string | null {
    return this.#owners.get(pairOf(site, node))?.key ?? null
  }

  /** Decide on a join, and count it as done when it may be. */
  join(ask: JoinAsk): JoinDecision {
    const { token, key, nowMs } = ask
    const { s: site, n: node } = token
    const hash = hashOfSecret(token.k)
    const known = this.#tokens.get(hash)
    if (known === undefined || known.site !== site || known.node !== node) {
      return refuse('TOKEN_INVALID', 'the token is not known here, or was changed')
    }
    const use = this.#uses.get(hash)
    if (use !== undefined) return this.#again(ask, known, use)
    if (nowMs > known.expiresAt) return refuse('TOKEN_EXPIRED', 'the time of the token is over')
    const owner = this.#owners.get(pairOf(site, node))
    const isTakenBack = ask.deniedMs !== null && ask.deniedMs > (owner?.at ?? 0)
    const isTaken = isTakenBack || (owner !== undefined && owner.key !== key)
    const mayReplace = known.replace !== undefined && ask.isReplaceSigned(replaceText(known), known.replace)
    if (isTaken && !mayReplace) {
      const why = isTakenBack ? 'was revoked' : 'belongs to another key'
      return refuse('NAME_TAKEN', `the name ${site}/${node} ${why}; it takes a token made with --replace`)
    }
    const entry: JoinedEntry = { e: 'joined', hash, site, node, key, at: nowMs }
    this.add(entry)
    return { ok: true, entry, replaced: owner === undefined || owner.key === key ? null : owner.key }
  }

  /** The token was used before: the same key may ask again, since the answer may have been lost. */
  #again({ token, key, nowMs, deniedMs }: JoinAsk, known: TokenEntry, use: JoinedEntry): JoinDecision {
    if (use.key !== key) {
      const message = 'the token was used already, for another key'
      return { ok: false, code: 'TOKEN_USED', message, usedBy: use.key }
    }
    if (nowMs > known.expiresAt + REPEAT_GRACE_MS) return refuse('TOKEN_EXPIRED', 'the time of the token is over')
    if (deniedMs !== null && deniedMs > use.at) return refuse('IDENTITY_REVOKED', 'the name was revoked since')
    if (this.ownerOf(token.s, token.n) !== key) return refuse('IDENTITY_REFUSED', 'the name belongs to another key now')
    return { ok: true, entry: null, replaced: null }
  }
}

/** The text that allows a token to replace the key of a name. */
export function replaceText({ hash, site, node, expiresAt }: Omit<TokenEntry, 'e' | 'at' | 'replace'>): string {
  return `edgedeck replace v1\n${canonicalJson({ hash, site, node, expiresAt })}`
}

/** What is kept of a token's secret: SHA-256 of its text, base64url. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

function pairOf(site: string, node: string): string {
  return JSON.stringify([site, node])
}

function refuse(code: ErrorCode, message: string): JoinDecision {
  return { ok: false, code, message }
}
