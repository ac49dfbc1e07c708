import type { Command } from 'commander'
import type { OutputFormat } from '../commands/output.ts'
import { type FleetFlags, fleetFlags, outputOption } from './command-options.ts'

/** What the commands about the operator's own identity are asked. */
export type IdentityRequest = FleetFlags & { readonly kind: 'whoami'; readonly format: OutputFormat }

/** Add the commands about who the operator is. */
export function addIdentityCommands(program: Command, accept: (request: IdentityRequest) => void): void {
  program
    .command('whoami')
    .description('Print who you are in the fleet, what you may do there, and until when.')
    .addOption(outputOption())
    .action((options: { output: OutputFormat }) =>
      accept({ kind: 'whoami', ...fleetFlags(program), format: options.output }),
    )
}
