import type { BusAccess } from '../../identity/bus-access.ts'
import { streamKindOf } from '../../protocol/stream-config.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { BusLook, StreamLook } from '../cloud/bus-look.ts'
import { planStream } from '../cloud/stream-config.ts'
import type { FindingsOf } from './finding.ts'
import { lasting, MINUTE_MS } from './times.ts'

const LOGIN = 'edgedeck login'
const ENDING_MS = 30 * MINUTE_MS
/** Parts of a stream's room that are used when it is told, and when it is a fault. */
const [NEARLY_FULL, FULL] = [0.8, 0.98]

/** Say whether the credentials of a bus count by their own time. */
export function judgeCredentials({ credentials }: BusAccess, nowMs: number, say: FindingsOf): void {
  if (credentials === null)
    return void say.note('credentials', 'no credentials are held: only a bus without accounts lets you in')
  const { name, expiresAtMs } = credentials
  if (expiresAtMs === null) return void say.ok('credentials', `credentials of ${untrusted(name)}, without an end`)
  const leftMs = expiresAtMs - nowMs
  if (leftMs <= 0)
    return void say.fault('credentials', `the credentials of ${untrusted(name)} ended ${lasting(leftMs)} ago`, LOGIN)
  const about = `the credentials of ${untrusted(name)} end in ${lasting(leftMs)}`
  if (leftMs < ENDING_MS) say.warning('credentials', about, LOGIN)
  else say.ok('credentials', about)
}

/** Say how a bus looks to who is logged in. `isOurs`: it was made by `edgedeck nats setup --out`. */
export function judgeBus(
  look: BusLook,
  { isOurs, setup }: { readonly isOurs: boolean; readonly setup: string },
  say: FindingsOf,
): void {
  if (!look.ok) {
    const cure = look.isRefused
      ? `${LOGIN}; if that does not help, they were revoked, or the server runs another configuration than "edgedeck nats setup --out" wrote`
      : 'see the log of nats-server'
    return void say.fault('connect', untrusted(look.reason), cure)
  }
  const { server, deaf, streams } = look
  say.ok('connect', `nats-server ${untrusted(server.version)} lets you in, round trip ${server.rttMs.toFixed(0)} ms`)
  if (deaf.length > 0) {
    say.fault(
      'permissions',
      `the server does not let you hear ${untrusted(deaf.join(', '))}`,
      `${LOGIN}: what you may hear stands in the credentials; or let the server run what "edgedeck nats setup --out" wrote`,
    )
  } else say.ok('permissions', 'you may hear answers and the heartbeats of your sites')
  for (const stream of streams) judgeStream(stream, { isOurs, setup }, say)
}

function judgeStream(
  stream: StreamLook,
  { isOurs, setup }: { readonly isOurs: boolean; readonly setup: string },
  say: FindingsOf,
): void {
  const check = `stream.${stream.name}`
  switch (stream.state) {
    case 'missing':
      return void say.fault(
        check,
        `there is no stream ${stream.name}: nodes keep what it should hold`,
        `${setup} --apply`,
      )
    case 'refused':
      return void say.fault(check, `you may not look at the stream ${stream.name}: ${untrusted(stream.reason)}`, LOGIN)
    case 'unanswered':
      return void say.untested(
        check,
        `nothing answers for the stream ${stream.name}: ${untrusted(stream.reason)}`,
        'see that nats-server runs with JetStream',
      )
    case 'there':
  }
  const kind = streamKindOf(stream.name)
  const { changes } = planStream(
    stream.config,
    { name: stream.name, ...(isOurs ? { trustsNodes: false } : {}) },
    null,
    kind,
  )
  // Which sites it holds is the operator's own choice.
  const wrong = changes.filter(({ setting }) => setting !== 'subjects')
  const maxBytes = Number(stream.config.max_bytes ?? -1)
  const used = maxBytes > 0 ? stream.bytes / maxBytes : 0
  const room = maxBytes > 0 ? `, ${Math.round(used * 100)} % of ${megabytes(maxBytes)} used` : ''
  if (wrong.length > 0) {
    const how = wrong.map(({ setting, from, to }) => `${setting} is ${shown(from)}, not ${shown(to)}`).join('; ')
    return void say.fault(
      check,
      `the stream ${stream.name} is not as delivery needs it: ${untrusted(how)}`,
      `${setup} --apply`,
    )
  }
  const more = 'give it more room: edgedeck nats setup --max-bytes … --apply'
  if (used >= FULL)
    return void say.fault(check, `the stream ${stream.name} is full${room}: it refuses, and nodes keep`, more)
  if (used >= NEARLY_FULL) return void say.warning(check, `the stream ${stream.name} is nearly full${room}`, more)
  say.ok(check, `the stream ${stream.name} is as it should be, ${stream.messages} messages${room}`)
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null)
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`
}
