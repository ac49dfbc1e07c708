import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** What the tokens of OpenSSH's options stand for (ssh_config(5), TOKENS). */
export interface TokenValues {
  readonly home: string
  /** As it was asked for. */
  readonly original: string
  /** As it is connected to. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly keyAlias: string
  readonly jumps: string
  readonly localUser: string
  readonly localHost: string
  readonly userId: number
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * A file as an option names it: `~`, `%` tokens and `${VARIABLES}` replaced.
 * A sentence when a token or variable is not known.
 */
export function expandPath(text: string, values: TokenValues): { readonly path: string } | string {
  const spoken = text === '~' || text.startsWith('~/') ? join(values.home, text.slice(1)) : text
  if (spoken.startsWith('~')) return `homes of others, as in "${text}", are not looked up here: write the whole path`
  let fault: string | null = null
  const path = spoken.replace(/%(.?)|\$\{([^}]*)\}/g, (all, token?: string, variable?: string) => {
    const value = variable === undefined ? tokenOf(token ?? '', values) : values.env[variable]
    if (value === undefined) fault ??= `"${all}" in "${text}" stands for nothing here`
    return value ?? ''
  })
  return fault ?? { path }
}

/** `HostName` with `%h`, the host that was asked for, in it. A sentence when there is another token. */
export function expandHost(text: string, original: string): { readonly host: string } | string {
  let fault: string | null = null
  const host = text.replace(/%(.?)/g, (all, token: string) => {
    if (token !== '%' && token !== 'h') fault = `"${all}" cannot stand in a HostName`
    return token === 'h' ? original : '%'
  })
  return fault ?? { host }
}

function tokenOf(token: string, values: TokenValues): string | undefined {
  const { home, original, host, port, user, keyAlias, jumps, localUser, localHost, userId } = values
  const table: Readonly<Record<string, string>> = {
    '%': '%',
    d: home,
    h: host,
    i: String(userId),
    j: jumps,
    k: keyAlias,
    L: localHost.replace(/\..*$/s, ''),
    l: localHost,
    n: original,
    p: String(port),
    r: user,
    u: localUser,
    C: createHash('sha1').update(`${localHost}${host}${port}${user}${jumps}`).digest('hex'),
  }
  return Object.hasOwn(table, token) ? table[token] : undefined
}
