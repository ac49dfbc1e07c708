import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type PacedClass, type TurnRequest, UplinkPacer } from '../../../edge-daemon/upstream/uplink-pacer.ts'

/** 64 kbit/s. */
const CAP = 8000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

interface Sent {
  readonly class: PacedClass
  readonly bytes: number
  readonly atMs: number
}

/** A cap, and a wire that carries at once what gets its turn. */
function capped(capBytesPerSec: number | null = CAP): {
  pacer: UplinkPacer
  sent: Sent[]
  left: { bytes: number }
  send(request: TurnRequest, reallyBytes?: number): Promise<number>
  keepSending(request: TurnRequest): void
  bytesOf(pacedClass: PacedClass): number
} {
  const left = { bytes: 0 }
  const sent: Sent[] = []
  const pacer = new UplinkPacer({ capBytesPerSec, leftBytes: () => left.bytes })
  const startMs = performance.now()
  const send = async (request: TurnRequest, reallyBytes = request.bytes): Promise<number> => {
    const turn = await pacer.turn(request)
    const atMs = performance.now() - startMs
    left.bytes += reallyBytes
    sent.push({ class: request.class, bytes: reallyBytes, atMs })
    turn?.ended()
    return atMs
  }
  return {
    pacer,
    sent,
    left,
    send,
    keepSending: (request) => {
      void (async () => {
        for (;;) await send(request)
      })()
    },
    bytesOf: (pacedClass) => sent.filter((one) => one.class === pacedClass).reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

test('over any time no more than the cap leaves, a burst and one block aside', async () => {
  const wire = capped()
  for (const recordClass of ['error', 'abnormal', 'stat'] as const)
    wire.keepSending({ class: recordClass, bytes: 3000 })
  await vi.advanceTimersByTimeAsync(60_000)
  for (const from of [0, 7000, 31_000]) {
    for (const lengthMs of [5000, 20_000]) {
      const inside = wire.sent.filter(({ atMs }) => atMs >= from && atMs < from + lengthMs)
      const bytes = inside.reduce((sum, one) => sum + one.bytes, 0)
      expect(bytes).toBeLessThanOrEqual((CAP * lengthMs) / 1000 + CAP / 4 + 3000)
    }
  }
  expect(wire.left.bytes).toBeGreaterThan(CAP * 59)
})

test('an alert overtakes a backlog and waits for one block at most', async () => {
  const wire = capped()
  wire.keepSending({ class: 'stat', bytes: 8000, late: true })
  wire.keepSending({ class: 'abnormal', bytes: 8000, late: true })
  await vi.advanceTimersByTimeAsync(10_300)
  const alert = wire.send({ class: 'alert', bytes: 700 })
  await vi.advanceTimersByTimeAsync(3000)
  expect((await alert) - 10_300).toBeLessThanOrEqual(1010)
})

test('urgent classes go first, and what happens now before what catches up', async () => {
  const wire = capped()
  await wire.send({ class: 'stat', bytes: 8000 })
  const late = { bytes: 100, late: true }
  const requests: readonly TurnRequest[] = [
    { class: 'resend', bytes: 100 },
    { class: 'telemetry', bytes: 100 },
    { class: 'abnormal', ...late },
    { class: 'metric', bytes: 100 },
    { class: 'alert', ...late },
    { class: 'error', bytes: 100 },
    { class: 'stat', ...late },
    { class: 'ledger', bytes: 100 },
  ]
  for (const request of requests) void wire.send(request)
  await vi.advanceTimersByTimeAsync(3000)
  expect(wire.sent.slice(1).map((one) => one.class)).toEqual([
    'ledger',
    'alert',
    'error',
    'metric',
    'abnormal',
    'stat',
    'telemetry',
    'resend',
  ])
})

test('nothing starves: the least urgent gets its twentieth, consoles their fifth', async () => {
  const wire = capped()
  wire.keepSending({ class: 'error', bytes: 4000 })
  wire.keepSending({ class: 'metric', bytes: 2000 })
  wire.keepSending({ class: 'resend', bytes: 2000 })
  let longestMs = 0
  let toldAtMs = performance.now()
  for (let elapsedMs = 0; elapsedMs < 120_000; elapsedMs += 250) {
    await vi.advanceTimersByTimeAsync(250)
    if (!wire.pacer.mayTell()) continue
    wire.pacer.told(2400)
    wire.left.bytes += 2400
    longestMs = Math.max(longestMs, performance.now() - toldAtMs)
    toldAtMs = performance.now()
  }
  const all = CAP * 120
  expect(longestMs).toBeLessThanOrEqual(2000)
  for (const starved of ['metric', 'resend'] as const) {
    expect(wire.bytesOf(starved)).toBeGreaterThan(all * 0.04)
    expect(wire.bytesOf(starved)).toBeLessThan(all * 0.08)
  }
  expect(wire.bytesOf('error')).toBeGreaterThan(all * 0.6)
  expect(wire.left.bytes).toBeLessThan(all * 1.02 + 4000)
})

test('what the sockets tell is what counts: more is paid for, less is given back', async () => {
  const wire = capped()
  await wire.send({ class: 'stat', bytes: 4000 }, 12_000)
  const afterMore = wire.send({ class: 'stat', bytes: 8000 }, 1000)
  await vi.advanceTimersByTimeAsync(5000)
  expect(await afterMore).toBeCloseTo(1250, -2)
  const refunded = wire.send({ class: 'stat', bytes: 10 })
  await vi.advanceTimersByTimeAsync(100)
  expect(await refunded).toBeLessThanOrEqual(5000)
  wire.left.bytes += 16_000
  const behindPings = wire.send({ class: 'alert', bytes: 10 })
  await vi.advanceTimersByTimeAsync(5000)
  expect(await behindPings).toBeGreaterThan(6500)
})

test('without a cap everything goes at once; who is stopped gets no turn', async () => {
  const free = capped(null)
  await Promise.all(Array.from({ length: 50 }, () => free.send({ class: 'stat', bytes: 1e6 })))
  expect(free.pacer.mayTell()).toBe(true)
  const wire = capped()
  await wire.send({ class: 'stat', bytes: 80_000 })
  const stop = new AbortController()
  const turn = wire.pacer.turn({ class: 'stat', bytes: 1 }, stop.signal)
  stop.abort()
  expect(await turn).toBeNull()
  expect(await wire.pacer.turn({ class: 'stat', bytes: 1 }, stop.signal)).toBeNull()
})
