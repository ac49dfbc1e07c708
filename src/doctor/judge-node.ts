import type { Heartbeat } from '../../protocol/presence.ts'
import { missingRight, REQUESTS, type Rights } from '../../protocol/rights.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeDetail, StageView } from '../fleet/view.ts'
import type { FindingsOf } from './finding.ts'
import { judgeNodeClock } from './judge-clock.ts'
import { lasting } from './times.ts'

/** What is known of a node after it was looked at. */
export interface NodeFacts {
  readonly detail: NodeDetail
  /** What it told the bus last; null when nothing was heard. */
  readonly heartbeat: Heartbeat | null
  /** Whether the context has a bus at all. */
  readonly hasBus: boolean
  /** Whether an address is known. */
  readonly hasAddress: boolean
  /** Of the operator; null for nobody. */
  readonly rights: Rights | null
  /** Version of the deny list in force at the controller; null when not known. */
  readonly denyVersion: number | null
  /** Unix ms. */
  readonly nowMs: number
}

/** What to do about the conditions that nodes tell, by code. */
const CURES: Readonly<Record<string, string>> = {
  store_failing: 'make room on the disk of its state folder, or mend it',
  store_keys_missing: 'put the missing key back into its key file, then kill -HUP',
  model_not_ready: 'see its log: edgedeck logs',
  certificate_ending: 'let it reach a controller, or carry a request: edge-daemon join --request FILE',
  clock_off: 'let NTP set its clock',
  clock_unsure: 'set its clock, or let it reach a controller',
  controller_unreachable: 'open the way from the node to the controller; see edge-daemon identity, on the node',
  node_exporter_unreachable: 'start node_exporter on the node, or correct health.nodeExporter in its configuration',
  host_unreadable: 'see what /proc the daemon may read',
  same_name: 'two nodes have one name: let one of them join under another',
  rule_failing: 'correct the rule: edge-daemon rules test, on the node',
}
/** Latency of an inference that a site is built for, ms (the preset of the rule latency_high). */
const TARGET_MS = 50
const FAR_MS = 150
/** What waits for longer than this is told, ms. */
const OLD_BACKLOG_MS = 60_000
const FULL_PCT = 90

/** Say how a node stands: how it is reached, what it says of itself, and the usual faults of requirement D1. */
export function judgeNode(facts: NodeFacts, say: FindingsOf): void {
  const { detail, rights, denyVersion, heartbeat } = facts
  const { node, status, link, identity } = detail
  if (rights !== null && node.site !== null) {
    const missing = missingRight(rights, REQUESTS.subscribe, node.site)
    if (missing !== null)
      say.fault('rights', `you have not ${missing}`, 'ask for it in operators.yaml, then edgedeck login')
  }
  if (status === null || identity === null) return void judgeSilence(facts, say)
  const way = link.route === 'nats' ? 'through the bus' : 'directly'
  const proof = link.certified === true ? ', its name is proved by its certificate' : ''
  say.ok('reach', `it answers ${way}, round trip ${Math.round(node.rttMs ?? 0)} ms${proof}`)
  if (link.insecure)
    say.warning('plain', 'it is spoken to in plain over a network', 'let it join the fleet, and write wss://')
  if (link.clockOffsetMs !== null) judgeNodeClock(link.clockOffsetMs, say)
  if (denyVersion !== null && heartbeat?.deny !== undefined) {
    if (heartbeat.deny < denyVersion) {
      say.warning(
        'deny',
        `it holds version ${heartbeat.deny} of the deny list, the controller ${denyVersion}: who was revoked since is let in there`,
        'open the way from the node to the controller',
      )
    } else say.ok('deny', `it holds the deny list in force, version ${heartbeat.deny}`)
  }
  for (const { code, severity, msg } of node.conditions) {
    const cure = CURES[code] ?? 'see its log: edgedeck logs'
    if (severity === 'critical') say.fault(code, msg, cure)
    else say.warning(code, msg, cure)
  }
  judgeAutonomy(detail, say)
  judgeUplink(facts, say)
  judgeLatency(detail, say)
}

function judgeSilence({ detail, hasBus, hasAddress, heartbeat, nowMs }: NodeFacts, say: FindingsOf): void {
  const { node, link } = detail
  const reason = untrusted(link.lastReason ?? node.reason ?? 'nothing came')
  if (heartbeat !== null) {
    say.fault(
      'reach',
      `it is alive on the bus (${lasting(nowMs - heartbeat.at)} ago), and no session comes: ${reason}`,
      'see whether its certificate and yours count, above',
    )
    return
  }
  const ways = [hasAddress ? 'directly' : '', hasBus ? 'through the bus' : ''].filter((way) => way !== '').join(' or ')
  say.fault('reach', `it is not reached ${ways}: ${reason}`, cureOfSilence(reason, hasBus))
}

