import { type Command, Option } from 'commander'
import type { AuditWish } from '../commands/audit.ts'
import type { OutputFormat } from '../commands/output.ts'
import { duration, type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'

/** What `edgedeck audit` is asked. */
export type AuditCommandRequest = FleetFlags & AuditWish & { readonly kind: 'audit' }

const DAY_MS = 86_400_000

/** Add the command that tells who did what. */
export function addAuditCommand(program: Command, accept: (request: AuditCommandRequest) => void, nowMs: number): void {
  program
    .command('audit')
    .description('Print who did what on the fleet, or check that the accounts of it are whole and agree.')
    .argument('[NODE...]', 'only these nodes, NODE or SITE/NODE; also such that are only in the cloud')
    .option('--operator <name>', 'only what this operator did')
    .addOption(new Option('--since <duration>', 'look so far back').argParser(duration).default(DAY_MS, '24h'))
    .option('--verify', 'check every chain from its beginning, and the accounts against each other', false)
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action((names: string[], options: AuditOptions) => {
      const { operator = null, since, verify, output: format, timeout: timeoutMs } = options
      const fromMs = nowMs - since
      accept({ kind: 'audit', ...fleetFlags(program), names, operator, fromMs, verify, format, timeoutMs })
    })
}

interface AuditOptions {
  readonly operator?: string
  readonly since: number
  readonly verify: boolean
  readonly output: OutputFormat
  readonly timeout: number
}
