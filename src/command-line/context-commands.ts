import type { Command } from 'commander'
import type { ContextTask } from '../commands/context.ts'
import type { ContextWish } from '../commands/context-wish.ts'
import type { OutputFormat } from '../commands/output.ts'
import { collect, type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'
import { controllerUrl, pin } from './login-command.ts'

/** What `edgedeck context` is asked. */
export type ContextRequest =
  | (FleetFlags & { readonly kind: 'context'; readonly task: ContextTask })
  | (FleetFlags & { readonly kind: 'context-add'; readonly wish: ContextWish; readonly timeoutMs: number })

const ADD_HELP = `
Nodes are those that --node NAME=wss://… lists and those that are heard on the bus. Without options, on a terminal,
it asks step by step. Each step is tested, and nothing is written when one fails:

  edgedeck context add acme --controller https://controller.example:5444 --pin SHA256 --login \\
    --nats tls://hub.example:4222 --node plant-a/press-4=wss://10.0.0.4:5443 --production`

/** Add the commands about which fleets there are. */
export function addContextCommands(program: Command, accept: (request: ContextRequest) => void): void {
  const context = program
    .command('context')
    .description('The fleets that this console knows: list them, choose one, add one step by step.')
  const task = (what: ContextTask): void => accept({ kind: 'context', ...fleetFlags(program), task: what })

  context
    .command('list')
    .description('Print the contexts, the current one with a star.')
    .addOption(outputOption())
    .action(({ output: format }: { output: OutputFormat }) => task({ what: 'list', format }))
  context
    .command('show')
    .description('Print where the nodes of a context come from, who you are there, and whom it believes.')
    .argument('[NAME]', 'the current one when not given')
    .addOption(outputOption())
    .action((name: string | undefined, { output: format }: { output: OutputFormat }) => {
      task({ what: 'show', name: name ?? fleetFlags(program).context, format })
    })
  context
    .command('use')
    .description('Make a context the current one.')
    .argument('<NAME>')
    .action((name: string) => task({ what: 'use', name }))
  context
    .command('remove')
    .description('Take a context out of the configuration; its identity stays on the disk.')
    .argument('<NAME>')
    .action((name: string) => task({ what: 'remove', name }))
  context
    .command('add')
    .description('Add a context, testing each step; asks for what is missing when on a terminal.')
    .argument('[NAME]', 'what to call it')
    .option('--controller <url>', 'https://host:5444 of its controller', controllerUrl)
    .option('--pin <sha256>', 'root of the fleet, as "edgedeck pki init" told it', pin)
    .option('--nats <url>', 'a server of its bus, tls://host:4222; may be repeated', collect, [])
    .option('--nats-ca <file>', 'who signed those servers, PEM; the roots of the fleet when not given')
    .option('--login [name]', 'log in now, by your SSH key')
    .option('--key <key>', 'SSH key to log in by: a file, or fingerprint or comment of one in the agent')
    .option('--identity <folder>', 'take key.pem, cert.pem and trust.json from there instead of logging in')
    .option('--production', 'say so wherever the fleet is shown', false)
    .option('--insecure', 'let plain ws:// links off this machine; shown too', false)
    .option('--use', 'make it the current one', false)
    .option('--force', 'write it down though a step fails', false)
    .addOption(timeoutOption())
    .addHelpText('after', ADD_HELP)
    .action((name: string | undefined, options: AddOptions) => {
      const { login = null, timeout: timeoutMs, identity = null } = options
      const wish: ContextWish = {
        name: name ?? null,
        nats: options.nats,
        natsCa: options.natsCa ?? null,
        controller: options.controller ?? null,
        pin: options.pin ?? null,
        identityFrom: identity,
        login: login === true ? '' : login === false ? null : login,
        key: options.key ?? null,
        production: options.production,
        insecure: options.insecure,
        use: options.use,
        force: options.force,
      }
      accept({ kind: 'context-add', ...fleetFlags(program), wish, timeoutMs })
    })
}

interface AddOptions {
  readonly controller?: string
  readonly pin?: string
  readonly nats: readonly string[]
  readonly natsCa?: string
  readonly login?: string | boolean
  readonly key?: string
  readonly identity?: string
  readonly production: boolean
  readonly insecure: boolean
  readonly use: boolean
  readonly force: boolean
  readonly timeout: number
}