function cureOfSilence(reason: string, hasBus: boolean): string {
  if (/login/.test(reason)) return 'edgedeck login'
  if (/not from this fleet|older TLS|no TLS/.test(reason))
    return 'let it join this fleet: edgedeck pki token, then edge-daemon join on the node'
  if (/revoked/.test(reason)) return 'ask an admin of the fleet'
  if (/not one of yours/.test(reason))
    return 'take it out of the list, or ask an admin for its site in operators.yaml, then edgedeck login'
  if (/by its certificate, not/.test(reason)) return 'correct its name or address in the configuration'
  const route = hasBus ? '' : '; behind NAT it is reached through a bus: nats: in the context'
  return `see that the node is on and edge-daemon runs there (its log, edge-daemon identity)${route}`
}

/** Whether it goes on by itself when the cloud is gone: what it would need then is its store. */
function judgeAutonomy({ node, status }: NodeDetail, say: FindingsOf): void {
  if (status === null) return
  const { store } = status
  const before = say.all.length
  if (store.state === 'failing' && !node.conditions.some(({ code }) => code === 'store_failing'))
    say.fault('autonomy', `its disk refuses results: ${store.error ?? 'it says no reason'}`, CURES.store_failing ?? '')
  if (store.reserve === 'spent') {
    say.warning(
      'autonomy',
      'its disk is so full that the reserve for evicting is used up',
      'make room on the disk of its state folder',
    )
  }
  if (node.diskPct !== null && node.diskPct >= FULL_PCT) {
    say.warning('disk', `its disk is ${Math.round(node.diskPct)} % full`, 'make room, or lower store.maxBytes')
  }
  if ((store.notStored ?? 0) > 0) {
    say.warning(
      'autonomy',
      `${store.notStored} results were answered and not kept since its start`,
      'see its ledger: edgedeck replay NODE --kind ledger',
    )
  }
  if (say.all.length > before) return
  const sealed = store.encryption == null ? 'not sealed' : 'sealed'
  const safe =
    store.durability === 'async'
      ? 'an acknowledged result may be lost with the power'
      : 'an acknowledged result is on the disk'
  say.ok('autonomy', `offline it goes on: ${store.records} records are held, ${safe}, ${sealed}`)
}

function judgeUplink({ detail: { status }, nowMs }: NodeFacts, say: FindingsOf): void {
  for (const target of status?.uplink.targets ?? []) {
    const waits = target.backlogRecords === 0 ? '' : `, waiting: ${target.backlogRecords}`
    const ageMs = target.oldestAt === null ? 0 : nowMs - target.oldestAt
    const check = `uplink.${untrusted(target.name)}`
    if (target.state === 'down') {
      say.fault(
        check,
        `no uplink to ${target.name}${waits}: ${target.error ?? 'it says no reason'}`,
        'see its log: edgedeck logs; then from the node: names, ports and credentials',
      )
    } else if (target.backlogRecords > 0 && ageMs > OLD_BACKLOG_MS) {
      const left = target.drainSec == null ? 'it does not shrink' : `it is gone in ${lasting(target.drainSec * 1000)}`
      say.warning(
        check,
        `${target.backlogRecords} records wait for ${target.name}, the oldest for ${lasting(ageMs)}; ${left}`,
        'raise upstream.maxUplinkKbps, or let filter send less',
      )
    } else say.ok(check, `the uplink to ${target.name} is ${target.state}${waits}`)
  }
}

/** Why the latency target is missed: the slow stage, or that it is the way and not the node. */
function judgeLatency({ node, stages }: NodeDetail, say: FindingsOf): void {
  if (node.rttMs !== null && node.rttMs > FAR_MS) {
    say.note('distance', `a round trip to it takes ${Math.round(node.rttMs)} ms; devices beside it do not pay that`)
  }
  if (node.p99Ms === null) return void say.note('latency', 'nothing asked it for an inference in the last 10 s')
  if (node.p99Ms <= TARGET_MS) return void say.ok('latency', `p99 of the last 10 s is ${node.p99Ms.toFixed(1)} ms`)
  const slow = slowestOf(stages)
  const where = slow === null ? '' : `; most of it in ${slow.stage} (p99 ${slow.p99Ms?.toFixed(1)} ms)`
  say.fault(
    'latency',
    `p99 of the last 10 s is ${node.p99Ms.toFixed(1)} ms, over ${TARGET_MS} ms${where}`,
    STAGE_CURES[slow?.stage ?? 'total'],
  )
}

const STAGE_CURES: Readonly<Record<StageView['stage'], string>> = {
  decode: 'let devices send smaller pictures',
  queue: 'fewer requests at once, or a quicker model: they wait for each other',
  run: 'a smaller model or a quicker accelerator; see also whether the CPU is throttled',
  commit: 'a quicker disk for its state folder, or store.durability: async',
  total: 'see its stages on the screen of the node',
}

function slowestOf(stages: readonly StageView[]): StageView | null {
  const parts = stages.filter(({ stage, p99Ms }) => stage !== 'total' && p99Ms !== null)
  return parts.reduce<StageView | null>((worst, one) => ((worst?.p99Ms ?? -1) >= (one.p99Ms ?? 0) ? worst : one), null)
}
