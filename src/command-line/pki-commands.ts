import { type Command, InvalidArgumentError, Option } from 'commander'
import { FLEET_NAME, readPath } from '../../identity/names.ts'
import { PERMISSIONS, type Permission, type Rights, ROLES, type Role } from '../../protocol/rights.ts'
import type { OutputFormat } from '../commands/output.ts'
import type { AuthorityFlags, PkiTask } from '../pki/task.ts'
import { duration, type FleetFlags, fleetFlags, nodeName, nodeNameOption, outputOption } from './command-options.ts'

/** What `edgedeck pki …` is asked. */
export type PkiRequest = FleetFlags & AuthorityFlags & { readonly kind: 'pki'; readonly task: PkiTask }

/** Add the commands of the fleet's own certificate authority. */
export function addPkiCommands(
  program: Command,
  accept: (request: PkiRequest | { readonly kind: 'text'; readonly text: string }) => void,
): void {
  const pki = program
    .command('pki')
    .description("Care for the fleet's own certificate authority: who is who, and who is no more.")
    .helpCommand(false)
  pki.action(() => accept({ kind: 'text', text: pki.helpInformation() }))

  /** A command that is carried out on the folder of an authority. */
  const add = <Options>(
    usage: string,
    description: string,
    task: (options: Options, words: string[]) => PkiTask,
  ): Command => {
    const command = pki
      .command(usage)
      .description(description)
      .option('--dir <folder>', 'folder of the authority; $XDG_DATA_HOME/edgedeck/pki/FLEET when not given')
    return command.action(() => {
      const options = command.opts<Options & { dir?: string; passphraseFile?: string }>()
      const { dir = null, passphraseFile = null } = options
      accept({ kind: 'pki', ...fleetFlags(program), dir, passphraseFile, task: task(options, command.args) })
    })
  }
  const secret = (command: Command, of: string): Command =>
    command.option('--passphrase-file <file>', `passphrase of the ${of} on its first line; else it is asked for`)
  const ofIssuing = (command: Command): Command =>
    command.option(
      '--issuing-passphrase-file <file>',
      'another passphrase for the issuing key, which a controller needs',
    )

  ofIssuing(
    secret(
      add(
        'init',
        'Make root and issuing certificate of a fleet.',
        ({ fleet, issuingPassphraseFile = null }: InitOptions) => ({
          what: 'init',
          fleet,
          issuingPassphraseFile,
        }),
      ),
      'root key',
    ),
  ).requiredOption('--fleet <name>', 'what the fleet is called, in every certificate of it', fleetName)

  add('status', 'Show who was issued what, and what ends when.', ({ output: format, all }: StatusOptions) => ({
    what: 'status',
    format,
    all,
  }))
    .option('--all', 'what is over or was replaced too', false)
    .addOption(outputOption())

  secret(
    add('operator', 'Issue the certificate of a shift to an operator.', (options: OperatorOptions, [name = '']) => {
      const { role, permission: permissions, sites, life: lifeMs = null, out = null } = options
      return { what: 'operator', name, rights: { role, permissions, sites }, lifeMs, out }
    }),
    'issuing key',
  )
    .argument('<NAME>', 'who it is', holder)
    .addOption(new Option('--role <role>', 'what they may do').choices(ROLES).default('viewer'))
    .option('--permission <list>', `what a role does not give: ${PERMISSIONS.join(', ')}`, permissionList, [])
    .option('--sites <names>', 'only these sites, separated by commas', siteList, '*' as const)
    .option('--life <duration>', 'shorter than a shift of 12h', duration)
    .option('--out <folder>', 'where key and certificate go; your own identity for the context when not given')

  for (const what of ['service', 'controller'] as const) {
    const description =
      what === 'service'
        ? 'Issue a certificate to a server or reader, such as NATS.'
        : 'Issue a certificate to a controller.'
    secret(
      add(what, description, ({ dns = [], ip: ips = [], out = null }: ServerOptions, [name = '']) => ({
        what,
        name,
        dns,
        ips,
        out,
      })),
      'issuing key',
    )
      .argument('<NAME>', 'what it is called', holder)
      .option(
        '--dns <names>',
        'host names or IP addresses that it answers to, separated by commas; may be repeated',
        more,
      )
      .option('--ip <addresses>', 'IP addresses that it answers to, separated by commas; may be repeated', more)
      .option('--out <folder>', 'where key and certificate go; ./NAME when not given')
  }

  secret(
    add(
      'sign',
      "Answer a node's request from a site without a network.",
      (options: SignOptions, [requestFile = '']) => {
        const { site, controller: controllers = [], replace, out = null } = options
        return { what: 'sign', requestFile, site, node: nodeName(program), controllers, replace, out }
      },
    ),
    'issuing key',
  )
    .argument('<REQUEST>', 'file that "edge-daemon join --request" wrote')
    .requiredOption('--site <name>', 'where the node is', holder)
    .addOption(nodeNameOption('what the node is called'))
    .option('--controller <urls>', 'where it can renew once it has a network', list)
    .option('--replace', 'the name belongs to another key, which counts no more from now on', false)
    .option('--out <file>', 'where the answer goes; standard output when not given')

  secret(
    add(
      'revoke',
      'Let somebody or a certificate count no more.',
      ({ serial = null, why, bus = null }: RevokeOptions, [typed]) => {
        const name = typed === undefined ? null : readPath(typed)
        if (typed !== undefined && name === null) {
          throw new InvalidArgumentError(
            `"${typed}" names nobody: write operator/NAME, node/SITE/NODE, service/NAME or controller/NAME`,
          )
        }
        if ((name === null) === (serial === null)) {
          throw new InvalidArgumentError('say either whom, e.g. operator/mia, or a certificate by --serial')
        }
        return { what: 'revoke', name, serial, why, bus }
      },
    ),
    'issuing key',
  )
    .argument('[WHOM]', 'operator/NAME, node/SITE/NODE, service/NAME or controller/NAME')
    .option('--serial <hex>', 'one certificate instead, by its serial number', serialNumber)
    .option('--why <text>', 'told to whoever is refused', sentence, 'taken back')
    .option('--bus <folder>', 'folder of edgedeck nats setup --out: take their credentials for the bus back too')

  ofIssuing(
    secret(
      add(
        'rotate',
        'Change the issuing certificate, or the root in steps that overlap.',
        (options: RotateOptions, [which]) => {
          const { finish, force, distrust = null, issuingPassphraseFile = null } = options
          const shared = { what: 'rotate', finish, force, distrust, issuingPassphraseFile } as const
          if (which !== 'issuing' && which !== 'root')
            throw new InvalidArgumentError('say what to change: issuing or root')
          if (which === 'issuing' && (finish || force)) throw new InvalidArgumentError('--finish is for the root')
          if (which === 'root' && distrust !== null)
            throw new InvalidArgumentError('--distrust is for the issuing certificate')
          return { ...shared, which }
        },
      ),
      'root key',
    ),
  )
    .argument('<WHAT>', 'issuing or root')
    .option('--distrust <why>', 'what the old issuing certificate issued counts no more', sentence)
    .option('--finish', 'stop believing the old root', false)
    .option('--force', 'finish though certificates end by that', false)
}

