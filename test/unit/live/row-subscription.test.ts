import { expect, test } from 'vitest'
import { FREE_PACE, LIVE_LIMITS } from '../../../edge-daemon/live/contract.ts'
import { MatchQuota } from '../../../edge-daemon/live/match-quota.ts'
import { SharedRow } from '../../../edge-daemon/live/row-filter.ts'
import { RowSubscription } from '../../../edge-daemon/live/row-subscription.ts'
import { decodeDaemonFrame, type GapFrame, MAX_FRAME_BYTES } from '../../../protocol/frames.ts'
import { logBody } from '../../support/live-node.ts'

const quota = new MatchQuota(() => 0)

/** A generator that gives the same numbers at every run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function row(seq: number, padding = 0): SharedRow {
  const body = { seq, node_id: 'n1', timestamp: seq, ...logBody('x'.repeat(padding)) }
  return new SharedRow({ seq, timestamp: seq, line: JSON.stringify(body) })
}

test.each(Array.from({ length: 12 }, (_, seed) => [seed]))(
  'never loses count, credit or order, whatever the reader does (seed %i)',
  (seed) => {
    const random = numbers(seed)
    let slow = false
    let isShort = false
    let granted = 3
    const sent: string[] = []
    const pace = { rowsFrameBytes: 4096, heldBytes: 20_000, mayTell: () => !isShort }
    const outlet = {
      slow: () => slow,
      pace: seed % 2 === 0 ? FREE_PACE : pace,
      quota,
      send: (frame: string) => sent.push(frame),
    }
    const options = { id: 'l', topic: 'logs', wish: {}, credits: granted, backfilling: false } as const
    const subscription = new RowSubscription(options, outlet)
    let published = 0
    for (let step = 0; step < 3000; step += 1) {
      const choice = random()
      if (choice < 0.8) {
        published += 1
        const huge = random() < 0.002
        subscription.push(row(published, huge ? MAX_FRAME_BYTES : Math.floor(random() ** 8 * 50_000)))
      } else if (choice < 0.84) {
        const n = 1 + Math.floor(random() * 3)
        granted += n
        subscription.credit(n)
      } else if (choice < 0.95) {
        subscription.flush()
      } else {
        slow = random() < 0.4
        isShort = random() < 0.5
      }
      expect(sent.length).toBeLessThanOrEqual(granted)
    }
    slow = false
    isShort = false
    subscription.credit(100)
    const seen: number[] = []
    let missed = 0
    for (const frame of sent) {
      expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(MAX_FRAME_BYTES)
      const decoded = decodeDaemonFrame(frame)
      if (!decoded.ok) throw new Error(decoded.msg)
      if (decoded.frame.t === 'rows') seen.push(...decoded.frame.rows.map(({ seq }) => seq))
      if (decoded.frame.t === 'gap') missed += decoded.frame.missed
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.length + missed).toBe(published)
    expect(missed).toBeGreaterThan(0)
    expect(seen.length).toBeGreaterThan(0)
  },
)

test('tells a gap before any newer row, with the time it spans', () => {
  const sent: string[] = []
  const options = { id: 'l', topic: 'logs', wish: {}, credits: 0, backfilling: false } as const
  const subscription = new RowSubscription(options, {
    slow: () => false,
    pace: FREE_PACE,
    quota,
    send: (frame) => sent.push(frame),
  })
  for (let seq = 1; seq <= 5; seq += 1) subscription.push(row(seq))
  subscription.credit(1)
  subscription.push(row(6))
  subscription.credit(2)
  subscription.push(row(7))
  subscription.flush()
  const gaps = sent.map((frame) => JSON.parse(frame) as GapFrame)
  expect(gaps.map(({ t }) => t)).toEqual(['gap', 'gap', 'rows'])
  expect(gaps[0]).toMatchObject({ missed: 5, fromMs: 1, toMs: 5 })
  expect(gaps[1]).toMatchObject({ missed: 1, fromMs: 6, toMs: 6 })
})

test('caps credits, so that none can overflow', () => {
  let frames = 0
  const outlet = { slow: () => false, pace: FREE_PACE, quota, send: () => (frames += 1) }
  const options = { id: 'l', topic: 'logs', wish: {}, credits: 10_000, backfilling: false } as const
  const subscription = new RowSubscription(options, outlet)
  for (let i = 0; i < 1000; i += 1) subscription.credit(10_000)
  for (let seq = 1; seq <= LIVE_LIMITS.credits + 500; seq += 1) {
    subscription.push(row(seq))
    subscription.flush()
  }
  expect(frames).toBe(LIVE_LIMITS.credits)
})
