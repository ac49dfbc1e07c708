import { type Command, InvalidArgumentError, Option } from 'commander'
import { FLEET_NAME } from '../../identity/names.ts'
import { isNatsUserKey } from '../../identity/nats-key.ts'
import { ROLES, type Role } from '../../protocol/rights.ts'
import type { BusTask, NamedUser } from '../commands/nats-bus.ts'
import { duration } from './command-options.ts'

/** What `edgedeck nats user` and `nats revoke` are asked, and `nats setup --out`. */
export interface BusRequest {
  readonly kind: 'nats-bus'
  readonly task: BusTask
}

const KINDS = ['node', 'operator', 'controller', 'reader'] as const

/** Add the commands that give credentials of a bus to somebody, and take them back. */
export function addBusCommands(nats: Command, accept: (request: BusRequest) => void): void {
  nats
    .command('user')
    .description('Make credentials for somebody by hand, where no controller does.')
    .addArgument(nats.createArgument('<KIND>', KINDS.join(', ')).choices(KINDS))
    .argument('<NAME>', 'who it is; a node as SITE/NODE')
    .requiredOption('--in <folder>', 'folder of edgedeck nats setup --out')
    .option('--key <U…>', 'public key of theirs: then only the claims (JWT) are printed', userKey)
    .addOption(new Option('--role <role>', 'role of an operator').choices(ROLES).default('viewer'))
    .option('--sites <names>', 'only these sites of an operator, separated by commas', list)
    .option('--life <duration>', 'how long they count; 720h for nodes, 12h for operators, else without end', duration)
    .option('--out <file>', 'the credentials; creds/KIND-NAME.creds in the folder when not given')
    .action((kind: (typeof KINDS)[number], name: string, options: UserOptions) => {
      const { in: dir, key = null, life: lifeMs = null, out = null } = options
      accept({ kind: 'nats-bus', task: { what: 'user', dir, user: userOf(kind, name, options), key, lifeMs, out } })
    })
  nats
    .command('revoke')
    .description('Take users back: credentials that they have now count no more.')
    .argument('<KEY...>', 'public keys (U…), as `nats user` and a controller show them', collectKeys)
    .requiredOption('--in <folder>', 'folder of edgedeck nats setup --out')
    .action((keys: readonly string[], { in: dir }: { in: string }) =>
      accept({ kind: 'nats-bus', task: { what: 'revoke', dir, keys } }),
    )
}

/** Options of `nats setup` that make a bus of one's own. */
export interface BusOptions {
  readonly out?: string
  readonly fleet?: string
  readonly region?: string
  readonly listen?: { readonly host: string; readonly port: number }
  readonly ca?: string
  readonly pki?: string
}

/** Add them. */
export function addBusOptions(setup: Command): Command {
  return setup
    .option('--out <folder>', 'write down a whole bus for a nats-server of your own: keys, accounts, configuration')
    .option('--fleet <name>', 'with --out: the fleet it is for; that of --pki when not given', fleetName)
    .option('--region <name>', 'with --out: where it stands; hub when not given')
    .option('--listen <host:port>', 'with --out: where the server listens; 0.0.0.0:4222 when not given', listen)
    .option('--pki <folder>', 'with --out: folder of the authority whose certificates it takes')
    .option('--ca <file>', 'with --out: PEM of the roots whose certificates it takes')
}

interface UserOptions {
  readonly in: string
  readonly key?: string
  readonly role: Role
  readonly sites?: readonly string[]
  readonly life?: number
  readonly out?: string
}

function userOf(kind: (typeof KINDS)[number], name: string, { role, sites }: UserOptions): NamedUser {
  if (kind !== 'node') return kind === 'operator' ? { kind, name, role, sites: sites ?? '*' } : { kind, name }
  const [site = '', node = '', ...rest] = name.split('/')
  if (site !== '' && node !== '' && rest.length === 0) return { kind, site, node }
  throw new InvalidArgumentError('A node is named as SITE/NODE.')
}

function collectKeys(key: string, before: readonly string[] = []): readonly string[] {
  return [...before, userKey(key)]
}

function userKey(text: string): string {
  if (isNatsUserKey(text)) return text
  throw new InvalidArgumentError('Expected the public key of a user, which begins with U.')
}

function fleetName(text: string): string {
  if (FLEET_NAME.test(text)) return text
  throw new InvalidArgumentError('Expected small letters, digits and dashes.')
}

function listen(text: string): { host: string; port: number } {
  const url = URL.parse(`nats://${text}`)
  const port = Number(url?.port)
  if (url === null || url.hostname === '' || !Number.isInteger(port) || port < 1) {
    throw new InvalidArgumentError('Expected HOST:PORT, for example 0.0.0.0:4222.')
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port }
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
