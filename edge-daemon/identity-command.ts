import { readFileSync, writeFileSync } from 'node:fs'
import { fingerprintOf } from '../identity/fingerprint.ts'
import { readCredentials } from '../identity/nats-key.ts'
import { enrolmentAnswerSchema } from '../protocol/enrolment.ts'
import { EdgeError, messageOf } from '../protocol/errors.ts'
import { isLoopback } from '../settings/loopback.ts'
import type { DaemonConfig } from './config/settings.ts'
import { IdentityFiles } from './identity/files.ts'
import { type Joined, joinByToken, requestByHand, takeAnswer } from './identity/join.ts'
import { NodeIdentity } from './identity/node-identity.ts'
import { instant, lasting } from './identity/time-words.ts'
import type { IdentityTask } from './identity-command-line.ts'

type Env = Readonly<Record<string, string | undefined>>

/** A clock that is off by more than this is worth a word, ms. */
const CLOCK_OFF_MS = 120_000

/**
 * Do what was asked about who this node is, and return what to print.
 * @throws EdgeError `IDENTITY_UNUSABLE`, `CONTROLLER_UNREACHABLE`, or a controller's own code
 */
export async function runIdentityTask(task: IdentityTask, config: DaemonConfig, env: Env): Promise<string> {
  const files = new IdentityFiles(config.state.dir, env)
  switch (task.what) {
    case 'join':
      return welcome(await joinByToken(task.token, files), config)
    case 'answer':
      return welcome(takeAnswer(answerIn(task.file), files, task.pin), config)
    case 'request': {
      const pem = await requestByHand(files)
      if (task.file === '-') return pem
      written(task.file, pem)
      return `the request is in ${task.file}; have it signed: edgedeck pki sign ${task.file} --site S --node N --out FILE\nthen here: edge-daemon join --answer FILE\n`
    }
    case 'show':
      return shown(NodeIdentity.load(files), files, { output: task.output, config })
  }
}

function welcome({ identity, before, clockAheadMs }: Joined, { control, node }: DaemonConfig): string {
  const { fleet, site, node: name } = identity
  const lines = [
    `this node ${before ? 'has joined' : 'joined'} ${fleet} as ${site}/${name}${before ? ' before' : ''}; its certificate is good until ${instant(identity.leaf.validToDate)}`,
  ]
  if (clockAheadMs !== null && Math.abs(clockAheadMs) > CLOCK_OFF_MS) {
    const how = clockAheadMs > 0 ? 'ahead of' : 'behind'
    lines.push(
      `the clock of this machine is ${lasting(Math.abs(clockAheadMs))} ${how} the controller's: let NTP set it`,
    )
  }
  if (isLoopback(control.listen.host)) {
    lines.push('consoles reach it on this machine alone; for others set control.listen, such as ":5443"')
  }
  const natsServers = identity.files.enrolment()?.natsServers ?? []
  if (natsServers.length > 0) lines.push(`the bus is at upstream.nats.servers: ${JSON.stringify(natsServers)}`)
  if (node.name !== name || node.site !== site)
    lines.push('node.name and node.site come from the certificate: leave them out')
  lines.push('start edge-daemon, or start it again, to serve as this node')
  return `${lines.join('\n')}\n`
}

function shown(
  identity: NodeIdentity | null,
  files: IdentityFiles,
  { output, config }: { readonly output: 'table' | 'json'; readonly config: DaemonConfig },
): string {
  if (identity === null) {
    throw new EdgeError('IDENTITY_UNUSABLE', {
      message: files.key() === null ? 'this node has not joined a fleet' : 'a join was begun here and not finished',
      next: ['join: edge-daemon join --token TOKEN'],
    })
  }
  const { leaf, deny, bundle, trust, fleet, site, node } = identity
  const creds = files.natsCreds()
  const nats = creds === null ? null : readCredentials(creds)
  const facts = {
    fleet,
    site,
    node,
    serial: leaf.serialNumber,
    validFrom: leaf.validFromDate.toISOString(),
    validUntil: leaf.validToDate.toISOString(),
    roots: trust.roots.map((root) => ({ pin: fingerprintOf(root), validUntil: root.validToDate.toISOString() })),
    trustVersion: bundle.version,
    denyVersion: deny?.version ?? null,
    denyIssuedAt: deny === null ? null : new Date(deny.issuedAt).toISOString(),
    clockFloor: new Date(identity.clock.floorMs).toISOString(),
    controllers: files.enrolment()?.controllers ?? [],
    natsUser: nats?.name ?? null,
    natsUntil: nats?.expiresAtMs == null ? null : new Date(nats.expiresAtMs).toISOString(),
  }
  if (output === 'json') return `${JSON.stringify(facts)}\n`
  const leftMs = leaf.validToDate.getTime() - identity.nowMs()
  const left = leftMs > 0 ? `${lasting(leftMs)} left` : `ended ${lasting(-leftMs)} ago`
  const rows = [
    ['node', `${site}/${node} of ${fleet}`],
    ['certificate', `until ${instant(leaf.validToDate)} (${left}), serial ${leaf.serialNumber}`],
    ...facts.roots.map(({ pin, validUntil }) => ['root', `${pin}, until ${validUntil.slice(0, 10)}`]),
    ['trust bundle', `version ${bundle.version}`],
    ['deny list', deny === null ? 'none' : `version ${deny.version}, signed ${instant(new Date(deny.issuedAt))}`],
    ['clock', `not before ${instant(new Date(identity.clock.floorMs))}`],
    ['controllers', facts.controllers.join(', ') || 'none: carry a request by hand before the certificate ends'],
    ['bus', busText(nats, config.upstream.nats)],
  ]
  return rows.map(([what = '', value = '']) => `${what.padEnd(14)}${value}\n`).join('')
}

/** Who the node is on the bus; the file of the configuration goes before what the controller gave. */
function busText(
  own: ReturnType<typeof readCredentials>,
  { credentials, servers }: DaemonConfig['upstream']['nats'],
): string {
  if (credentials !== null) return `credentials of upstream.nats.credentials, ${credentials}`
  if (own !== null) {
    return `${own.name}${own.expiresAtMs === null ? '' : `, until ${instant(new Date(own.expiresAtMs))}`}`
  }
  if (servers.length === 0) return 'no credentials'
  return 'no credentials: a controller gives them, or edgedeck nats user node makes them for upstream.nats.credentials'
}

function answerIn(file: string) {
  const cure = { next: ['bring the file that edgedeck pki sign wrote'] }
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'))
  } catch (cause) {
    throw new EdgeError('IDENTITY_UNUSABLE', { message: `${file} cannot be read: ${messageOf(cause)}`, ...cure, cause })
  }
  const parsed = enrolmentAnswerSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new EdgeError('IDENTITY_UNUSABLE', { message: `${file} is no answer of an authority`, ...cure })
}

function written(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (cause) {
    throw new EdgeError('USAGE', {
      message: `${file} cannot be written: ${messageOf(cause)}`,
      next: ['name another file'],
      cause,
    })
  }
}
