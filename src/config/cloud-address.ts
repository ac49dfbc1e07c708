import type { BusAccess } from '../../identity/bus-access.ts'
import type { BusUserKind } from '../../protocol/bus-users.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { AUDIT_STREAM, streamKindOf } from '../../protocol/stream-config.ts'

/** A region that holds the records of nodes: a NATS cluster with a JetStream stream. */
export interface CloudAddress {
  /** The operator's own name for it. */
  readonly name: string
  /** `nats://host:4222`, tried in turn. */
  readonly servers: readonly string[]
  readonly stream: string
  /** What is shown to the servers and believed of them, asked before each connection; nothing when left out. */
  readonly access?: () => BusAccess
  /** As what one is known there; an operator when left out. */
  readonly as?: BusUserKind
}

/** Name of the stream when nobody says another. */
export const DEFAULT_STREAM = 'EDGE'
const MAX_NAME_LENGTH = 100
/** What JetStream takes as the name of a stream: no blanks, dots, wildcards or path separators. */
const STREAM_NAME = /^[^\s.*>/\\\u0000-\u001f\u007f]{1,128}$/

/** A region from what a person wrote; a sentence when it will not do. */
export function readCloud(written: {
  readonly name: string
  readonly servers: readonly string[]
  readonly stream: string
}): CloudAddress | string {
  const name = written.name.trim()
  if (name === '' || name.length > MAX_NAME_LENGTH) return `the name must have 1 to ${MAX_NAME_LENGTH} characters`
  if (!STREAM_NAME.test(written.stream)) return 'the stream must be named without blanks, dots, slashes, "*" and ">"'
  if (written.stream === AUDIT_STREAM) return `the stream ${AUDIT_STREAM} holds who did what, and no blocks`
  if (streamKindOf(written.stream) !== 'blocks')
    return `the stream ${written.stream} is for rollouts and holds no blocks`
  if (written.servers.length === 0) return 'expected at least one address such as "nats://127.0.0.1:4222"'
  for (const server of written.servers) {
    const url = URL.parse(server.trim())
    if (url === null || !/^(?:nats|tls):$/.test(url.protocol) || url.hostname === '') {
      return `expected an address such as "nats://127.0.0.1:4222", found "${withoutCredentials(server)}"`
    }
  }
  return { name, servers: written.servers.map((server) => server.trim()), stream: written.stream }
}

/** A region from `--cloud [NAME=]nats://host:4222`; one without a name is called after its host. */
export function readCloudFlag(flag: string): CloudAddress | string {
  const named = /^([^=:/]+)=(.*)$/.exec(flag)
  const server = named?.[2] ?? flag
  return readCloud({
    name: named?.[1] ?? URL.parse(server)?.host ?? server,
    servers: [server],
    stream: DEFAULT_STREAM,
  })
}

/**
 * One list of regions; what the command line names (`--cloud`, as typed) takes the place of the file's.
 * @throws EdgeError `USAGE`
 */
export function mergeClouds(flags: readonly string[], fromFile: readonly CloudAddress[]): readonly CloudAddress[] {
  if (flags.length === 0) return fromFile
  const next = ['write --cloud nats://host:4222, or --cloud NAME=nats://host:4222']
  const clouds = flags.map((flag) => {
    // A region of the file can be chosen by its name.
    const named = fromFile.find(({ name }) => name === flag)
    const read = named ?? readCloudFlag(flag)
    if (typeof read !== 'string') return read
    throw new EdgeError('USAGE', { message: `--cloud ${withoutCredentials(flag)}: ${read}`, next })
  })
  const twice = clouds.find(({ name }, index) => clouds.findIndex((other) => other.name === name) !== index)
  if (twice === undefined) return clouds
  throw new EdgeError('USAGE', { message: `--cloud ${twice.name} is given twice`, next })
}

/** An address as messages may show it: a user and password in it are left out. */
export function withoutCredentials(server: string): string {
  return server.replace(/^(.*\/\/)?[^/]*@/, '$1')
}
