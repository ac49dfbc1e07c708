import { type Command, InvalidArgumentError, Option } from 'commander'
import { PACKAGE_BUCKET } from '../../protocol/object-store.ts'
import type { PushPlace } from '../commands/model-push.ts'
import type { OutputFormat } from '../commands/output.ts'
import { type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'

/** `edgedeck model push`. */
export type ModelPushCommand = FleetFlags & {
  readonly kind: 'model-push'
  readonly folder: string
  readonly to: PushPlace
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/** Add `push` to the commands about models. */
export function addModelPush(model: Command, program: Command, accept: (request: ModelPushCommand) => void): void {
  model
    .command('push')
    .description('Bring a signed package to where nodes fetch it, or straight to nodes; what is there is left alone.')
    .argument('<PACKAGE>', 'folder of a signed package')
    .addOption(
      new Option(
        '--to <where>',
        'nats (the bucket of every region), nats:BUCKET, nodes, nodes:N1,N2, or a folder for a web server: ./web',
      )
        .argParser(placeOf)
        .default(placeOf('nats'), 'nats'),
    )
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action((folder: string, options: { to: PushPlace; output: OutputFormat; timeout: number }) => {
      const { to, output: format, timeout: timeoutMs } = options
      accept({ kind: 'model-push', ...fleetFlags(program), folder, to, format, timeoutMs })
    })
}

function placeOf(to: string): PushPlace {
  const [kind, rest] = to.split(/:(.*)/s)
  if (kind === 'nats') return { kind: 'bucket', bucket: rest ?? PACKAGE_BUCKET }
  if (kind === 'nodes') return { kind: 'nodes', names: (rest ?? '').split(',').filter((name) => name !== '') }
  if (!to.includes('/')) throw new InvalidArgumentError('It is nats, nodes, or a folder with a slash in it: ./web.')
  return { kind: 'folder', folder: to }
}
