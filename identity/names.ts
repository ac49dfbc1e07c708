import { PERMISSIONS, type Permission, type Rights, ROLES, type Role } from '../protocol/rights.ts'

/** Whom a certificate names. A fleet is everything under one root; its name is part of every name in it. */
export type Named =
  | { readonly kind: 'node'; readonly fleet: string; readonly site: string; readonly node: string }
  | { readonly kind: 'operator'; readonly fleet: string; readonly name: string; readonly rights: Rights }
  /** A control plane of ours: it enrols, looks, and hands on what operators signed. */
  | { readonly kind: 'controller'; readonly fleet: string; readonly name: string }
  /** A server or a reader of metrics: NATS, an HTTPS receiver, Prometheus. */
  | { readonly kind: 'service'; readonly fleet: string; readonly name: string }

/** What a fleet may be called. */
export const FLEET_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const MAX_NAME_CHARS = 253
const SCHEME = 'edgedeck://'

/**
 * The URI that stands in a certificate's subject alternative name, e.g. `edgedeck://acme/node/plant-a/press-4` or
 * `edgedeck://acme/operator/mia?role=operator&permissions=data&sites=plant-a+plant-b`. Parts are percent-encoded.
 */
export function uriOf(named: Named): string {
  const head = `${SCHEME}${named.fleet}/${named.kind}/`
  if (named.kind === 'node') return `${head}${encode(named.site)}/${encode(named.node)}`
  if (named.kind !== 'operator') return `${head}${encode(named.name)}`
  const { role, permissions, sites } = named.rights
  const may = PERMISSIONS.filter((permission) => permissions.includes(permission)).join('+')
  const where = sites === '*' ? '*' : sites.map(encode).join('+')
  return `${head}${encode(named.name)}?role=${role}&permissions=${may}&sites=${where}`
}

/** Inverse of {@link uriOf}; null for whatever it never writes, so that a name has one spelling. */
export function readUri(uri: string): Named | null {
  if (uri.length > 4096 || !uri.isWellFormed() || !uri.startsWith(SCHEME)) return null
  const [path = '', query] = uri.slice(SCHEME.length).split('?')
  const [fleet = '', kind, ...rest] = path.split('/')
  const names = rest.map(decode)
  if (!FLEET_NAME.test(fleet) || names.some((name) => !isName(name))) return null
  const [first, second] = names as string[]
  let named: Named | null = null
  if (kind === 'node' && first !== undefined && second !== undefined && names.length === 2) {
    named = { kind, fleet, site: first, node: second }
  } else if ((kind === 'controller' || kind === 'service') && first !== undefined && names.length === 1) {
    named = { kind, fleet, name: first }
  } else if (kind === 'operator' && first !== undefined && names.length === 1) {
    const rights = readRights(query ?? '')
    named = rights === null ? null : { kind, fleet, name: first, rights }
  }
  return named !== null && uriOf(named) === uri ? named : null
}

/** The path of {@link uriOf}, which stays when rights change: `operator/mia`, `node/plant-a/press-4`. A deny list names so. */
export function pathOf(named: Named): string {
  const parts = named.kind === 'node' ? [named.site, named.node] : [named.name]
  return [named.kind, ...parts.map(encode)].join('/')
}

/**
 * A path as somebody typed it, such as `operator/mia` or `node/plant-a/press-4`, percent-encoded or not, as {@link pathOf}
 * writes it; null when it names nobody.
 */
export function readPath(text: string): string | null {
  const [kind = '', ...typed] = text.split('/')
  const parts = typed.map((part) => (/^(?:[^%]|%[0-9A-Fa-f]{2})*$/.test(part) ? decode(part) : part))
  const wanted = { node: 2, operator: 1, controller: 1, service: 1 }[kind]
  if (wanted === undefined || parts.length !== wanted || !parts.every(isName)) return null
  return [kind, ...parts.map(encode)].join('/')
}

/**
 * A path of {@link pathOf} as people read and type it, e.g. `node/仓库/press-4`; what would make it another path, or would
 * not show, stays percent-encoded. {@link readPath} takes both.
 */
export function readablePath(path: string): string {
  const parts = path.split('/').map((part) => {
    const plain = decode(part)
    return plain === null || /[/%\p{C}\p{Z}]/u.test(plain) ? part : plain
  })
  return parts.join('/')
}

/** A name for people, e.g. `mia`, `plant-a/press-4`. */
export function titleOf(named: Named): string {
  return named.kind === 'node' ? `${named.site}/${named.node}` : named.name
}

function readRights(query: string): Rights | null {
  const found = /^role=([a-z]+)&permissions=([a-z+]*)&sites=([^&]*)$/.exec(query)
  if (found === null) return null
  const [, role = '', permissions = '', where = ''] = found
  const may = permissions === '' ? [] : permissions.split('+')
  if (!ROLES.some((known) => known === role)) return null
  if (may.some((permission) => !PERMISSIONS.some((known) => known === permission))) return null
  const sites = where === '*' ? '*' : where === '' ? [] : where.split('+').map(decode)
  if (sites !== '*' && !sites.every(isName)) return null
  return { role: role as Role, permissions: may as Permission[], sites: sites as Rights['sites'] }
}

function isName(name: string | null): name is string {
  return name !== null && name.length > 0 && name.length <= MAX_NAME_CHARS
}

/** As `encodeURIComponent`, and `!'()*` too: `*` alone means every site. */
function encode(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part)
  } catch {
    return null
  }
}
