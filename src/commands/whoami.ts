import { EdgeError } from '../../protocol/errors.ts'
import { safe } from '../fleet/clean.ts'
import type { IdentitySource } from '../identity/identity-source.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What `edgedeck whoami` was asked. */
export interface WhoamiRequest {
  /** Name of the context. */
  readonly context: string
  readonly identity: IdentitySource
  readonly format: OutputFormat
  /** Unix ms. */
  readonly nowMs: number
}

/** Who the operator is in a context. */
interface Whoami {
  readonly context: string
  readonly fleet: string
  readonly name: string
  readonly role: string
  readonly permissions: readonly string[]
  readonly sites: '*' | readonly string[]
  /** When the certificate ends, ISO 8601. */
  readonly until: string
  readonly ended: boolean
}

const COLUMNS: readonly PrintedColumn<Whoami>[] = [
  { title: 'CONTEXT', text: (row) => row.context },
  { title: 'FLEET', text: (row) => safe(row.fleet) },
  { title: 'NAME', text: (row) => safe(row.name) },
  { title: 'ROLE', text: (row) => row.role },
  { title: 'PERMISSIONS', text: (row) => row.permissions.join(', ') || 'none' },
  { title: 'SITES', text: (row) => (row.sites === '*' ? 'all' : safe(row.sites.join(', ')) || 'none') },
  { title: 'UNTIL', text: (row) => (row.ended ? `ended ${row.until}` : row.until) },
]

/**
 * Print who the operator is in a context, and until when. Resolves with whether their certificate still counts by its time.
 * @throws EdgeError `IDENTITY_MISSING` when they are nobody there
 */
export function runWhoami({ context, identity, format, nowMs }: WhoamiRequest, io: CommandIo): boolean {
  const state = identity.current()
  if (state.kind === 'none') {
    throw new EdgeError('IDENTITY_MISSING', { message: `${context}: ${state.reason}` })
  }
  const { name, fleet, rights, untilMs } = state.identity
  const ended = untilMs <= nowMs
  const until = new Date(untilMs).toISOString().replace('.000Z', 'Z')
  const row: Whoami = { context, fleet, name, ...rights, until, ended }
  io.stdout.write(format === 'table' ? printTable(COLUMNS, [row]) : printJson([row], format))
  if (ended) io.stderr.write('edgedeck: your certificate has ended: run edgedeck login\n')
  return !ended
}
