import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { hostAndPort, readSshDestination, type SshDestination } from '../config/ssh-destination.ts'
import type { ConfigItem } from './config-file.ts'
import { type HostOptions, optionsFor } from './config-options.ts'
import { expandHost, expandPath, type TokenValues } from './expand.ts'
import { durationMs, isYes, methodsOf, unknownKeyRule } from './option-values.ts'
import type { SshTarget } from './target.ts'

/** Who asks, on which machine, with which files. */
export interface SshSurroundings {
  readonly items: readonly ConfigItem[]
  readonly home: string
  readonly localUser: string
  readonly localHost: string
  readonly userId: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** A file of known keys in place of the user's own; null = as OpenSSH's files say. */
  readonly knownHosts: string | null
}

const DEFAULT_PORT = 22
/** A server that has not answered for so long will not. OpenSSH would wait for what the kernel does, minutes. */
const ANSWER_TIMEOUT_MS = 15_000
/** OpenSSH does not try silent connections; a console must notice that a node is gone. */
const KEEPALIVE_MS = 15_000
const KEEPALIVE_TRIES = 3
const PASSWORD_TRIES = 3
const MAX_JUMPS = 8
const DEFAULT_KEYS = ['id_rsa', 'id_ecdsa', 'id_ecdsa_sk', 'id_ed25519', 'id_ed25519_sk']
const DEFAULT_GLOBAL_FILES = ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']

/**
 * All that OpenSSH's files and the machine say about a destination, its jump hosts with it.
 * @throws EdgeError `SSH_CONFIG_INVALID` where they ask for what cannot be done
 */
export function resolveTarget(destination: SshDestination, surroundings: SshSurroundings): SshTarget {
  return resolve(destination, surroundings, { via: undefined, depth: 0 })
}

/** `via` undefined = as the files say; null = directly, since what comes before it was named already. */
interface Route {
  readonly via: SshTarget | null | undefined
  readonly depth: number
}

function resolve(asked: SshDestination, around: SshSurroundings, route: Route): SshTarget {
  const original = asked.host
  const options = optionsFor(around.items, original, { asked: asked.user, local: around.localUser })
  refuseUnsupported(options, original)
  const user = asked.user ?? options.word('user') ?? around.localUser
  const port = asked.port ?? portOf(options, original)
  const named = expandHost(options.word('hostname') ?? original, original)
  if (typeof named === 'string') throw invalid(original, named)
  const host = named.host.toLowerCase()
  const alias = options.word('hostkeyalias')
  const jumpWord = options.word('proxyjump') ?? 'none'
  const jumps = route.via === undefined && !/^none$/i.test(jumpWord) ? jumpWord : ''
  const via = route.via === undefined ? viaOf(jumps, { host, port }, around, route.depth) : route.via

  const { home, localUser, localHost, userId, env } = around
  const keyAlias = alias ?? host
  const values = { home, original, host, port, user, keyAlias, jumps, localUser, localHost, userId, env }
  const path = (text: string): string => {
    const expanded = expandPath(text, values)
    if (typeof expanded === 'string') throw invalid(original, expanded)
    return expanded.path
  }
  const files = (keyword: string, otherwise: readonly string[]) => {
    const words = options.words(keyword) ?? otherwise
    return words.join(' ').toLowerCase() === 'none' ? [] : words.map(path)
  }
  const keyFiles = options.all('identityfile').filter((file) => !/^none$/i.test(file))
  const hasKeyFiles = options.all('identityfile').length > 0
  return {
    host,
    port,
    user,
    label: untrusted(`${user}@${hostAndPort(host, port)}`),
    knownHosts: {
      name: keyAlias.toLowerCase(),
      port: alias === null ? port : null,
      userFiles:
        around.knownHosts === null
          ? files('userknownhostsfile', ['~/.ssh/known_hosts', '~/.ssh/known_hosts2'])
          : [around.knownHosts],
      globalFiles: files('globalknownhostsfile', DEFAULT_GLOBAL_FILES),
      unknown: unknownKeyRule(options.word('stricthostkeychecking')),
      hashNames: isYes(options.word('hashknownhosts')),
    },
    login: {
      methods: methodsOf(options),
      keyFiles: (hasKeyFiles ? keyFiles : DEFAULT_KEYS.map((name) => `~/.ssh/${name}`)).map(path),
      onlyKeyFiles: isYes(options.word('identitiesonly')),
      agent: agentOf(options.word('identityagent'), env, path),
      passwordTries: count(options, 'numberofpasswordprompts', PASSWORD_TRIES, original),
    },
    answerTimeoutMs: duration(options, 'connecttimeout', original) || ANSWER_TIMEOUT_MS,
    keepaliveMs: duration(options, 'serveraliveinterval', original) ?? KEEPALIVE_MS,
    keepaliveTries: count(options, 'serveralivecountmax', KEEPALIVE_TRIES, original),
    family: { inet: 4 as const, inet6: 6 as const }[options.word('addressfamily')?.toLowerCase() ?? ''] ?? 0,
    via,
    notes: [...notesOf(options, original, values), ...(via?.notes ?? [])],
  }
}

