/** Where to go over SSH, as a person writes it. */
export interface SshDestination {
  readonly user: string | null
  /** A name, an address, or an alias of `~/.ssh/config`; an IPv6 address without brackets. */
  readonly host: string
  readonly port: number | null
}

const EXPECTED = 'expected "[user@]host[:port]" or an alias of ~/.ssh/config'
const MAX_LENGTH = 512
/** No blanks, quotes, control characters and what a shell or `%h` would read as something else. */
const HOST = /^[\p{L}\p{N}_][\p{L}\p{N}._-]*$/u
const IPV6 = /^[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?$/
const USER = /^[^\s@:/'"`$\\;&<>|(){}\u0000-\u001f\u007f-][^\s@:/'"`$\\;&<>|(){}\u0000-\u001f\u007f]*$/

/** A destination from what a person wrote, `ssh://` before it or not; a sentence when it will not do. */
export function readSshDestination(text: string): SshDestination | string {
  const refused = `${EXPECTED}, found "${text.slice(0, MAX_LENGTH)}"`
  const rest = text.trim().replace(/^ssh:\/\//, '')
  if (rest.length > MAX_LENGTH) return refused
  const at = rest.lastIndexOf('@')
  const user = at < 0 ? null : rest.slice(0, at)
  if (user !== null && !USER.test(user)) return refused
  const place = /^\[([^\]]*)\](?::(\d+))?$/.exec(rest.slice(at + 1)) ?? /^([^:]*)(?::(\d+))?$/.exec(rest.slice(at + 1))
  const bare = place ?? [rest.slice(at + 1), rest.slice(at + 1), undefined]
  const [, host = '', digits] = bare
  const port = digits === undefined ? null : Number(digits)
  if (!HOST.test(host) && !(host.includes(':') && IPV6.test(host))) return refused
  if (port !== null && (port < 1 || port > 65_535)) return `the port must be 1 to 65535, found ${digits}`
  return { user, host, port }
}

/** Host and port as OpenSSH shows them: in brackets where the host has colons. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
