import { expect, test } from 'vitest'
import type { AuditRecord, OperatorAuditRecord } from '../../../protocol/audit.ts'
import { AUDIT_GENESIS, headOf, link } from '../../../protocol/audit-chain.ts'
import { eventsOf, type NodeAudit, type OperatorAudit } from '../../../src/audit/audit-events.ts'
import { judgeJournal, judgeNode, unrecorded } from '../../../src/audit/audit-verdict.ts'

const MIA = { kind: 'operator', name: 'mia', role: 'operator' } as const
const [NONCE, OTHER] = ['q83vASNFZ4mrze8BI0VniQ', 'A83vASNFZ4mrze8BI0VniQ']

function chained<T extends object>(bodies: readonly T[]) {
  let head = AUDIT_GENESIS
  return bodies.map((body) => {
    const record = link(body, head)
    head = headOf(record)
    return record
  })
}

function nodeRecords(bodies: readonly Partial<AuditRecord>[]): AuditRecord[] {
  const about = { node_id: 'n1', verb: 'resend', who: MIA, route: 'direct', address: '10.0.0.9' } as const
  const linked = chained(
    bodies.map((body, at) => ({ timestamp: 1000 + at, ...about, phase: 'intent' as const, ...body })),
  )
  return linked.map((record, at) => ({ seq: 10 + at, ...record }))
}

function journal(bodies: readonly Partial<OperatorAuditRecord>[], operator = 'mia'): OperatorAuditRecord[] {
  const about = { journal: '0'.repeat(32), operator, host: 'bastion', verb: 'resend' }
  const node = { key: 'press-4', site: 's1', name: 'n1' }
  return chained(bodies.map((body, at) => ({ ...about, timestamp: 900 + at, phase: 'intent' as const, node, ...body })))
}

const onNode = (records: readonly AuditRecord[], source: NodeAudit['source'] = 'node'): NodeAudit[] =>
  records.map((record) => ({ site: 's1', node: 'n1', source, record }))
const own = (records: readonly OperatorAuditRecord[], source: OperatorAudit['source'] = 'own'): OperatorAudit[] =>
  records.map((record) => ({ source, record }))

test('one command is one event, whoever tells of it and however often', () => {
  const node = nodeRecords([
    { nonce: NONCE, why: 'drill' },
    { phase: 'outcome', of: 1, nonce: NONCE, code: 'OK', duration_ms: 7 },
  ])
  const sent = journal([{ nonce: NONCE }, { phase: 'outcome', of: 1, nonce: NONCE, code: 'OK' }])
  const events = eventsOf([...onNode(node), ...onNode(node, 'stream')], [...own(sent), ...own(sent, 'stream')])
  expect(events).toMatchObject([
    {
      at: 1000,
      who: 'mia',
      role: 'operator',
      node: 's1/n1',
      result: 'OK',
      durationMs: 7,
      why: 'drill',
      address: '10.0.0.9',
      sources: ['node', 'own', 'stream'],
    },
  ])
})

test('tells what was begun and never ended, what no node wrote down, refusals and their number, and sessions', () => {
  const node = nodeRecords([
    { nonce: NONCE },
    { phase: 'refused', verb: 'fault.slow', code: 'RIGHT_MISSING', count: 480 },
    { phase: 'opened', verb: 'session' },
  ])
  const sent = journal([
    { nonce: OTHER },
    { phase: 'outcome', of: 1, nonce: OTHER, code: 'OK' },
    { verb: 'fault.slow' },
    { phase: 'outcome', verb: 'fault.slow', of: 3, code: 'NODE_UNREACHABLE', msg: 'no answer' },
    { phase: 'outcome', verb: 'login', node: null, code: 'OK' },
  ])
  expect(
    eventsOf(onNode(node), own(sent)).map(({ verb, result, count, node: on }) => [verb, result, count, on]),
  ).toEqual([
    ['resend', 'NOT_RECORDED', 1, 's1/n1'],
    ['fault.slow', 'NODE_UNREACHABLE', 1, 's1/n1'],
    ['login', 'OK', 1, null],
    ['resend', 'NO_OUTCOME', 1, 's1/n1'],
    ['fault.slow', 'RIGHT_MISSING', 480, 's1/n1'],
    ['session', 'opened', 1, 's1/n1'],
  ])
})

test('puts a command that nobody signed together by its arguments, each once', () => {
  const local = { who: { kind: 'local', name: 'local', role: 'admin' } as const, args_digest: 'a'.repeat(64) }
  const node = nodeRecords([local, { ...local, phase: 'outcome', of: 1, code: 'OK' }, local])
  const sent = journal([
    { args_digest: 'a'.repeat(64), why: 'first' },
    { args_digest: 'a'.repeat(64), why: 'second' },
    { args_digest: 'b'.repeat(64) },
  ])
  expect(eventsOf(onNode(node), own(sent)).map(({ result, why }) => [result, why])).toEqual([
    ['NOT_RECORDED', null],
    ['OK', 'first'],
    ['NO_OUTCOME', 'second'],
  ])
})

