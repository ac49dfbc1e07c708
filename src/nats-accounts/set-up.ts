import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { encodeUser } from '@nats-io/jwt'
import { fromPublic } from '@nats-io/nkeys'
import { credentialsText, newNatsKey } from '../../identity/nats-key.ts'
import { readPem } from '../../identity/verify.ts'
import type { BusUser } from '../../protocol/bus-users.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { STREAM_KINDS, STREAMS, type StreamKind, type StreamWishes } from '../../protocol/stream-config.ts'
import { type BusSeeds, pairOf, signAccounts, signOperator } from './accounts.ts'
import { type BusFacts, BusFolder } from './folder.ts'
import { issuerOf, type NatsIssuer, natsUserJwt } from './issuer.ts'
import { replaceFile } from './private-file.ts'
import { serverConfig } from './server-config.ts'

/** What `edgedeck nats setup --out` is asked; what is left out stays as it was set up before. */
export interface SetUpWishes {
  readonly out: string
  readonly fleet?: string
  readonly region?: string
  /** Added to those that were named before. */
  readonly sites?: readonly string[]
  /** `host:port`. */
  readonly listen?: { readonly host: string; readonly port: number }
  /** How clients reach it; without, as it listens. */
  readonly servers?: readonly string[]
  /** Most bytes of all streams together; less than before is not taken. */
  readonly diskBytes?: number
  /** The fleet's roots in PEM; written into the folder. */
  readonly roots?: string
}

/** What came of it. */
export interface SetUp {
  readonly folder: BusFolder
  readonly facts: BusFacts
  /** Nothing was there before. */
  readonly isNew: boolean
  /** Files of TLS that the configuration names and that are not there yet. */
  readonly missing: readonly string[]
}

const PRESET = { fleet: 'fleet', region: 'hub', host: '0.0.0.0', port: 4222, diskBytes: 30e9 } as const
/** Roles that a controller may sign for: nodes that join, operators who log in. */
const CONTROLLER_SIGNS = ['node', 'viewer', 'operator', 'admin'] as const

/**
 * Write everything that a real nats-server needs to be the bus of a fleet, into one folder. Run again it keeps every key,
 * adds sites, and writes the rest anew.
 * @throws EdgeError `BUS_UNUSABLE`, `OUTPUT_REFUSED`, and `USAGE` for a fleet that is not the one of the folder
 */
export async function setUpBus(wishes: SetUpWishes): Promise<SetUp> {
  const folder = new BusFolder(wishes.out)
  const held = folder.facts()
  const facts = factsOf(held, wishes)
  const seeds = folder.seeds()
  // From here on the seeds are not made again, whatever else fails.
  folder.writeFacts(facts)
  if (wishes.roots !== undefined) writeRoots(wishes.roots, folder.tls.ca)
  await writeServer(folder, facts, seeds)
  const everything = issuerOf(seeds, issuerFacts(facts))
  folder.writeSecret(
    'issuer.json',
    `${JSON.stringify(issuerOf(seeds, issuerFacts(facts), CONTROLLER_SIGNS), null, 2)}\n`,
  )
  await writeCredentials(folder, everything, seeds)
  writeStreams(folder, facts)
  const { cert, key, ca } = folder.tls
  return { folder, facts, isNew: held === null, missing: [ca, cert, key].filter((path) => !existsSync(path)) }
}

/** The issuer with every signing key of a folder. @throws EdgeError `BUS_UNUSABLE` when nothing was set up there */
export function openIssuer(dir: string): NatsIssuer {
  const folder = new BusFolder(dir)
  return issuerOf(folder.seeds(), issuerFacts(mustBeSetUp(folder)))
}

/**
 * Take users of the bus back, by their public keys: credentials that were issued up to now count no more once the server
 * has read its configuration again. Whoever is given new ones for the same key is let in.
 */
export async function revokeUsers(dir: string, keys: readonly string[], nowMs: number): Promise<BusFolder> {
  const folder = new BusFolder(dir)
  const facts = mustBeSetUp(folder)
  const at = Math.floor(nowMs / 1000)
  const revoked = { ...facts.revoked, ...Object.fromEntries(keys.map((key) => [key, at])) }
  const seeds = folder.seeds()
  folder.writeFacts({ ...facts, revoked })
  await writeServer(folder, { ...facts, revoked }, seeds)
  return folder
}

function mustBeSetUp(folder: BusFolder): BusFacts {
  const facts = folder.facts()
  if (facts !== null) return facts
  throw new EdgeError('BUS_UNUSABLE', {
    message: `no bus was set up in ${folder.dir}`,
    next: [`set it up: edgedeck nats setup --out ${folder.dir} --listen HOST:4222`],
  })
}

