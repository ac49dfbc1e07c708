import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { EdgeError } from '../../protocol/errors.ts'
import { nearest } from '../../settings/document.ts'
import type { OutputFormat } from '../commands/output.ts'
import { type NodeFilter, parseFilter } from '../fleet/filter.ts'
import { type AuditCommandRequest, addAuditCommand } from './audit-commands.ts'
import { collect, type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'
import { addContextCommands, type ContextRequest } from './context-commands.ts'
import { addControllerCommands, type ControllerRequest } from './controller-commands.ts'
import { addDoctorCommand, type DoctorRequest } from './doctor-command.ts'
import { addExecCommand, type ExecRequest } from './exec-commands.ts'
import { addIdentityCommands, type IdentityRequest } from './identity-commands.ts'
import { addLogCommands, type LogsCommandRequest } from './log-commands.ts'
import { addLoginCommand, type LoginRequest } from './login-command.ts'
import { addModelCommands, type ModelRequest } from './model-commands.ts'
import type { ModelNodesCommand } from './model-list-command.ts'
import type { ModelPushCommand } from './model-push-command.ts'
import type { BusRequest } from './nats-bus-commands.ts'
import { addNatsCommands, type NatsRequest } from './nats-commands.ts'
import { withPackVersion } from './pack-version.ts'
import { addPastCommands, type PastRequest } from './past-commands.ts'
import { addPkiCommands, type PkiRequest } from './pki-commands.ts'
import { addPodsCommand, type PodsCommandRequest } from './pods-commands.ts'
import { addRolloutCommands, type RolloutRequest } from './rollout-commands.ts'
import { addShellCommands, type ShellRequest } from './shell-commands.ts'

/** What the command line asks for. */
export type CommandRequest =
  | { readonly kind: 'text'; readonly text: string }
  | (FleetFlags & { readonly kind: 'screen' })
  | (FleetFlags & { readonly kind: 'demo'; readonly headless: boolean })
  | (FleetFlags & { readonly kind: 'keys'; readonly format: OutputFormat })
  | (FleetFlags & {
      readonly kind: 'nodes'
      readonly format: OutputFormat
      readonly filter: NodeFilter | null
      readonly watch: boolean
      readonly timeoutMs: number
    })
  | LogsCommandRequest
  | PodsCommandRequest
  | PastRequest
  | ExecRequest
  | RolloutRequest
  | ShellRequest
  | NatsRequest
  | BusRequest
  | ModelRequest
  | ModelNodesCommand
  | ModelPushCommand
  | PkiRequest
  | ControllerRequest
  | AuditCommandRequest
  | IdentityRequest
  | LoginRequest
  | DoctorRequest
  | ContextRequest

const EPILOGUE = `
Exit codes: 0 done, 1 a node or region did not answer or has not what was asked, 2 usage, 3 a comparison or doctor found a fault,
4 a command of exec failed on some node, 5 and 6 a rollout was taken back or stands, 69 a needed program or file system refuses, 70 a fault of edgedeck, 78 configuration, 128 + n ended by signal n.

Point it at a fleet:  edgedeck --node press-4=wss://10.0.0.4:5443/live
Or see it first:      edgedeck demo`

/**
 * Read the arguments after the program's name. Does no I/O; times such as `-4m` are taken from `nowMs` (Unix ms).
 * @throws EdgeError `USAGE`
 */
export function readCommandLine(argv: readonly string[], version: string, nowMs = Date.now()): CommandRequest {
  let request: CommandRequest | null = null
  let written = ''
  const accept = (wanted: CommandRequest): void => {
    request = wanted
  }
  const program = grammar({ version, nowMs, argv }, accept)
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => {
        written += text
      },
      writeErr: () => undefined,
    })
  }
  try {
    program.parse([...withPackVersion(argv)], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) return { kind: 'text', text: written }
    if (error.code === 'commander.excessArguments') throw unknownCommand(program, argv)
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
    throw new EdgeError('USAGE', {
      message,
      next: [misplaced(program, error, argv) ?? `see ${helpFor(program, argv)}`],
    })
  }
  return request ?? { kind: 'text', text: written }
}

