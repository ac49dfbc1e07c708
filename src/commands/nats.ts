import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { STREAM_KINDS, STREAMS, type StreamConfiguration, type WishesByStream } from '../../protocol/stream-config.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { StreamPlan } from '../cloud/stream-config.ts'
import { setUpStream } from '../cloud/stream-setup.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import { formatAge, formatBytes } from '../ui/format.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What `edgedeck nats setup` was asked. */
export interface NatsSetupRequest {
  /** Where streams are looked at or set up; none prints the configuration alone. */
  readonly clouds: readonly CloudAddress[]
  /** By stream. */
  readonly wishes: WishesByStream
  readonly apply: boolean
  readonly format: OutputFormat
  readonly timeoutMs: number
}

/** What became of one region, as it is printed. */
interface Row {
  readonly region: string
  readonly stream: string
  readonly action: string
  readonly setting: string
  readonly from: string
  readonly to: string
}

const COLUMNS: readonly PrintedColumn<Row>[] = [
  { title: 'REGION', text: (row) => row.region },
  { title: 'STREAM', text: (row) => row.stream },
  { title: 'ACTION', text: (row) => row.action },
  { title: 'SETTING', text: (row) => row.setting },
  { title: 'FROM', text: (row) => row.from },
  { title: 'TO', text: (row) => row.to },
]

/** Why each setting is as it is, for who reads the table. */
const WHY: Readonly<Required<Record<keyof StreamConfiguration, string>>> = {
  name: 'what nodes and console look for when nobody says another',
  subjects: 'blocks, marks and what is sent again; never edge.> as a whole, which would answer requests to nodes',
  retention: 'readers do not use blocks up',
  storage: 'what is acknowledged outlives a restart',
  discard: 'a full stream refuses and the node keeps; discarding the old would lose it silently',
  max_bytes: 'back-pressure at this size',
  max_age: 'blocks expire; their marks do not',
  duplicate_window: 'not used, but may not be longer than max_age',
  max_msgs_per_subject: 'the last word counts',
  num_replicas: 'copies in a cluster',
  allow_direct: 'a node asks for its own last block and needs no right to read others',
  allow_atomic: 'a block and its mark are stored together or not at all',
  allow_msg_ttl: 'the mark is kept for ever',
  allow_rollup_hdrs: 'only the newest mark is kept',
  deny_delete: 'what is in it stays, whoever wrote it',
  deny_purge: 'the same, all at once',
  metadata: 'encodings that the readers take',
}

/** What a bare number of the server's own form is, for who reads the table. */
const UNITS: Partial<Readonly<Record<keyof StreamConfiguration, (value: number) => string>>> = {
  max_bytes: (value) => ` (${formatBytes(value)})`,
  max_age: (value) => (value === 0 ? ' (as long as there is room)' : ` ns (${formatAge(value / 1e6)})`),
  duplicate_window: (value) => ` ns (${formatAge(value / 1e6)})`,
}

/**
 * Print the configurations of the streams that delivery relies on; with regions, what would change there, and with `apply`, change
 * it. True when every region is, or could be made, as it should be.
 */
export async function runNatsSetup(request: NatsSetupRequest, io: CommandIo): Promise<boolean> {
  const { clouds, wishes, apply, format } = request
  if (clouds.length === 0) {
    if (apply) {
      throw new EdgeError('USAGE', {
        message: 'no region of the cloud is known',
        next: ['say where: --servers nats://host:4222, or under clouds in the configuration'],
      })
    }
    io.stdout.write(
      printConfigurations(
        STREAM_KINDS.map((kind) => STREAMS[kind](wishes[kind])),
        format,
      ),
    )
    return true
  }
  let isGood = true
  const rows: Row[] = []
  const outcomes: unknown[] = []
  const streams = clouds.flatMap((cloud) =>
    STREAM_KINDS.map((kind) => ({
      kind,
      cloud: kind === 'blocks' ? cloud : { ...cloud, stream: STREAMS[kind]().name },
    })),
  )
  // The stream of blocks first: subjects that it gives up are free for the other then.
  for (const { kind, cloud } of streams) {
    try {
      const plan = await setUpStream(cloud, wishes[kind] ?? {}, { ...request, kind })
      isGood &&= plan.action !== 'refuse'
      const action = wordFor(plan, apply)
      rows.push(...rowsOf(cloud, plan, action))
      const { changes, warnings, config } = plan
      outcomes.push({ region: cloud.name, stream: cloud.stream, action, changes, warnings, config })
      for (const warning of warnings) io.stderr.write(`edgedeck: ${untrusted(`${cloud.name}: ${warning}`)}\n`)
    } catch (error) {
      isGood = false
      outcomes.push({ region: cloud.name, stream: cloud.stream, action: 'failed', msg: messageOf(error) })
      io.stderr.write(`edgedeck: ${untrusted(error instanceof EdgeError ? error.toLine() : messageOf(error))}\n`)
    }
  }
  io.stdout.write(format === 'table' ? printTable(COLUMNS, rows) : printJson(outcomes, format))
  if (!apply && rows.some(({ action }) => action === 'to create' || action === 'to update')) {
    io.stderr.write('edgedeck: nothing was changed; the same command with --apply does it\n')
  }
  return isGood
}

/** As objects that `nats stream add --config` takes, or as a table that says why. */
function printConfigurations(configs: readonly StreamConfiguration[], format: OutputFormat): string {
  if (format !== 'table') return printJson(configs, format)
  const settings = configs.flatMap(settingsOf)
  const columns: PrintedColumn<(typeof settings)[number]>[] = [
    { title: 'STREAM', text: (row) => row.stream },
    { title: 'SETTING', text: (row) => row.setting },
    { title: 'VALUE', text: (row) => row.value },
    { title: 'WHY', text: (row) => row.why },
  ]
  return printTable(columns, settings)
}

function settingsOf(config: StreamConfiguration) {
  return Object.entries(config).flatMap(([setting, value]) => {
    const lines = Array.isArray(value) ? value : [value]
    return lines.map((line, at) => ({
      stream: config.name,
      setting: at === 0 ? setting : '',
      value: `${textOf(line)}${UNITS[setting as keyof StreamConfiguration]?.(Number(line)) ?? ''}`,
      why: at === 0 ? (WHY[setting as keyof StreamConfiguration] ?? '') : '',
    }))
  })
}

function wordFor({ action }: StreamPlan, applied: boolean): string {
  switch (action) {
    case 'create':
      return applied ? 'created' : 'to create'
    case 'update':
      return applied ? 'updated' : 'to update'
    case 'refuse':
      return 'refused'
    case 'nothing':
      return 'as it should be'
  }
}

function rowsOf({ name: region, stream }: CloudAddress, { changes }: StreamPlan, action: string): Row[] {
  if (changes.length === 0) return [{ region, stream, action, setting: '', from: '', to: '' }]
  return changes.map(({ setting, from, to, refused }) => ({
    region,
    stream,
    action: refused === null ? action : `refused: ${refused}`,
    setting,
    from: textOf(from),
    to: textOf(to),
  }))
}

function textOf(value: unknown): string {
  return untrusted(typeof value === 'string' ? value : JSON.stringify(value))
}
