import { expect, test } from 'vitest'
import { type Finding, FindingsOf, verdictOf } from '../../../src/doctor/finding.ts'
import { judgeNode, type NodeFacts } from '../../../src/doctor/judge-node.ts'
import type { NodeDetail } from '../../../src/fleet/view.ts'

const NOW = 1_793_000_000_000
const STORE = {
  state: 'ok',
  records: 40,
  error: null,
  durability: 'sync',
  encryption: null,
  reserve: 'kept',
  notStored: 0,
}
const TARGET = { name: 'nats', state: 'up', backlogRecords: 0, oldestAt: null, drainSec: null, error: null }

/** What is found of a node that is well but for these. */
function found(wrong: {
  readonly node?: object
  readonly store?: object
  readonly target?: object
  readonly stages?: readonly object[]
  readonly link?: object
  readonly facts?: Partial<NodeFacts>
}): readonly Finding[] {
  const node = { site: 'plant', rttMs: 3, p99Ms: 8, diskPct: 20, conditions: [], reason: null, ...wrong.node }
  const link = { route: 'direct', certified: true, insecure: false, clockOffsetMs: 4, lastReason: null, ...wrong.link }
  const status = { store: { ...STORE, ...wrong.store }, uplink: { targets: [{ ...TARGET, ...wrong.target }] } }
  const detail = { node, link, status, identity: {}, stages: wrong.stages ?? [] } as unknown as NodeDetail
  const say = new FindingsOf('node', 'n1')
  const facts = {
    detail,
    heartbeat: null,
    hasBus: false,
    hasAddress: true,
    rights: null,
    denyVersion: null,
    nowMs: NOW,
  }
  judgeNode({ ...facts, ...wrong.facts }, say)
  return say.all
}

test('has nothing against a node that is well', () => {
  expect(found({}).map(({ state }) => state)).toEqual(found({}).map(() => 'ok'))
})

test.each([
  [
    'a full disk',
    { store: { state: 'failing', error: 'ENOSPC' } },
    'autonomy',
    'fault',
    /its disk refuses results: ENOSPC/,
  ],
  ['a spent reserve', { store: { reserve: 'spent' } }, 'autonomy', 'warning', /reserve for evicting is used up/],
  ['no uplink', { target: { state: 'down', error: 'refused' } }, 'uplink.nats', 'fault', /no uplink to nats: refused/],
  [
    'an old backlog',
    { target: { backlogRecords: 9, oldestAt: NOW - 7_200_000 } },
    'uplink.nats',
    'warning',
    /9 records wait for nats, the oldest for 2 h; it does not shrink/,
  ],
  [
    'a slow stage',
    {
      node: { p99Ms: 90 },
      stages: [
        { stage: 'run', p99Ms: 80 },
        { stage: 'decode', p99Ms: 5 },
        { stage: 'total', p99Ms: 90 },
      ],
    },
    'latency',
    'fault',
    /90\.0 ms, over 50 ms; most of it in run \(p99 80\.0 ms\)/,
  ],
  ['a clock that is off', { link: { clockOffsetMs: -600_000 } }, 'clock', 'fault', /its clock is 10 min behind/],
  [
    'an exporter that is down',
    { node: { conditions: [{ code: 'node_exporter_unreachable', severity: 'warning', msg: 'ECONNREFUSED' }] } },
    'node_exporter_unreachable',
    'warning',
    /ECONNREFUSED/,
  ],
  [
    'an old deny list',
    { facts: { denyVersion: 5, heartbeat: { v: 1, at: NOW, up: 1, every: 10_000, deny: 3 } } },
    'deny',
    'warning',
    /it holds version 3 of the deny list, the controller 5/,
  ],
] as const)('names %s, and what to do', (_what, wrong, check, state, text) => {
  const finding = found(wrong as Parameters<typeof found>[0]).find((one) => one.state !== 'ok')
  expect(finding).toMatchObject({ check, state, found: expect.stringMatching(text) })
  expect(finding?.cure).toMatch(/\w/)
  expect(verdictOf(found(wrong as Parameters<typeof found>[0]))).toBe(state === 'fault' ? 'faulty' : 'fine')
})
