import type { Role } from './rights.ts'
import { encodeToken } from './subjects.ts'

/**
 * What stands for a JetStream domain where streams are in an account of their own: their API is `$JS.archive.API.…` there.
 * Credentials that were made for such a bus say so by a tag, so that nobody has to configure it.
 */
export const ARCHIVE_DOMAIN = 'archive'
/** @see ARCHIVE_DOMAIN */
export const DOMAIN_TAG = 'domain'
/** Tag of credentials that were made for a bus of ours, where everybody has an inbox of their own. */
export const OURS_TAG = 'bus:edgedeck'

/** Who is on the bus, by the names that the fleet knows them by. */
export type BusUser =
  | { readonly kind: 'node'; readonly site: string; readonly node: string }
  | {
      readonly kind: 'operator'
      readonly name: string
      readonly role: Role
      /** Sites by name; `*` for all of them. */
      readonly sites: '*' | readonly string[]
    }
  | { readonly kind: 'controller'; readonly name: string }
  /** Reads what the streams hold of every site, and nothing else. */
  | { readonly kind: 'reader'; readonly name: string }
  /** Makes and changes streams. */
  | { readonly kind: 'keeper'; readonly name: string }

/** @see BusUser */
export type BusUserKind = BusUser['kind']

/** What a user's name and inbox are made of. */
export type BusName =
  | Pick<Extract<BusUser, { kind: 'node' }>, 'kind' | 'site' | 'node'>
  | { readonly kind: Exclude<BusUserKind, 'node'>; readonly name: string }

/**
 * The name of a user in its credentials. Permissions are built from it by the server, so it is made of subject tokens: of a
 * node `<site token>.<node token>`, of everybody else one token.
 */
export function busNameOf(user: BusName): string {
  return user.kind === 'node' ? `${encodeToken(user.site)}.${encodeToken(user.node)}` : encodeToken(user.name)
}

/**
 * Where answers to a user go, and nobody else may listen: `_INBOX.node.<site>.<node>`, `_INBOX.operator.<name>`, …. A client
 * must be given it as its `inboxPrefix`. The kind keeps an operator who is called as a site away from the site's nodes.
 */
export function inboxPrefixOf(user: BusName): string {
  return `_INBOX.${user.kind}.${busNameOf(user)}`
}
