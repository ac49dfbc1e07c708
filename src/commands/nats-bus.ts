import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { credentialsText, newNatsKey } from '../../identity/nats-key.ts'
import type { BusUser } from '../../protocol/bus-users.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { STREAM_KINDS, STREAMS, type WishesByStream } from '../../protocol/stream-config.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { BusFolder } from '../nats-accounts/folder.ts'
import { natsUserJwt } from '../nats-accounts/issuer.ts'
import { replaceFile } from '../nats-accounts/private-file.ts'
import { openIssuer, revokeUsers, type SetUp, setUpBus } from '../nats-accounts/set-up.ts'
import { openAuthority } from '../pki/authority-folder.ts'
import { applyBusStreams, compareBusStreams } from './bus-streams.ts'
import type { CommandIo } from './output.ts'

/** Users that credentials are made for by hand. */
export type NamedUser = Exclude<BusUser, { kind: 'keeper' }>

/** What is to be done about a bus of one's own. */
export type BusTask =
  | {
      readonly what: 'set-up'
      readonly out: string
      readonly fleet?: string
      readonly region?: string
      readonly sites?: readonly string[]
      readonly listen?: { readonly host: string; readonly port: number }
      /** How clients reach it. */
      readonly servers?: readonly string[]
      /** Folder of an authority, or a PEM file with roots. */
      readonly pki?: string
      readonly ca?: string
      readonly wishes: WishesByStream
      /** Make the streams on the running server. */
      readonly apply: boolean
      readonly timeoutMs: number
    }
  | {
      readonly what: 'user'
      readonly dir: string
      readonly user: NamedUser
      /** Public key of theirs; null to make one. */
      readonly key: string | null
      readonly lifeMs: number | null
      readonly out: string | null
    }
  | { readonly what: 'revoke'; readonly dir: string; readonly keys: readonly string[] }

const HOUR_MS = 3_600_000
const LIFE_MS: Readonly<Record<NamedUser['kind'], number | null>> = {
  node: 720 * HOUR_MS,
  operator: 12 * HOUR_MS,
  controller: null,
  reader: null,
}

/**
 * Carry out what was asked.
 * @throws EdgeError `BUS_UNUSABLE`, `OUTPUT_REFUSED`, `USAGE`, `CLOUD_UNREACHABLE`
 */
export async function runNatsBus(task: BusTask, io: CommandIo, nowMs = Date.now()): Promise<void> {
  switch (task.what) {
    case 'set-up':
      return setUp(task, io)
    case 'user':
      return makeUser(task, io, nowMs)
    case 'revoke': {
      const folder = await revokeUsers(task.dir, task.keys, nowMs)
      io.stdout.write(
        `${task.keys.length} taken back. To cut them off now, let the server read ${folder.configFile} again:\n`,
      )
      io.stdout.write('  nats-server --signal reload\n')
    }
  }
}

async function setUp(task: Extract<BusTask, { what: 'set-up' }>, io: CommandIo): Promise<void> {
  const { out, pki, ca, wishes, apply } = task
  const authority = pki === undefined ? null : openAuthority(pki)
  const fleet = task.fleet ?? authority?.fleet
  const roots = ca === undefined ? authority?.rootsPem() : rootsIn(ca)
  const maxBytes = STREAM_KINDS.map((kind) => STREAMS[kind]({ ...wishes[kind] }).max_bytes)
  const bounded = STREAM_KINDS.some((kind) => wishes[kind]?.maxBytes !== undefined)
  const made = await setUpBus({
    out,
    ...(fleet === undefined ? {} : { fleet }),
    ...('region' in task ? { region: task.region } : {}),
    ...('sites' in task ? { sites: task.sites } : {}),
    ...('listen' in task ? { listen: task.listen } : {}),
    ...('servers' in task ? { servers: task.servers } : {}),
    ...(roots === undefined ? {} : { roots }),
    // Some room beside what the streams hold: a server refuses streams that together want more than the account has.
    ...(bounded ? { diskBytes: Math.ceil(maxBytes.reduce((sum, bytes) => sum + bytes, 0) * DISK_ROOM) } : {}),
  })
  io.stdout.write(described(made, authority?.dir ?? null))
  if (apply) await applyBusStreams(made, task, io)
  else if (!made.isNew) await compareBusStreams(made, task, io)
}

