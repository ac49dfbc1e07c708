import { existsSync, readFileSync } from 'node:fs'
import { readCredentials } from '../../identity/nats-key.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import {
  STREAM_KINDS,
  STREAMS,
  type StreamKind,
  type StreamWishes,
  type WishesByStream,
} from '../../protocol/stream-config.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { StreamPlan } from '../cloud/stream-config.ts'
import { setUpStream } from '../cloud/stream-setup.ts'
import { type SetUp, streamWishesOf } from '../nats-accounts/set-up.ts'
import { formatBytes } from '../ui/format.ts'
import type { CommandIo } from './output.ts'

/** How the streams of a bus of one's own are looked at. */
export interface BusStreams {
  /** How the server is reached; without, as the folder says. */
  readonly servers?: readonly string[]
  readonly wishes: WishesByStream
  readonly timeoutMs: number
}

/**
 * Make the streams of a bus, or change in those that are there what delivery needs and what was asked for: their room, age and
 * copies stay as somebody chose. Each change is told with what it was.
 * @throws EdgeError `CLOUD_UNREACHABLE`, `USAGE` where nobody said how the server is reached
 */
export async function applyBusStreams(made: SetUp, asked: BusStreams, io: CommandIo): Promise<void> {
  if (serversOf(made, asked).length === 0) {
    throw new EdgeError('USAGE', {
      message: 'it is not known where the server is reached',
      next: ['say it: --servers tls://HOST:4222'],
    })
  }
  for (const kind of STREAM_KINDS) {
    const plan = await planOf(made, asked, { kind, apply: true })
    if (plan.action === 'refuse') throw refusalOf(plan)
    io.stdout.write(linesOf(plan, kind, made, plan.action === 'nothing' ? 'as it should be' : `${plan.action}d`))
  }
}

/** Say what `--apply` would do to the streams of a bus that was set up before, where its server answers. Never throws for it. */
export async function compareBusStreams(made: SetUp, asked: BusStreams, io: CommandIo): Promise<void> {
  if (serversOf(made, asked).length === 0 || made.missing.length > 0) return
  let text = ''
  try {
    for (const kind of STREAM_KINDS) {
      const plan = await planOf(made, asked, { kind, apply: false })
      const would = plan.action === 'refuse' ? refusalOf(plan).message : `would be ${plan.action}d`
      text += linesOf(plan, kind, made, plan.action === 'nothing' ? 'as it should be' : would)
    }
    io.stdout.write(`\nIts streams, of which nothing was changed:\n${text}`)
  } catch (error) {
    io.stderr.write(`edgedeck: ${untrusted(`its streams were not compared: ${messageOf(error)}`)}\n`)
  }
}

function serversOf({ facts }: SetUp, { servers }: BusStreams): readonly string[] {
  return servers ?? facts.servers
}

function planOf(
  made: SetUp,
  asked: BusStreams,
  { kind, apply }: { readonly kind: StreamKind; readonly apply: boolean },
): Promise<StreamPlan> {
  const { folder, facts } = made
  const { wishes, timeoutMs } = asked
  const credentials = readCredentials(readFileSync(folder.creds('keeper'), 'utf8'))
  const { tls } = folder
  const text = (path: string): string | null => (existsSync(path) ? readFileSync(path, 'utf8') : null)
  const [cert, key] = [text(tls.cert), text(tls.key)]
  const access = () => ({
    credentials,
    tls: { ca: text(tls.ca), own: cert === null || key === null ? null : { cert, key } },
  })
  const servers = serversOf(made, asked)
  const address = { name: facts.region, servers, stream: STREAMS[kind]().name, access, as: 'keeper' } as const
  // Rooms that were shared out anew would take from streams that hold something what somebody chose for them.
  const { maxBytes, ...always } = streamWishesOf(facts, kind)
  const wanted = { ...wishes[kind], ...always, ...boundsOf(wishes[kind] ?? {}) }
  return setUpStream(address, wanted, { apply, timeoutMs, kind, whenNew: { maxBytes } })
}

function boundsOf({ maxBytes, maxAgeMs, replicas }: Partial<StreamWishes>): Partial<StreamWishes> {
  return {
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(replicas === undefined ? {} : { replicas }),
  }
}

function linesOf(plan: StreamPlan, kind: StreamKind, { facts }: SetUp, outcome: string): string {
  const { action, changes, config } = plan
  const changed = changes.map(
    ({ setting, from, to }) => `${setting}: ${settingText(setting, from)} → ${settingText(setting, to)}`,
  )
  const maxBytes = STREAMS[kind](streamWishesOf(facts, kind)).max_bytes
  const isKept =
    action !== 'create' && config.max_bytes !== maxBytes && changes.every(({ setting }) => setting !== 'max_bytes')
  const kept = isKept
    ? [`it stays at ${settingText('max_bytes', config.max_bytes)}; made now it would get ${formatBytes(maxBytes)}`]
    : []
  return [`${config.name}: ${outcome}`, ...[...changed, ...kept].map((line) => `  ${line}`)]
    .map((line) => `${untrusted(line)}\n`)
    .join('')
}

function settingText(setting: string, value: unknown): string {
  if (setting === 'max_bytes' && typeof value === 'number') return value < 0 ? 'no bound' : formatBytes(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function refusalOf({ changes, config: { name } }: StreamPlan): EdgeError {
  const refused = changes.flatMap(({ setting, refused: why }) => (why === null ? [] : [`${setting}: ${why}`]))
  return new EdgeError('CLOUD_UNREACHABLE', {
    message: `the stream ${name} cannot be made as it must be: ${refused.join('; ')}`,
    next: ['make another one, and move what it holds'],
  })
}
