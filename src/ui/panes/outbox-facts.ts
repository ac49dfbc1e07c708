import { quantileMs } from '../../../protocol/histogram.ts'
import type { NodeStatus } from '../../fleet/clean.ts'
import { formatAge, formatBytes, formatCount, formatMs, UNKNOWN } from '../format.ts'
import type { Fact, FactGroup } from './facts.ts'

type Target = NodeStatus['uplink']['targets'][number]

const LEVEL_COLUMNS = 8

/** A group for each uplink target: how it is, what waits for it, and how far each class has got. */
export function outboxGroups(status: NodeStatus | null): FactGroup[] {
  const targets = status?.uplink.targets ?? []
  if (targets.length === 0)
    return [{ title: 'Outbox', facts: [{ label: 'targets', value: status ? 'none configured' : UNKNOWN }] }]
  // Both times are of the node's clock; a node that is silent says nothing of its uplink now.
  const atMs = status?.at ?? 0
  return targets.map((target) => ({
    title: `Outbox to ${target.name}`,
    facts: [...stateFacts(target, atMs), ...transferFacts(target), ...levelFacts(target)],
  }))
}

function stateFacts(target: Target, atMs: number): Fact[] {
  return [
    {
      label: 'uplink',
      value: `${target.state} for ${formatAge(atMs - target.since)}`,
      token: target.state === 'up' ? 'ok' : 'danger',
    },
    ...(target.error === null ? [] : [{ label: 'error', value: target.error, token: 'danger' as const }]),
    {
      label: 'waiting',
      value: `${formatCount(target.backlogRecords)} records, ${formatBytes(target.backlogBytes)}`,
      token: target.backlogRecords > 0 && target.state !== 'up' ? 'warning' : 'text',
    },
    {
      label: 'oldest',
      value: target.oldestAt === null ? 'nothing waits' : `${formatAge(atMs - target.oldestAt)} old`,
    },
    ...(target.backlogRecords === 0 || target.drainSec === undefined
      ? []
      : [{ label: 'drained', value: drainText(target.drainSec) }]),
    { label: 'RTT', value: formatMs(target.rttMs) },
  ]
}

function drainText(drainSec: number | null): string {
  return drainSec === null ? 'not moving' : `in ${formatAge(drainSec * 1000)} at this rate`
}

function transferFacts({ transfer, maybeDuplicates, guarantee }: Target): Fact[] {
  const facts: Fact[] = []
  if (guarantee === 'at_least_once') {
    facts.push({ label: 'delivery', value: 'at least once: it does not compare', token: 'warning' })
  }
  if (transfer !== undefined) {
    const times = `p50 ${formatMs(quantileMs(transfer, 0.5))}, p99 ${formatMs(quantileMs(transfer, 0.99))}`
    facts.push({ label: 'till held', value: transfer.count === 0 ? UNKNOWN : times })
  }
  if ((maybeDuplicates ?? 0) > 0) {
    facts.push({
      label: 'maybe twice',
      value: `${formatCount(maybeDuplicates ?? 0)} blocks, flagged`,
      token: 'warning',
    })
  }
  return facts
}

/** Sequences by class at the three levels of acknowledgement; one number where an older daemon knows one level only. */
function levelFacts({ levels, ackedSeq }: Target): Fact[] {
  if (levels === undefined) return [{ label: 'acked to', value: `sequence ${ackedSeq}` }]
  const rows = Object.entries(levels)
    .filter(([, { committed }]) => committed > 0)
    .map(([name, { committed, held, synced }]): Fact => {
      return { label: name, value: cells(committed, held, synced), token: held < committed ? 'warning' : 'text' }
    })
  return rows.length === 0 ? [] : [{ label: 'sequences', value: cells('here', 'held', 'synced') }, ...rows]
}

function cells(...values: readonly (number | string)[]): string {
  return values.map((value) => String(value).padStart(LEVEL_COLUMNS)).join('')
}