/** The last of the hosts to go through, those before it behind it. */
function viaOf(
  jumps: string,
  last: { readonly host: string; readonly port: number },
  around: SshSurroundings,
  depth: number,
): SshTarget | null {
  let via: SshTarget | null | undefined
  if (jumps === '') return null
  if (depth >= MAX_JUMPS)
    throw invalid(last.host, 'its jump hosts lead to each other', 'write "ProxyJump none" for them')
  for (const jump of jumps.split(',')) {
    const destination = readSshDestination(jump)
    if (typeof destination === 'string') throw invalid(last.host, `ProxyJump: ${destination}`)
    // Only the first is reached as its own part of the files says: the others are reached through the one before.
    via = resolve(destination, around, { via, depth: depth + 1 })
    if (via.host === last.host && via.port === last.port) {
      throw invalid(last.host, 'it would be its own jump host', 'write "ProxyJump none" for it')
    }
  }
  return via ?? null
}

function refuseUnsupported(options: HostOptions, host: string): void {
  const proxy = options.words('proxycommand')
  if (proxy !== null && proxy.join(' ').toLowerCase() !== 'none' && options.word('proxyjump') === null) {
    throw invalid(host, 'ProxyCommand is not run here', 'write a ProxyJump, or an address that needs no command')
  }
  const revoked = options.word('revokedhostkeys')
  if (revoked !== null && revoked.toLowerCase() !== 'none') {
    throw invalid(host, 'RevokedHostKeys is not read here', 'write the keys as @revoked lines into known_hosts')
  }
}

function notesOf(options: HostOptions, host: string, values: TokenValues): string[] {
  const notes = [...options.notes]
  if (/^(?:no|off)$/i.test(options.word('stricthostkeychecking') ?? '')) {
    notes.push(`${host}: "StrictHostKeyChecking no" is taken for "ask": an unknown server could be anybody`)
  }
  for (const file of options.all('certificatefile')) {
    const expanded = expandPath(file, values)
    notes.push(`${typeof expanded === 'string' ? file : expanded.path}: SSH certificates are not shown to servers here`)
  }
  return notes.map(untrusted)
}

function agentOf(asked: string | null, env: SshSurroundings['env'], path: (text: string) => string): string | null {
  if (asked?.toLowerCase() === 'none') return null
  if (asked === null || asked === 'SSH_AUTH_SOCK') return env.SSH_AUTH_SOCK || null
  const variable = /^\$([A-Za-z_]\w*)$/.exec(asked)?.[1]
  return variable === undefined ? path(asked) : env[variable] || null
}

function portOf(options: HostOptions, host: string): number {
  const word = options.word('port')
  if (word === null) return DEFAULT_PORT
  const port = /^\d{1,5}$/.test(word) ? Number(word) : 0
  if (port < 1 || port > 65_535) throw invalid(host, `its port is "${word}"`, 'write 1 to 65535')
  return port
}

function count(options: HostOptions, keyword: string, otherwise: number, host: string): number {
  const word = options.word(keyword)
  if (word === null) return otherwise
  if (!/^\d{1,6}$/.test(word)) throw invalid(host, `${keyword} is "${word}"`, 'write a number')
  return Number(word)
}

function duration(options: HostOptions, keyword: string, host: string): number | null {
  const word = options.word(keyword)
  if (word === null || word.toLowerCase() === 'none') return null
  const ms = durationMs(word)
  if (ms === null) throw invalid(host, `${keyword} is "${word}"`, 'write seconds, or a time such as 1m30s')
  return ms
}

function invalid(host: string, what: string, next = 'correct it in ~/.ssh/config'): EdgeError {
  return new EdgeError('SSH_CONFIG_INVALID', {
    message: untrusted(`the configuration of SSH for ${host}: ${what}`),
    next: [next],
  })
}
