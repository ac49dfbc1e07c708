import { type Command, InvalidArgumentError, Option } from 'commander'
import type { OutputFormat } from '../commands/output.ts'
import { duration, type FleetFlags, fleetFlags, outputOption, whyOption } from './command-options.ts'

/** What is asked of a shell on a node, or of recordings of them. */
export type ShellRequest =
  | (FleetFlags & {
      readonly kind: 'shell'
      readonly name: string
      /** `namespace/pod`; null for the node over SSH. */
      readonly pod: string | null
      readonly container: string | null
      readonly why: string | null
    })
  | (FleetFlags & {
      readonly kind: 'play'
      /** A path, or a name in the context's folder of recordings; null lists what is there. */
      readonly file: string | null
      readonly speed: number
      readonly idleLimitMs: number | null
      readonly format: OutputFormat
    })

const ABOUT_SHELL = `
The session is recorded and stands in the audit. exit leaves it; so does ~. at the beginning of a line when nothing answers.
Exit codes: that of the shell; 255 when the connection broke off or was left. Without a terminal: edgedeck exec NODE -- command`

/** Add the commands of shells. */
export function addShellCommands(program: Command, accept: (request: ShellRequest) => void): void {
  program
    .command('shell')
    .description('Open a shell on a node over SSH, or in a pod on it.')
    .argument('<NODE>', 'a node of the list')
    .option('--pod <namespace/pod>', 'in a pod on the node, through the Kubernetes API')
    .option('-c, --container <name>', 'which container of the pod')
    .addOption(whyOption())
    .addHelpText('after', ABOUT_SHELL)
    .action((name: string, options: { pod?: string; container?: string; why?: string }) => {
      const { pod = null, container = null, why = null } = options
      if (container !== null && pod === null) throw new InvalidArgumentError('--container goes with --pod')
      accept({ kind: 'shell', ...fleetFlags(program), name, pod, container, why })
    })

  program
    .command('play')
    .description('Play the recording of a session, or list what was recorded; into a pipe it is plain text.')
    .argument('[FILE]', 'a recording, by its path or by its name in the list')
    .option('--list', 'list the recordings of the context', false)
    .addOption(new Option('--speed <times>', 'so many times as fast').argParser(speed).default(1, '1'))
    .addOption(
      new Option('--idle-limit <duration>', 'wait no longer than that for the next output').argParser(duration),
    )
    .addOption(outputOption())
    .addHelpText('after', '\nKeys: space holds and goes on, . shows the next output, q leaves.')
    .action((file: string | undefined, options: PlayOptions) => {
      const { list, speed: times, idleLimit: idleLimitMs = null, output: format } = options
      if (list && file !== undefined) throw new InvalidArgumentError('--list takes no file')
      accept({ kind: 'play', ...fleetFlags(program), file: file ?? null, speed: times, idleLimitMs, format })
    })
}

interface PlayOptions {
  readonly list: boolean
  readonly speed: number
  readonly idleLimit?: number
  readonly output: OutputFormat
}

function speed(text: string): number {
  const times = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && times >= 0.1 && times <= 1000) return times
  throw new InvalidArgumentError('Expected a number from 0.1 to 1000.')
}
