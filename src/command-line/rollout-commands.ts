import { type Command, InvalidArgumentError, Option } from 'commander'
import type { OutputFormat } from '../commands/output.ts'
import type { RolloutTask } from '../commands/rollout-wish.ts'
import { DECISIONS, type Decision } from '../rollout/contract.ts'
import { collect, type FleetFlags, fleetFlags, nodeSelection, outputOption, whyOption } from './command-options.ts'

/** What `edgedeck rollout` is asked, and of which fleet. */
export type RolloutRequest = FleetFlags & RolloutTask & { readonly kind: 'rollout' }

const ABOUT = `
A rollout stands in the fleet's journal, not in this terminal: ctrl-c leaves it where it is (nodes on probation go back by
themselves), and edgedeck rollout drive, any console or a controller goes on with it. ID may be left out: the newest one.

Exit codes: 0 done (or as asked), 5 taken back, or done but for some nodes, 6 it stands: paused, waits for approval, or nobody
drives it, 1 journal or nodes not reached, 2 usage, 130 interrupted.

  edgedeck rollout plan ./digits-2.0.0 --all
  edgedeck rollout start ./digits-2.0.0 site=plant-a --set soak=5m --set gates.maxSlowPct=5
  edgedeck rollout start digits@2.0.0#44136f…ff8a --all --strategy careful.yaml --detach
  edgedeck rollout status --wait -o json
  edgedeck rollout abort r7k2m --why 'wrong classes at the press'
  edgedeck rollout explain`

const DECIDES: Readonly<Record<Decision, string>> = {
  pause: 'Let no further node change; nodes on probation are still confirmed or taken back.',
  resume: 'Go on with a rollout that was paused.',
  approve: 'Let the wave behind a pause point begin.',
  promote: 'Pass the rest of the soak, and what the gates could not tell.',
  abort: 'Stop, and take back what was changed.',
}

/** Add the commands of rollouts. */
export function addRolloutCommands(program: Command, accept: (request: RolloutRequest) => void): void {
  const give = (task: RolloutTask): void => accept({ kind: 'rollout', ...fleetFlags(program), ...task })
  const rollout = program
    .command('rollout')
    .description('Bring a model to nodes in waves that are watched, and take it back when it does worse.')
    .addHelpText('after', ABOUT)
    .helpCommand(false)

  beginning(starting(rollout.command('start')))
    .description('Plan, ask, begin, and drive to the end.')
    .option('--plan', 'only print who would change when, what, and how much of the fleet that is', false)
    .action((name: string, words: string[], options: StartOptions) => give(start(name, words, options, options.plan)))

  starting(rollout.command('plan'))
    .description('Print who would change when, what, and how much of the fleet that is; begin nothing.')
    .action((name: string, words: string[], options: Omit<StartOptions, 'detach' | 'leavePaused' | 'why' | 'yes'>) =>
      give(start(name, words, { ...options, detach: false, leavePaused: false, yes: false }, true)),
    )

  beginning(rollout.command('undo'))
    .description('Roll out what the nodes of a rollout had before it.')
    .argument('[ID]', 'which one')
    .option('--plan', 'only print what would happen', false)
    .action((id: string | undefined, options: BeginOptions & { plan: boolean }) => {
      give({ task: 'undo', id: id ?? null, ...begin(options, options.plan) })
    })

  for (const decision of DECISIONS) {
    const command = rollout
      .command(decision)
      .description(DECIDES[decision])
      .argument('[ID]', 'which one')
      .addOption(whyOption())
      .option('--yes', 'in a production context: do not ask; takes --why', false)
      .option('--wait', 'until it is done, taken back, or stands', false)
      .addOption(outputOption())
    if (decision === 'approve' || decision === 'promote')
      command.option('--wave <name>', 'canary, wave-1, …; else where it is')
    command.action((id: string | undefined, options: DecideOptions) => {
      const { why = null, wave = null, yes, wait, output: format } = options
      requireWhy(yes, why)
      give({ task: 'decide', decision, id: id ?? null, wave, why, yes, wait, format })
    })
  }

  rollout
    .command('status')
    .description('Where a rollout is: its waves, and how each node stands.')
    .argument('[ID]', 'which one')
    .option('--wait', 'until it is done, taken back, or stands', false)
    .addOption(outputOption())
    .action((id: string | undefined, { wait, output: format }: { wait: boolean; output: OutputFormat }) =>
      give({ task: 'status', id: id ?? null, wait, format }),
    )

  rollout
    .command('explain')
    .description('Why a rollout is where it is: every decision with what it was made from, from the journal.')
    .argument('[ID]', 'which one')
    .option('--all', 'each step of each node too', false)
    .addOption(outputOption())
    .action((id: string | undefined, { all, output: format }: { all: boolean; output: OutputFormat }) =>
      give({ task: 'explain', id: id ?? null, all, format }),
    )

  rollout
    .command('list')
    .description('The rollouts of the fleet, newest first.')
    .addOption(outputOption())
    .action(({ output: format }: { output: OutputFormat }) => give({ task: 'list', format }))

  rollout
    .command('drive')
    .description('Go on here with a rollout that nobody drives, to its end.')
    .argument('[ID]', 'which one')
    .option('--leave-paused', 'end with exit code 6 once it is paused or waits', false)
    .addOption(outputOption())
    .action((id: string | undefined, { leavePaused, output: format }: { leavePaused: boolean; output: OutputFormat }) =>
      give({ task: 'drive', id: id ?? null, leavesStanding: leavePaused, format }),
    )
}

