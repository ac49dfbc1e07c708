import { type Command, Option } from 'commander'
import type { OutputFormat } from '../commands/output.ts'
import { duration, type FleetFlags, fleetFlags, nodeName, nodeNameOption, outputOption } from './command-options.ts'

/** What `edgedeck controller` and `edgedeck pki token` are asked. */
export type ControllerRequest = FleetFlags &
  (
    | { readonly kind: 'controller'; readonly printConfig: boolean }
    | {
        readonly kind: 'pki-token'
        readonly site: string
        readonly nodeName: string
        readonly ttlMs: number
        readonly replace: boolean
        readonly passphraseFile: string | null
        readonly format: OutputFormat
      }
  )

/** Add the control plane, and to the commands of the authority, which are there already, the one that lets nodes join it. */
export function addControllerCommands(program: Command, accept: (request: ControllerRequest) => void): void {
  program
    .command('controller')
    .description(
      "Run the fleet's control plane: nodes join and renew, operators log in; --config names its configuration.",
    )
    .option('--print-config', 'show every setting in force and where it comes from, then exit', false)
    .action(({ printConfig }: { printConfig: boolean }) =>
      accept({ kind: 'controller', ...fleetFlags(program), printConfig }),
    )

  program.commands
    .find((command) => command.name() === 'pki')
    ?.command('token')
    .description("Print a token that lets one node join once; runs on the controller's host, also while that runs.")
    .requiredOption('--site <name>', 'site of the node')
    .addOption(nodeNameOption('name of the node'))
    .addOption(new Option('--ttl <duration>', 'how long it may be used').argParser(duration).default(900_000, '15m'))
    .option('--replace', 'the node may take a name that belongs to another key; asks for the passphrase', false)
    .option('--passphrase-file <file>', 'passphrase of the issuing key on its first line; else it is asked for')
    .addOption(outputOption())
    .action((options: TokenOptions) => {
      const { site, ttl: ttlMs, replace, passphraseFile = null, output: format } = options
      const wanted = { site, nodeName: nodeName(program), ttlMs, replace, passphraseFile, format }
      accept({ kind: 'pki-token', ...fleetFlags(program), ...wanted })
    })
}

interface TokenOptions {
  readonly site: string
  readonly ttl: number
  readonly replace: boolean
  readonly passphraseFile?: string
  readonly output: OutputFormat
}
