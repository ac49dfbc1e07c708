import { expect, test } from 'vitest'
import { SendWindow } from '../../../edge-daemon/live/send-window.ts'

interface Link {
  readonly kbitPerSec: number
  readonly roundTripMs: number
}

/**
 * A reader behind a link in virtual time, to whom a page is sent as fast as the window lets: longest that something
 * would have waited behind it after the first seconds, and what came a second.
 */
function page(link: Link, { forMs = 30_000, window = new SendWindow(), fromMs = 0 } = {}) {
  const perMs = link.kbitPerSec / 8
  const marks: { n: number; backAtMs: number }[] = []
  let freeAtMs = fromMs
  let worstMs = 0
  let sentBytes = 0
  const send = (bytes: number, nowMs: number): void => {
    freeAtMs = Math.max(freeAtMs, nowMs) + bytes / perMs
    sentBytes += bytes
    if (window.sent(bytes, nowMs)) marks.push({ n: window.mark(nowMs), backAtMs: freeAtMs + link.roundTripMs })
  }
  send(300, fromMs)
  marks.push({ n: window.mark(fromMs), backAtMs: freeAtMs + link.roundTripMs })
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += 1) {
    while ((marks[0]?.backAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) window.came(marks.shift()?.n ?? 0, nowMs)
    if (nowMs - fromMs > 3000) worstMs = Math.max(worstMs, freeAtMs - nowMs)
    if ((nowMs - fromMs) % 1000 === 500) send(2000, nowMs)
    while (nowMs - fromMs > 1000 && window.underWayBytes < window.sizeBytes) send(window.pieceBytes, nowMs)
  }
  for (const { n, backAtMs } of marks) window.came(n, backAtMs)
  return { worstMs, kbitPerSec: (sentBytes * 8) / forMs, window }
}

test.each([
  { kbitPerSec: 64, roundTripMs: 2 },
  { kbitPerSec: 64, roundTripMs: 200 },
  { kbitPerSec: 64, roundTripMs: 1500 },
  { kbitPerSec: 256, roundTripMs: 600 },
  { kbitPerSec: 2000, roundTripMs: 100 },
])('at $kbitPerSec kbit/s and $roundTripMs ms nothing waits long behind a page, which has most of the link', (link) => {
  const { worstMs, kbitPerSec } = page(link)
  expect(worstMs).toBeLessThan(2000)
  expect(kbitPerSec).toBeGreaterThan(link.kbitPerSec * (link.roundTripMs > 1000 ? 0.4 : 0.8))
})

test('on a fast link as much is under way as ever is asked for at once', () => {
  const { kbitPerSec, window } = page({ kbitPerSec: 100_000, roundTripMs: 5 }, { forMs: 4000 })
  expect(window.sizeBytes).toBeGreaterThan(256 * 1024)
  expect(kbitPerSec).toBeGreaterThan(50_000)
})

test('a link that has become thin is noticed within a few seconds', () => {
  const { window } = page({ kbitPerSec: 100_000, roundTripMs: 5 }, { forMs: 4000 })
  for (let n = 0; n < 4; n += 1) {
    const sentAtMs = 10_000 + n * 1000
    expect(window.sent(2500, sentAtMs)).toBe(true)
    window.came(window.mark(sentAtMs), sentAtMs + 5 + 2500 / 8)
  }
  expect(window.sizeBytes).toBeLessThan(8 * 1024)
})

test('a mark that was never sent counts for nothing', () => {
  const window = new SendWindow()
  window.sent(100, 0)
  expect(window.came(7, 1)).toBe(false)
  expect(window.underWayBytes).toBe(100)
  const n = window.mark(1)
  expect(window.came(n, 2)).toBe(true)
  expect(window.came(n, 3)).toBe(false)
  expect(window.underWayBytes).toBe(0)
})