interface InitOptions {
  readonly fleet: string
  readonly issuingPassphraseFile?: string | null
}
interface StatusOptions {
  readonly output: OutputFormat
  readonly all: boolean
}
interface OperatorOptions {
  readonly role: Role
  readonly permission: readonly Permission[]
  readonly sites: Rights['sites']
  readonly life?: number
  readonly out?: string
}
interface ServerOptions {
  readonly dns?: readonly string[]
  readonly ip?: readonly string[]
  readonly out?: string | null
}
interface SignOptions {
  readonly site: string
  readonly controller?: readonly string[]
  readonly replace: boolean
  readonly out?: string
}
interface RevokeOptions {
  readonly serial?: string | null
  readonly bus?: string | null
  readonly why: string
}
interface RotateOptions {
  readonly finish: boolean
  readonly force: boolean
  readonly distrust?: string
  readonly issuingPassphraseFile?: string
}

function fleetName(text: string): string {
  if (FLEET_NAME.test(text)) return text
  throw new InvalidArgumentError('Expected lower-case letters, digits and "-", at most 63, such as acme-plants.')
}

function holder(text: string): string {
  if (text.length > 0 && text.length <= 253) return text
  throw new InvalidArgumentError('Expected a name of 1 to 253 characters.')
}

function permissionList(text: string): readonly Permission[] {
  return list(text).map((typed) => {
    const known = PERMISSIONS.find((permission) => permission === typed)
    if (known !== undefined) return known
    throw new InvalidArgumentError(`There is no permission "${typed}"; they are ${PERMISSIONS.join(', ')}.`)
  })
}

function siteList(text: string): Rights['sites'] {
  const sites = list(text)
  if (sites.length === 0) throw new InvalidArgumentError('Expected sites separated by commas, or "*" for all of them.')
  return sites.includes('*') ? '*' : sites
}

function serialNumber(text: string): string {
  const serial = text.replaceAll(':', '').toUpperCase()
  if (/^[0-9A-F]{2,64}$/.test(serial)) return serial
  throw new InvalidArgumentError('Expected a serial number in hex, as "edgedeck pki status" shows it.')
}

function sentence(text: string): string {
  if (text.trim() !== '' && text.length <= 200) return text.trim()
  throw new InvalidArgumentError('Expected a few words, 200 characters at most.')
}

function more(text: string, before: readonly string[] = []): string[] {
  return [...before, ...list(text)]
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
