import type { NodeStatus } from '../../fleet/clean.ts'
import { formatAge, formatBytes, formatCount, UNKNOWN } from '../format.ts'
import type { Fact, FactGroup } from './facts.ts'

type Store = NodeStatus['store']

/** What a node's store holds and what it promises. What an older daemon does not tell is left out. */
export function storeFacts(status: NodeStatus | null): Fact[] {
  const store = status?.store
  if (!store) return [{ label: 'state', value: UNKNOWN }]
  const failing = store.state === 'failing'
  return [
    { label: 'state', value: failing ? `FAILING ${store.error ?? ''}` : 'ok', token: failing ? 'danger' : 'ok' },
    ...promiseFacts(store),
    { label: 'kept', value: `${formatCount(store.records)} records` },
    { label: 'size', value: `${formatBytes(store.bytes)} of ${formatBytes(store.maxBytes)}` },
    { label: 'sequence', value: `${store.firstSeq} to ${store.lastSeq}` },
    { label: 'epoch', value: store.epoch.slice(0, 12) },
    { label: 'segments', value: `${store.segments}, ${formatCount(store.commits)} commits` },
    counted('evicted', store.evictedRecords, 'records', 'warning'),
    ...(store.notStored === undefined ? [] : [counted('not kept', store.notStored, 'records', 'danger')]),
    counted('corrupt', store.corruptBlocks, 'blocks', 'danger'),
  ]
}

/** What is kept by class, with how far it reaches back; no group when the daemon does not tell. */
export function keptFacts(status: NodeStatus | null): FactGroup[] {
  const byClass = status?.store.byClass
  if (status == null || byClass === undefined) return []
  const facts = Object.entries(byClass)
    .filter(([, kept]) => kept.records > 0 || kept.evicted > 0)
    .flatMap(([name, kept]): Fact[] => {
      const age = kept.oldestAt === null ? UNKNOWN : formatAge(status.at - kept.oldestAt)
      const held = `${formatCount(kept.records).padStart(5)} ${formatBytes(kept.bytes).padStart(7)}  ${age}`
      const evicted = { label: '', value: `${formatCount(kept.evicted).padStart(5)} evicted`, token: 'muted' as const }
      return [{ label: name, value: held }, ...(kept.evicted > 0 ? [evicted] : [])]
    })
  return facts.length === 0 ? [] : [{ title: 'Kept on the node, back to', facts }]
}

function promiseFacts({ durability, encryption, reserve }: Store): Fact[] {
  const facts: Fact[] = []
  if (durability === 'async') {
    facts.push({ label: 'answers', value: 'BEFORE the disk has it (async)', token: 'warning' })
  } else if (durability === 'sync') facts.push({ label: 'answers', value: 'once the disk has it' })
  if (encryption === null) facts.push({ label: 'encryption', value: 'OFF', token: 'warning' })
  else if (encryption !== undefined) {
    facts.push({ label: 'encryption', value: `AES-256, key ${encryption.keyId}; keys: ${encryption.keys}` })
    if (encryption.missingKeys > 0) {
      facts.push({ label: 'no key for', value: `${formatCount(encryption.missingKeys)} blocks`, token: 'danger' })
    }
    const { plainBlocks = 0, lostKeys = 0 } = encryption
    if (lostKeys > 0) {
      facts.push({ label: 'key lost', value: `${formatCount(lostKeys)} blocks passed over`, token: 'warning' })
    }
    if (plainBlocks > 0) {
      facts.push({ label: 'still plain', value: `${formatCount(plainBlocks)} blocks`, token: 'warning' })
    }
  }
  if (reserve === 'spent') facts.push({ label: 'reserve', value: 'SPENT, the disk is full', token: 'danger' })
  return facts
}

function counted(label: string, count: number, unit: string, token: 'warning' | 'danger'): Fact {
  return { label, value: `${formatCount(count)} ${unit}`, token: count > 0 ? token : 'text' }
}