const DISK_ROOM = 1.1

function rootsIn(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new EdgeError('USAGE', {
      message: `${file} cannot be read: ${messageOf(cause)}`,
      next: ['name a PEM file with the roots of the fleet, or the folder of edgedeck pki init with --pki'],
      cause,
    })
  }
}

function described({ folder, facts, isNew, missing }: SetUp, pkiDir: string | null): string {
  const { fleet, region, sites, host: listening, port, servers } = facts
  const where = sites.length === 0 ? 'all sites' : `the sites ${sites.join(', ')}`
  const dir = folder.dir
  const tls = folder.path('tls')
  const isAny = listening === '0.0.0.0' || listening === '::'
  const [address = `tls://${isAny ? 'HOST' : listening.includes(':') ? `[${listening}]` : listening}:${port}`] = servers
  const host = isAny && servers.length === 0 ? 'HOST' : (URL.parse(address)?.hostname ?? 'HOST').replace(/^\[|\]$/g, '')
  const steps = [
    ...(missing.length === 0
      ? []
      : [
          `give the server a certificate of the fleet (missing: ${missing.map((path) => path.slice(dir.length + 1)).join(', ')}):`,
          `  edgedeck pki service nats-${region} ${isIP(host) === 0 ? '--dns' : '--ip'} ${host} --out ${tls}${pkiDir === null ? '' : ` --dir ${pkiDir}`}`,
        ]),
    isNew ? 'start it:' : 'start it, or let a running one read it again (kill -HUP, or nats-server --signal reload):',
    `  nats-server --config ${folder.configFile}`,
    'make its streams (again after sites were added):',
    `  edgedeck nats setup --out ${dir}${servers.length > 0 ? '' : ` --servers ${address}`} --apply`,
    'let a controller give credentials to who joins and logs in, in its configuration:',
    `  nats: { issuer: ${folder.issuerFile} }`,
    'or make them by hand:',
    `  edgedeck nats user node SITE/NODE --in ${dir}`,
  ]
  return `${isNew ? 'Set up' : 'Brought up to date'}: the bus of ${untrusted(fleet)} in ${untrusted(dir)}, for ${untrusted(where)}.
Whoever can read ${untrusted(folder.path('seeds.json'))} is the bus: keep it, and a copy, off the server. No key was replaced.

Next:
${steps.map((step) => `  ${untrusted(step)}`).join('\n')}
`
}

async function makeUser(task: Extract<BusTask, { what: 'user' }>, io: CommandIo, nowMs: number): Promise<void> {
  const { dir, user, key, lifeMs, out } = task
  const life = lifeMs ?? LIFE_MS[user.kind]
  const expiresAtMs = life === null ? null : nowMs + life
  const issuer = openIssuer(dir)
  if (key !== null) {
    io.stdout.write(`${await natsUserJwt(issuer, user, { key, expiresAtMs })}\n`)
    return
  }
  const made = newNatsKey()
  const jwt = await natsUserJwt(issuer, user, { key: made.publicKey, expiresAtMs })
  const file = resolve(out ?? new BusFolder(dir).creds(fileNameOf(user)))
  replaceFile(file, credentialsText(jwt, made), 0o600)
  const until =
    expiresAtMs === null ? 'without end' : `until ${new Date(expiresAtMs).toISOString().replace(/\.\d+Z$/, 'Z')}`
  io.stdout.write(`${untrusted(file)}\n  key ${made.publicKey}, ${until}\n`)
}

/** Names may hold what no file name may. */
function fileNameOf(user: NamedUser): string {
  const names = user.kind === 'node' ? [user.site, user.node] : [user.name]
  return [user.kind, ...names.map(encodeURIComponent)].join('-')
}