function factsOf(held: BusFacts | null, wishes: SetUpWishes): BusFacts {
  const fleet = wishes.fleet ?? held?.fleet ?? PRESET.fleet
  if (held !== null && held.fleet !== fleet) {
    throw new EdgeError('USAGE', {
      message: `${wishes.out} holds the bus of the fleet ${held.fleet}, not of ${fleet}`,
      next: ['name another folder with --out'],
    })
  }
  // All sites stay all sites: to name some of them now would cut the others off.
  const sites =
    held !== null && held.sites.length === 0 ? [] : [...new Set([...(held?.sites ?? []), ...(wishes.sites ?? [])])]
  return {
    v: 1,
    fleet,
    region: wishes.region ?? held?.region ?? PRESET.region,
    sites,
    host: wishes.listen?.host ?? held?.host ?? PRESET.host,
    port: wishes.listen?.port ?? held?.port ?? PRESET.port,
    servers: [...(wishes.servers ?? held?.servers ?? [])],
    // Streams that are there were made within what it was: it grows alone.
    diskBytes: held === null ? (wishes.diskBytes ?? PRESET.diskBytes) : Math.max(held.diskBytes, wishes.diskBytes ?? 0),
    revoked: held?.revoked ?? {},
  }
}

function issuerFacts({ fleet, sites, servers, host, port }: BusFacts): Pick<NatsIssuer, 'fleet' | 'sites' | 'servers'> {
  const isAny = host === '0.0.0.0' || host === '::'
  const listening = isAny ? [] : [`tls://${host.includes(':') ? `[${host}]` : host}:${port}`]
  return { fleet, sites, servers: servers.length > 0 ? servers : listening }
}

async function writeServer(folder: BusFolder, facts: BusFacts, seeds: BusSeeds): Promise<void> {
  const accounts = await signAccounts(seeds, facts)
  const kept = folder.operatorJwt()
  const operatorJwt = kept ?? (await signOperator(seeds, facts.fleet))
  if (kept === null) folder.write('operator.jwt', `${operatorJwt}\n`)
  const { host, port, region, fleet } = facts
  const name = `${fleet}-${region}`
  folder.write(
    'nats-server.conf',
    serverConfig(accounts, { name, operatorJwt, host, port, tls: folder.tls, storeDir: folder.storeDir }),
  )
}

/** Credentials of who cares for streams, who reads them, and who looks at the server; what is there is left. */
async function writeCredentials(folder: BusFolder, issuer: NatsIssuer, seeds: BusSeeds): Promise<void> {
  const users: readonly BusUser[] = [
    { kind: 'keeper', name: 'keeper' },
    { kind: 'reader', name: 'reader' },
  ]
  for (const user of users) {
    if (existsSync(folder.creds(user.kind))) continue
    const key = newNatsKey()
    const jwt = await natsUserJwt(issuer, user, { key: key.publicKey, expiresAtMs: null })
    replaceFile(folder.creds(user.kind), credentialsText(jwt, key), 0o600)
  }
  if (existsSync(folder.creds('system'))) return
  const key = newNatsKey()
  const jwt = await encodeUser('system', fromPublic(key.publicKey), pairOf(seeds.system), {})
  replaceFile(folder.creds('system'), credentialsText(jwt, key), 0o600)
}

/** What the streams of a bus are made with: nobody who writes there is trusted with what others wrote. */
export function streamWishesOf(
  { sites, diskBytes }: BusFacts,
  kind: StreamKind,
): Pick<StreamWishes, 'sites' | 'maxBytes' | 'trustsNodes'> {
  return { sites, maxBytes: Math.floor(diskBytes * SHARES[kind]), trustsNodes: false }
}

/** Shares of the room of a bus. */
const SHARES: Readonly<Record<StreamKind, number>> = {
  blocks: 0.45,
  audit: 0.3,
  rollouts: 0.04,
  leases: 0.01,
  packages: 0.18,
}

/** For who makes streams with other tools; `edgedeck nats setup --apply` needs no file. */
function writeStreams(folder: BusFolder, facts: BusFacts): void {
  for (const kind of STREAM_KINDS) {
    const stream = STREAMS[kind](streamWishesOf(facts, kind))
    folder.write(join('streams', `${stream.name}.json`), `${JSON.stringify(stream, null, 2)}\n`)
  }
}

function writeRoots(pem: string, to: string): void {
  if (certificatesIn(pem) === 0) {
    throw new EdgeError('USAGE', {
      message: 'what should hold the roots of the fleet holds no certificate',
      next: ['name the folder of edgedeck pki init with --pki, or the roots of the fleet with --ca'],
    })
  }
  replaceFile(to, pem, 0o644)
}

function certificatesIn(pem: string): number {
  try {
    return readPem(pem).length
  } catch {
    return 0
  }
}