const judged = (changes: Partial<Parameters<typeof judgeNode>[0]>) => {
  const records = nodeRecords(Array.from({ length: 5 }, (_, n) => ({ verb: `v${n}` })))
  const whole = { title: 's1/n1', kept: records, streams: [{ region: 'eu', records }], isAllRead: true, heldSeq: 14 }
  return judgeNode({ ...whole, ...changes }).map(({ where, kind, n, through }) => `${where}: ${kind} ${n}–${through}`)
}

test('compares a node with the stream: what it lost at its end, what differs, what is not there though it was taken', () => {
  const records = nodeRecords(Array.from({ length: 5 }, (_, n) => ({ verb: `v${n}` })))
  expect(judged({})).toEqual([])
  // Its oldest records had to make room, or the stream has not taken the last one yet.
  expect(judged({ kept: records.slice(2) })).toEqual([])
  expect(judged({ heldSeq: 13, streams: [{ region: 'eu', records: records.slice(0, 4) }] })).toEqual([])
  expect(judged({ kept: records.slice(0, 3) })).toEqual(['node: truncated 4–5'])
  expect(judged({ streams: [{ region: 'eu', records: records.slice(0, 3) }] })).toEqual(['stream: not_shipped 4–5'])
  // Of a region that was not read to its end nobody knows what it has; one that keeps no audit has nothing.
  expect(judged({ isAllRead: false, streams: [{ region: 'eu', records: records.slice(0, 3) }] })).toEqual([])
  expect(judged({ streams: [] })).toEqual(['stream: not_shipped 1–5'])
  // Regions take turns.
  const [early, late] = [records.slice(0, 3), records.slice(3)]
  expect(judged({ streams: [early, late].map((part, at) => ({ region: `r${at}`, records: part })) })).toEqual([])
  const forged = nodeRecords(Array.from({ length: 5 }, (_, n) => ({ verb: n < 3 ? `v${n}` : 'harmless' })))
  expect(judged({ kept: forged })).toEqual(['node: altered 4–4', 'node: altered 5–5', 'stream: not_shipped 4–5'])
  expect(judged({ kept: null, heldSeq: null })).toEqual([])
})

test('judges a journal: nothing takes records from it, so it begins at 1', () => {
  const kept = journal(Array.from({ length: 4 }, (_, n) => ({ verb: `v${n}` })))
  const whole = {
    title: 'mia',
    kept,
    unreadableLines: [] as number[],
    streams: [{ region: 'eu', records: kept }],
    isAllRead: true,
    shippedN: 4,
  }
  const found = (changes: Partial<typeof whole>) =>
    judgeJournal({ ...whole, ...changes }).map(({ where, kind, n, through }) => `${where}: ${kind} ${n}–${through}`)
  expect(found({})).toEqual([])
  expect(found({ kept: kept.slice(1) })).toEqual(['file: missing 1–1'])
  expect(found({ kept: kept.slice(0, 2) })).toEqual(['file: truncated 3–4'])
  expect(found({ kept: [], unreadableLines: [1] })).toEqual(['file: unreadable 1–1', 'file: truncated 1–4'])
  expect(found({ streams: [{ region: 'eu', records: kept.slice(0, 2) }] })).toEqual(['stream: not_shipped 3–4'])
  expect(found({ isAllRead: false, streams: [{ region: 'eu', records: kept.slice(0, 2) }] })).toEqual([])
  // The stream was removed: the mark knows.
  expect(found({ streams: [] })).toEqual(['stream: not_shipped 1–4'])
  expect(found({ streams: [], isAllRead: false, kept: [] })).toEqual(['file: truncated 1–4'])
})

test('names a command that a node answered and has no record of', () => {
  const kept = nodeRecords([{ nonce: NONCE }])
  const sent = journal([
    { phase: 'outcome', nonce: NONCE, code: 'OK', timestamp: 2000 },
    { phase: 'outcome', nonce: OTHER, code: 'OK', timestamp: 2000 },
    { phase: 'outcome', nonce: OTHER, code: 'NODE_UNREACHABLE', timestamp: 2000 },
  ])
  expect(unrecorded({ title: 's1/n1', kept }, sent)).toMatchObject([{ kind: 'unrecorded', n: 2 }])
  expect(unrecorded({ title: 's1/n1', kept: null }, sent)).toEqual([])
  const evicted = kept.map((record) => ({ ...record, timestamp: 3000, chain: { ...record.chain, n: 7 } }))
  expect(unrecorded({ title: 's1/n1', kept: evicted }, sent)).toEqual([])
})

test('what a console does over SSH or in a pod is told by its own journal, with what became known at the end', () => {
  const about = { verb: 'shell', why: 'line 4 is slow' }
  const sent = journal([
    { ...about, args: { how: 'ssh', where: 'mia@press-4:22' } },
    { ...about, args: { how: 'ssh', where: 'mia@press-5:22' } },
    { phase: 'outcome', verb: 'shell', of: 1, code: 'OK', duration_ms: 61_000, args: { exit: 3 } },
  ])
  expect(eventsOf([], own(sent))).toMatchObject([
    { verb: 'shell', result: 'OK', durationMs: 61_000, args: { how: 'ssh', where: 'mia@press-4:22', exit: 3 } },
    { verb: 'shell', result: 'NO_OUTCOME', why: 'line 4 is slow', args: { where: 'mia@press-5:22' } },
  ])
})