function grammar(
  { version, nowMs, argv }: { readonly version: string; readonly nowMs: number; readonly argv: readonly string[] },
  accept: (request: CommandRequest) => void,
): Command {
  const program = new Command('edgedeck')
    .description('A terminal console for fleets of edge nodes that run AI inference.')
    .version(version, '-V, --version', 'print the version')
    .addOption(
      new Option('--node <NAME=wss://…>', 'a node to look at; may be repeated').argParser(collect).default([], 'none'),
    )
    .addOption(
      new Option('--cloud <[NAME=]nats://…>', "a region that holds the nodes' records; may be repeated")
        .argParser(collect)
        .default([], 'none'),
    )
    .option('--config <file>', 'configuration instead of $XDG_CONFIG_HOME/edgedeck/config.yaml')
    .option('--context <name>', 'one of the fleets that the configuration lists, instead of its current one')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', EPILOGUE)
    .helpCommand(false)
    .allowExcessArguments(false)
    .action(() => accept({ kind: 'screen', ...fleetFlags(program) }))

  program
    .command('nodes')
    .description('Print the nodes, problems first.')
    .addOption(outputOption())
    .option('--filter <text>', 'only matching nodes, e.g. "site:plant-a cpu>80"', filter)
    .option('--watch', 'print again every second', false)
    .addOption(timeoutOption())
    .action((options: { output: OutputFormat; filter?: NodeFilter; watch: boolean; timeout: number }) => {
      const { output: format, watch, timeout: timeoutMs } = options
      refuseEndlessJson(format, watch, '--watch')
      accept({ kind: 'nodes', ...fleetFlags(program), format, filter: options.filter ?? null, watch, timeoutMs })
    })

  addLogCommands(program, accept, nowMs)

  program
    .command('keys')
    .description('Print every action and its keys.')
    .addOption(outputOption())
    .action((options: { output: OutputFormat }) =>
      accept({ kind: 'keys', ...fleetFlags(program), format: options.output }),
    )

  addPodsCommand(program, accept)
  addPastCommands(program, accept, nowMs)
  addExecCommand(program, accept, argv)
  addRolloutCommands(program, accept)
  addShellCommands(program, accept)
  addModelCommands(program, accept)
  addNatsCommands(program, accept)
  addLoginCommand(program, accept)
  addPkiCommands(program, accept)
  addControllerCommands(program, accept)
  addAuditCommand(program, accept, nowMs)
  addIdentityCommands(program, accept)
  addContextCommands(program, accept)
  addDoctorCommand(program, accept)

  program
    .command('demo')
    .description('Start three real nodes, cameras and a cloud end on this machine, and the console over them.')
    .option('--headless', 'no screen: one JSON line a second, driven by lines on standard input', false)
    .action((options: { headless: boolean }) =>
      accept({ kind: 'demo', ...fleetFlags(program), headless: options.headless }),
    )
  return program
}

/** An option of a command that was written before it: where it belongs. */
function misplaced(program: Command, error: CommanderError, argv: readonly string[]): string | null {
  if (error.code !== 'commander.unknownOption') return null
  const [, option = ''] = /'([^']+)'/.exec(error.message) ?? []
  const command = program.commands.find((one) => argv.includes(one.name()))
  if (command === undefined || argv.indexOf(option) > argv.indexOf(command.name())) return null
  const isIts = command.options.some(({ short, long }) => option === short || option === long)
  return isIts ? `write ${option} behind the command: edgedeck ${command.name()} … ${option} …` : null
}

/** The help of the command that was typed, or of the program where none was. */
function helpFor(program: Command, argv: readonly string[]): string {
  const path = ['edgedeck']
  let from = program
  for (const word of argv) {
    from = from.commands.find((one) => one.name() === word) ?? from
    if (from.name() === word && path.at(-1) !== word) path.push(word)
  }
  return `${path.join(' ')} --help`
}

function unknownCommand(program: Command, argv: readonly string[]): EdgeError {
  const names = program.commands.map((command) => command.name())
  const typed = argv.find((word) => !word.startsWith('-') && !word.includes('=')) ?? ''
  const near = nearest(typed, names)
  return new EdgeError('USAGE', {
    message: names.includes(typed) ? `${typed} takes no further words` : `there is no command "${typed}"`,
    next: [near === null || near === typed ? 'see edgedeck --help' : `did you mean edgedeck ${near}?`],
  })
}

function refuseEndlessJson(format: OutputFormat, endless: boolean, flag: string): void {
  if (endless && format === 'json') throw new InvalidArgumentError(`-o json never ends with ${flag}: use -o ndjson`)
}

function filter(text: string): NodeFilter {
  const parsed = parseFilter(text)
  if (!parsed.ok) throw new InvalidArgumentError(parsed.message)
  return parsed.filter
}
