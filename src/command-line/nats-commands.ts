import { type Command, InvalidArgumentError } from 'commander'
import { AUDIT_STREAM, type StreamWishes, type WishesByStream } from '../../protocol/stream-config.ts'
import { parseSizeBytes } from '../../settings/units.ts'
import type { OutputFormat } from '../commands/output.ts'
import { type CloudAddress, DEFAULT_STREAM, readCloud } from '../config/cloud-address.ts'
import { duration, type FleetFlags, fleetFlags, outputOption, timeoutOption } from './command-options.ts'
import { addBusCommands, addBusOptions, type BusOptions, type BusRequest } from './nats-bus-commands.ts'

/** What `edgedeck nats …` is asked. */
export type NatsRequest = FleetFlags & {
  readonly kind: 'nats-setup'
  /** Null for the regions of the configuration. */
  readonly servers: CloudAddress | null
  readonly stream: string | null
  /** By stream. */
  readonly wishes: WishesByStream
  readonly apply: boolean
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/** Add the commands that care for the bus. */
export function addNatsCommands(
  program: Command,
  accept: (request: NatsRequest | BusRequest | { readonly kind: 'text'; readonly text: string }) => void,
): void {
  const nats = program
    .command('nats')
    .description("Care for the bus: the streams that hold the nodes' records, and who may do what there.")
    .helpCommand(false)
  nats.action(() => accept({ kind: 'text', text: nats.helpInformation() }))
  addBusOptions(nats.command('setup'))
    .description(
      'Print the configuration of the streams, show what differs in each region, or make it so; with --out, a whole bus.',
    )
    .option('--servers <urls>', 'servers of one region, separated by commas, instead of the configured regions')
    .option('--stream <name>', `name of the stream; ${DEFAULT_STREAM} when nobody says another`)
    .option('--sites <names>', 'only these sites, separated by commas', list)
    .option('--max-bytes <size>', 'most it holds, e.g. 10GB', sizeBytes)
    .option('--max-age <duration>', 'how long it holds a block, e.g. 168h', duration)
    .option('--audit-max-bytes <size>', `most that the stream ${AUDIT_STREAM} of who did what holds`, sizeBytes)
    .option('--audit-max-age <duration>', 'how long it holds it; as long as there is room when not given', duration)
    .option('--replicas <count>', 'copies in a cluster, 1 to 5', replicas)
    .option('--apply', 'make or change it; without, nothing is touched', false)
    .addOption(outputOption())
    .addOption(timeoutOption())
    .action((options: SetupOptions) => {
      const { servers, stream = null, sites, maxBytes, maxAge: maxAgeMs, replicas: copies } = options
      const shared = {
        ...(sites === undefined ? {} : { sites }),
        ...(copies === undefined ? {} : { replicas: copies }),
      }
      const wishes = {
        blocks: { ...shared, ...(stream === null ? {} : { name: stream }), ...bounds(maxBytes, maxAgeMs) },
        audit: { ...shared, ...bounds(options.auditMaxBytes, options.auditMaxAge) },
        rollouts: copies === undefined ? {} : { replicas: copies },
        leases: copies === undefined ? {} : { replicas: copies },
        packages: copies === undefined ? {} : { replicas: copies },
      }
      const { apply, output: format, timeout: timeoutMs } = options
      if (options.out !== undefined) {
        const { out, fleet, region: where, listen, pki, ca } = options
        const told = {
          fleet,
          region: where,
          sites,
          listen,
          pki,
          ca,
          servers: servers === undefined ? undefined : list(servers),
        }
        const given = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined))
        accept({ kind: 'nats-bus', task: { what: 'set-up', out, ...given, wishes, apply, timeoutMs } })
        return
      }
      const region = servers === undefined ? null : regionAt(servers, stream ?? DEFAULT_STREAM)
      accept({
        kind: 'nats-setup',
        ...fleetFlags(program),
        servers: region,
        stream,
        wishes,
        apply,
        format,
        timeoutMs,
      })
    })
  addBusCommands(nats, accept)
}

interface SetupOptions extends BusOptions {
  readonly servers?: string
  readonly stream?: string
  readonly sites?: readonly string[]
  readonly maxBytes?: number
  readonly maxAge?: number
  readonly auditMaxBytes?: number
  readonly auditMaxAge?: number
  readonly replicas?: number
  readonly apply: boolean
  readonly output: OutputFormat
  readonly timeout: number
}

function bounds(maxBytes: number | undefined, maxAgeMs: number | undefined): Partial<StreamWishes> {
  return { ...(maxBytes === undefined ? {} : { maxBytes }), ...(maxAgeMs === undefined ? {} : { maxAgeMs }) }
}

function regionAt(text: string, stream: string): CloudAddress {
  const servers = list(text)
  const region = readCloud({ name: URL.parse(servers[0] ?? '')?.host ?? text, servers, stream })
  if (typeof region === 'string') throw new InvalidArgumentError(`--servers: ${region}.`)
  return region
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function sizeBytes(text: string): number {
  const bytes = parseSizeBytes(text)
  if (bytes === null || bytes <= 0) throw new InvalidArgumentError('Expected a size such as 500MB or 10GB.')
  return bytes
}

function replicas(text: string): number {
  if (!/^[1-5]$/.test(text)) throw new InvalidArgumentError('Expected 1 to 5.')
  return Number(text)
}
