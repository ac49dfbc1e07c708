/** What to do about a server's key that no known_hosts file holds: refuse it, ask, or write it down. */
export type UnknownKeyRule = 'refuse' | 'ask' | 'accept'

/** Ways to log in that are known here, in the order in which OpenSSH tries them. */
export const LOGIN_METHODS = ['publickey', 'keyboard-interactive', 'password'] as const
export type LoginMethod = (typeof LOGIN_METHODS)[number]

/** Where known keys of servers are looked up, and what is done when one is not. */
export interface KnownHostsRule {
  /** The name that keys of this server are under: its host in small letters, or `HostKeyAlias`. */
  readonly name: string
  /** The port that belongs to the name; null when the name is an alias, which has none. */
  readonly port: number | null
  /** Files of the user; a key that is accepted is written into the first. */
  readonly userFiles: readonly string[]
  /** Files of the machine; only read. */
  readonly globalFiles: readonly string[]
  readonly unknown: UnknownKeyRule
  /** Whether names are written such that who gets the file cannot read them. */
  readonly hashNames: boolean
}

/** What a login is tried with. */
export interface LoginRule {
  readonly methods: readonly LoginMethod[]
  /** Private keys, in order; those that do not exist are passed over. */
  readonly keyFiles: readonly string[]
  /** Offer only {@link keyFiles}, also where the agent holds more keys. */
  readonly onlyKeyFiles: boolean
  /** Socket of the agent; null where none is asked. */
  readonly agent: string | null
  /** How often a password is asked for. */
  readonly passwordTries: number
}

/** Everything between an address and a connection, settled: nothing of it comes from the node. */
export interface SshTarget {
  readonly host: string
  readonly port: number
  readonly user: string
  /** `mia@10.0.0.4:22`, for people and the audit; safe to show. */
  readonly label: string
  readonly knownHosts: KnownHostsRule
  readonly login: LoginRule
  /** The longest time that the other side may be silent until it has let us in; time in which the operator is asked does not count. */
  readonly answerTimeoutMs: number
  /** How often a silent connection is tried; 0 = never. */
  readonly keepaliveMs: number
  /** After how many tries without an answer a connection counts as dropped. */
  readonly keepaliveTries: number
  /** 4 or 6 where only such addresses are wanted; 0 = any. */
  readonly family: 0 | 4 | 6
  /** The host that the connection goes through. */
  readonly via: SshTarget | null
  /** What OpenSSH's files ask for and is not done here; safe to show. */
  readonly notes: readonly string[]
}