interface BeginOptions {
  readonly detach: boolean
  readonly leavePaused: boolean
  readonly why?: string
  readonly yes: boolean
  readonly output: OutputFormat
}

interface StartOptions extends BeginOptions {
  readonly all: boolean
  readonly from: string[]
  readonly strategy?: string
  readonly set: string[]
  readonly plan: boolean
}

interface DecideOptions {
  readonly why?: string
  readonly wave?: string
  readonly yes: boolean
  readonly wait: boolean
  readonly output: OutputFormat
}

function starting(command: Command): Command {
  return command
    .argument('<PACKAGE>', 'a folder with package.sig, or NAME@VERSION#DIGEST of what was pushed')
    .argument('[SELECTOR...]', 'which nodes: press-1 press-*, site=plant-a, "cpu<50", !press-3')
    .option('--all', 'every node there is', false)
    .addOption(
      new Option('--from <source>', 'where nodes fetch it: nats:BUCKET, https://…, link; may be repeated')
        .argParser(collect)
        .default([], 'what the context has'),
    )
    .option('--strategy <file>', 'YAML: canary, waves, soak, gates, …; what it leaves out has its default')
    .addOption(
      new Option('--set <key=value>', 'one key of the strategy, e.g. soak=5m, waves=["20%"], gates.maxSlowPct=5')
        .argParser(collect)
        .default([], 'none'),
    )
    .addOption(outputOption())
}

function beginning(command: Command): Command {
  const given = command
    .option('--detach', 'begin it and leave the driving to a controller or another console', false)
    .option(
      '--leave-paused',
      'end with exit code 6 once it is paused or waits, instead of driving on when it is resumed',
      false,
    )
    .addOption(whyOption())
    .option('--yes', 'in a production context: do not ask; takes --why', false)
  return command.options.some(({ long }) => long === '--output') ? given : given.addOption(outputOption())
}

function start(
  name: string,
  words: readonly string[],
  options: Omit<StartOptions, 'plan'>,
  planOnly: boolean,
): RolloutTask {
  return {
    task: 'start',
    package: name,
    from: options.from,
    selection: nodeSelection(words, options.all),
    strategyFile: options.strategy ?? null,
    settings: Object.fromEntries(options.set.map(setting)),
    ...begin(options, planOnly),
  }
}

function begin(options: BeginOptions, planOnly: boolean) {
  const { detach, leavePaused: leavesStanding, why = null, yes, output: format } = options
  requireWhy(yes, why)
  return { planOnly, detach, leavesStanding, why, yes, format }
}

function requireWhy(yes: boolean, why: string | null): void {
  if (yes && (why === null || why.trim() === ''))
    throw new InvalidArgumentError('--yes takes --why, which stands in the journal')
}

/** `soak=5m`, `gates.maxSlowPct=5`, `waves=["20%",5]`: what reads as JSON is that, all else a text. */
function setting(text: string): [string, unknown] {
  const [, key = '', value = ''] = /^([A-Za-z]+(?:\.[A-Za-z]+)?)=(.+)$/.exec(text) ?? []
  if (key === '') throw new InvalidArgumentError(`--set takes key=value, such as soak=5m, and not ${text}`)
  try {
    return [key, JSON.parse(value)]
  } catch {
    return [key, value]
  }
}
