import type { Command } from 'commander'
import { type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'
import type { OutputFormat } from './commands/output.ts'
import type { PodLogsWish } from './commands/pod-logs.ts'

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
