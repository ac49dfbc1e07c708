import { type Command, InvalidArgumentError } from 'commander'
import type { LogsWish } from '../commands/logs-request.ts'
import type { OutputFormat } from '../commands/output.ts'
import type { PodLogsWish } from '../commands/pod-logs.ts'
import { type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'

/** What the commands are asked that go to pods by their own names. */
export type PodsCommandRequest = FleetFlags &
  (
    | { readonly kind: 'pods'; readonly name: string; readonly format: OutputFormat; readonly timeoutMs: number }
    | (PodLogsWish & { readonly kind: 'pod-logs' })
  )

const ABOUT = `
The kubeconfig is that of the context (kube: {config, context, namespace}), else KUBECONFIG, ~/.kube/config, or the pod edgedeck runs in.
It takes the verb "list" on pods; a shell takes "create" and "get" on pods/exec, a log "get" on pods/log.`

/** Add the command that lists the pods of a node. */
export function addPodsCommand(program: Command, accept: (request: PodsCommandRequest) => void): void {
  program
    .command('pods')
    .description('List the containers of the pods on a node, through Kubernetes.')
    .argument('<NODE>', 'a node of the list, or its name in Kubernetes')
    .addOption(outputOption())
    .addOption(timeoutOption())
    .addHelpText('after', ABOUT)
    .action((name: string, { output: format, timeout: timeoutMs }: { output: OutputFormat; timeout: number }) =>
      accept({ kind: 'pods', ...fleetFlags(program), name, format, timeoutMs }),
    )
}

/** What `logs` is told of a container besides. */
export interface PodLogOptions {
  readonly pod?: string
  readonly container?: string
  readonly previous?: boolean
}

/** Let `logs` read a container through Kubernetes instead of nodes. */
export function addPodLogOptions(logs: Command): void {
  logs
    .option('--pod <name>', 'what a container of this pod writes, NAMESPACE/POD, through Kubernetes')
    .option('-c, --container <name>', 'which one, where the pod has several')
    .option('--previous', 'what it wrote before it was last started again')
}

/** What is wanted of a container; null where no pod is named. @throws InvalidArgumentError for what only nodes can do */
export function podLogsWish(
  wish: LogsWish,
  { pod, container, previous = false }: PodLogOptions,
): (PodLogsWish & { readonly kind: 'pod-logs' }) | null {
  if (pod === undefined) {
    if (container !== undefined || previous) throw new InvalidArgumentError('--container and --previous go with --pod.')
    return null
  }
  const { names, selector, filter, follow, fromMs, toMs, tail, style } = wish
  const clash = [
    [names.length > 0, 'names of nodes'],
    [selector !== null, '--filter'],
    [wish.histogram, '--histogram'],
    [wish.reverse, '--reverse'],
    [wish.fromCloud, '--from-cloud'],
    [wish.around.before + wish.around.after > 0, '-A, -B and -C'],
    [previous && follow, '--previous and --follow'],
  ] as const
  const found = clash.find(([is]) => is)
  if (found !== undefined) throw new InvalidArgumentError(`--pod does not go with ${found[1]}.`)
  return {
    kind: 'pod-logs',
    pod,
    container: container ?? null,
    previous,
    filter,
    follow,
    fromMs,
    toMs,
    tail,
    format: style.format,
  }
}
