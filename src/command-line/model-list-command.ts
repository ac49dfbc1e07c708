import { type Command, InvalidArgumentError } from 'commander'
import type { ModelTask } from '../commands/model.ts'
import type { OutputFormat } from '../commands/output.ts'
import type { NodeSelection } from '../fleet/node-selection.ts'
import { collect, type FleetFlags, fleetFlags, nodeSelection, outputOption, timeoutOption } from './command-options.ts'

/** `edgedeck model list` over nodes. */
export type ModelNodesCommand = FleetFlags & {
  readonly kind: 'model-nodes'
  readonly selection: NodeSelection
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/** `edgedeck model list` over a folder of this machine. */
interface FolderListCommand {
  readonly kind: 'model'
  readonly task: Extract<ModelTask, { what: 'list' }>
  readonly passphraseFile: null
}

/** `edgedeck model list`, of a folder or of nodes. */
export type ModelListRequest = FolderListCommand | ModelNodesCommand

interface ListOptions {
  readonly trust: string[]
  readonly on?: string[]
  readonly all: boolean
  readonly output: OutputFormat
  readonly timeout: number
}

/** Add `list` to the commands about models. */
export function addModelList(model: Command, program: Command, accept: (request: ModelListRequest) => void): void {
  model
    .command('list')
    .description('Show the packages of a folder, each verified as a whole, or what nodes serve and hold.')
    .argument('[FOLDER]', 'a package, or a folder with packages in it; . when neither it nor nodes are named')
    .option('--trust <key>', 'public key or file of such keys whose signatures count; may be repeated', collect, [])
    .option('--on <selector...>', 'of these nodes: press-1 press-*, site=plant-a, "cpu<50", !press-3')
    .option('--all', 'of every node there is', false)
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action((folder: string | undefined, options: ListOptions) => {
      const { trust, on, all, output: format, timeout: timeoutMs } = options
      if (on === undefined && !all) {
        accept({ kind: 'model', task: { what: 'list', folder: folder ?? '.', trust, format }, passphraseFile: null })
        return
      }
      if (folder !== undefined)
        throw new InvalidArgumentError('a folder, and nodes are asked for too: leave one of them out')
      if (trust.length > 0) throw new InvalidArgumentError('--trust is for folders: nodes trust their own keys')
      accept({
        kind: 'model-nodes',
        ...fleetFlags(program),
        selection: nodeSelection(on ?? [], all),
        format,
        timeoutMs,
      })
    })
}
