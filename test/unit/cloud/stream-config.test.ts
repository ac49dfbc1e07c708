import { expect, test } from 'vitest'
import { auditConfiguration, streamConfiguration } from '../../../protocol/stream-config.ts'
import { planStream } from '../../../src/cloud/stream-config.ts'

/** As a server gives back what it was told, with settings of its own. */
function onServer(changes: object = {}) {
  return {
    ...streamConfiguration(),
    max_consumers: -1,
    metadata: { edge_encodings: 'gzip,zstd', '_nats.ver': '2.15.2' },
    ...changes,
  }
}

test('makes the stream where there is none', () => {
  expect(planStream(null, { sites: ['a'] })).toEqual({
    action: 'create',
    changes: [],
    config: streamConfiguration({ sites: ['a'] }),
    warnings: [],
  })
})

test('leaves alone what is as it should be, and what nobody asked to change', () => {
  expect(planStream(onServer(), {}).action).toBe('nothing')
  expect(planStream(onServer({ max_bytes: 5, max_age: 7, num_replicas: 3 }), {}).action).toBe('nothing')
})

test('changes what delivery needs and what was asked for, and nothing else', () => {
  const had = onServer({
    discard: 'old',
    allow_atomic: false,
    allow_msg_ttl: undefined,
    max_bytes: 5,
    compression: 's2',
  })
  const plan = planStream(had, { maxBytes: 9 })
  expect(plan.action).toBe('update')
  expect(plan.changes).toEqual([
    { setting: 'discard', from: 'old', to: 'new', refused: null },
    { setting: 'max_bytes', from: 5, to: 9, refused: null },
    { setting: 'allow_atomic', from: false, to: true, refused: null },
    { setting: 'allow_msg_ttl', from: null, to: true, refused: null },
  ])
  expect(plan.config).toMatchObject({ compression: 's2', max_consumers: -1, discard: 'new', max_bytes: 9 })
})

test('refuses what cannot be changed on a stream that is there', () => {
  const plan = planStream(onServer({ storage: 'memory' }), {})
  expect(plan.action).toBe('refuse')
  expect(plan.changes).toMatchObject([
    { setting: 'storage', refused: expect.stringContaining('when a stream is made') },
  ])
})

test('keeps subjects of others, and gives up those that would answer requests to nodes', () => {
  const ours = streamConfiguration().subjects
  expect(planStream(onServer({ subjects: [...ours, 'orders.>'] }), {}).action).toBe('nothing')
  expect(planStream(onServer({ subjects: ['edge.>'] }), {}).changes).toMatchObject([
    { setting: 'subjects', from: ['edge.>'], to: ours },
  ])
  expect(planStream(onServer({ subjects: ['edge.*.*.rpc', 'orders.>'] }), {}).config.subjects).toEqual([
    ...ours,
    'orders.>',
  ])
  expect(planStream(onServer({ subjects: ['edge.a.*.results'] }), {}).config.subjects).toEqual(ours)
})

test('adds a site to those that are there', () => {
  const { config } = planStream(onServer({ subjects: streamConfiguration({ sites: ['a'] }).subjects }), {
    sites: ['b'],
  })
  expect(config.subjects).toEqual([
    ...streamConfiguration({ sites: ['b'] }).subjects,
    ...streamConfiguration({ sites: ['a'] }).subjects,
  ])
})

test('leaves out what an older server does not know, and says what that means', () => {
  const plan = planStream(null, {}, '2.10.4')
  expect(plan.config).not.toHaveProperty('allow_atomic')
  expect(plan.config).not.toHaveProperty('allow_msg_ttl')
  expect(plan.config).toHaveProperty('allow_direct', true)
  expect(plan.warnings).toEqual([expect.stringContaining('2.10.4')])
  expect(planStream(null, {}, '2.11.0').config).toHaveProperty('allow_msg_ttl')
})

test('lets no stream of blocks hold what only the audit may, and plans the audit append-only', () => {
  const plan = planStream(onServer({ subjects: ['edge.*.*.*', 'audit.>', 'orders.>'] }), {})
  expect(plan.config.subjects).toEqual([...streamConfiguration().subjects, 'orders.>'])
  const made = planStream(null, { sites: ['plant a'] }, '2.10.0', 'audit')
  expect(made).toMatchObject({ action: 'create', warnings: [] })
  expect(made.config).toMatchObject({
    name: 'AUDIT',
    subjects: ['edge.plant=20a.*.audit', 'audit.operator.*'],
    deny_delete: true,
    deny_purge: true,
    allow_msg_ttl: false,
    allow_rollup_hdrs: false,
    discard: 'new',
    max_age: 0,
  })
  const had = { ...auditConfiguration(), deny_delete: false, allow_rollup_hdrs: true }
  expect(planStream(had, {}, null, 'audit').changes.map(({ setting }) => setting)).toEqual([
    'allow_rollup_hdrs',
    'deny_delete',
  ])
})
