import { expect, test } from 'vitest'
import { cleanStatus } from '../../../src/fleet/clean.ts'
import { factLines } from '../../../src/ui/panes/facts.ts'
import { outboxGroups } from '../../../src/ui/panes/outbox-facts.ts'
import { keptFacts, storeFacts } from '../../../src/ui/panes/store-facts.ts'
import { PLAIN_THEME } from '../../../src/ui/theme.ts'
import { latencyOf, statusFrame, wire } from '../../support/live-frames.ts'

const AT = 1_793_000_000_000
const LOOK = { theme: PLAIN_THEME, ascii: false }
const TARGET = {
  name: 'eu-1',
  kind: 'nats',
  state: 'up',
  since: AT - 60_000,
  backlogRecords: 4000,
  backlogBytes: 90_000,
  oldestAt: AT - 120_000,
  ackedSeq: 20,
  rttMs: 12,
  error: null,
} as const

type Frame = ReturnType<typeof statusFrame>

function statusWith(store: Partial<Frame['store']>, target: Partial<Frame['uplink']['targets'][number]> = {}) {
  const frame = statusFrame({ at: AT, targets: [{ ...TARGET, ...target }] })
  return cleanStatus({ ...frame, store: { ...frame.store, ...store } })
}

function shown(groups: Parameters<typeof factLines>[0]): string {
  return factLines(groups, LOOK, 40)
    .map((line) =>
      line
        .map((span) => span.text)
        .join('')
        .trimEnd(),
    )
    .join('\n')
}

test('a class that the target does not hold yet stands out with its three levels', () => {
  const levels = { alert: { committed: 30, held: 30, synced: 10 }, abnormal: { committed: 52, held: 20, synced: 0 } }
  const [group] = outboxGroups(statusWith({}, { levels, drainSec: 245, transfer: wire(latencyOf([10, 20, 400])) }))
  const facts = Object.fromEntries(group?.facts.map(({ label, value, token }) => [label, [value.trim(), token]]) ?? [])
  expect(facts.alert?.[0]).toMatch(/^30 +30 +10$/)
  expect(facts.abnormal).toEqual([expect.stringMatching(/^52 +20 +0$/), 'warning'])
  expect(facts.drained?.[0]).toBe('in 4m 5s at this rate')
  expect(facts['till held']?.[0]).toMatch(/^p50 \d+(\.\d)? ms, p99 400 ms$/)
})

test('a backlog that does not move is not given a time', () => {
  expect(shown(outboxGroups(statusWith({}, { drainSec: null })))).toContain('not moving')
})

test('a receiver that does not compare is said to get things at least once', () => {
  expect(shown(outboxGroups(statusWith({}, { guarantee: 'at_least_once' })))).toContain('at least once')
  expect(shown(outboxGroups(statusWith({}, { guarantee: 'exactly_once' })))).not.toContain('once')
})

test('a store that answers before the sync, or in the clear, says so', () => {
  const text = shown([{ title: 'Store', facts: storeFacts(statusWith({ durability: 'async', encryption: null })) }])
  expect(text).toMatch(/answers +BEFORE the disk has it/)
  expect(text).toMatch(/encryption +OFF/)
})

test('a store of an older daemon says nothing of what it does not know', () => {
  const text = shown([{ title: 'Store', facts: storeFacts(statusWith({})) }])
  expect(text).not.toMatch(/answers|encryption|reserve|not kept/)
  expect(keptFacts(statusWith({}))).toEqual([])
})

test('what is kept by class shows how far it reaches back and what went', () => {
  const kept = { records: 120, bytes: 48_000, oldestAt: AT - 86_400_000, maxBytes: null, maxAgeMs: null, evicted: 7 }
  const none = { ...kept, records: 0, evicted: 0, oldestAt: null }
  const text = shown(keptFacts(statusWith({ byClass: { normal: kept, input: none } })))
  expect(text).toMatch(/normal +120 +48\.0 KB +1d 0h\n +7 evicted/)
  expect(text).not.toContain('input')
})

test('says which key seals and how many there are, what waits for a key, and what its key is lost of', () => {
  const encryption = { keyId: 2, keys: 1, missingKeys: 3, lostKeys: 408 }
  const text = shown([{ title: 'Store', facts: storeFacts(statusWith({ encryption })) }])
  expect(text).toMatch(/encryption +AES-256, key 2; keys: 1$/m)
  expect(text).toMatch(/no key for +3 blocks/)
  expect(text).toMatch(/key lost +408 blocks passed over/)
})
