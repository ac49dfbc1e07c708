import type { Command } from 'commander'
import type { OutputFormat } from '../commands/output.ts'
import { type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'

/** What `edgedeck doctor` is asked. */
export type DoctorRequest = FleetFlags & {
  readonly kind: 'doctor'
  /** Only these nodes; empty = all. */
  readonly names: readonly string[]
  readonly format: OutputFormat
  readonly timeoutMs: number
}

const HELP = `
Tests names, ports, TLS, clocks, credentials, permissions, streams, and each node, and says what to do.
Exit codes: 0 all is well, 1 something could not be tested, 3 faults were found.`

/** Add the command that tests what a fleet needs to be reached. */
export function addDoctorCommand(program: Command, accept: (request: DoctorRequest) => void): void {
  program
    .command('doctor')
    .description('Test what the fleet of a context needs to be reached: each fault with its cure.')
    .argument('[NODE...]', 'only these nodes (also --node NAME), NODE or SITE/NODE')
    .addOption(outputOption())
    .addOption(timeoutOption())
    .addHelpText('after', HELP)
    .action((names: string[], options: { output: OutputFormat; timeout: number }) => {
      const flags = fleetFlags(program)
      // The flag is the program's, where it points at a node; without an address it names one here.
      const named = flags.node.filter((text) => !text.includes('='))
      const node = flags.node.filter((text) => text.includes('='))
      accept({
        kind: 'doctor',
        ...flags,
        node,
        names: [...names, ...named],
        format: options.output,
        timeoutMs: options.timeout,
      })
    })
}
