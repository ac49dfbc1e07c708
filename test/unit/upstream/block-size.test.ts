import { expect, test } from 'vitest'
import { type BlockSizeInput, blockBytesFor, LinkRate } from '../../../edge-daemon/upstream/block-size.ts'

const MAX = 256 * 1024
const INPUT: BlockSizeInput = {
  linkBytesPerSec: null,
  capBytesPerSec: null,
  lanes: 1,
  wirePerPlain: 0.25,
  receiverBytes: null,
  maxBytes: MAX,
}

/** Send blocks over a link of this rate and round trip, each as large as the last ones advise; their times on the wire. */
function wireTimes(bytesPerSec: number, rttMs: number, blocks = 12): number[] {
  const rate = new LinkRate()
  rate.roundTrip(rttMs)
  return Array.from({ length: blocks }, () => {
    const plain = blockBytesFor({ ...INPUT, linkBytesPerSec: rate.bytesPerSec })
    const wireBytes = plain * 0.25 + 500
    const wireMs = (wireBytes * 1000) / bytesPerSec
    rate.acknowledged({ wireBytes, tookMs: wireMs + rttMs })
    return wireMs
  })
}

test.each([
  ['64 kbit/s', 8000, 50],
  ['64 kbit/s with a round trip of 3 s', 8000, 3000],
  ['256 kbit/s', 32_000, 300],
])('a block takes about a second at %s, also the first', (_, bytesPerSec, rttMs) => {
  const times = wireTimes(bytesPerSec, rttMs)
  expect(Math.max(...times)).toBeLessThan(1300)
  expect(times.at(-1)).toBeGreaterThan(700)
})

test('a fast link gets the largest blocks after one small one', () => {
  const rate = new LinkRate()
  rate.roundTrip(2)
  expect(blockBytesFor({ ...INPUT, linkBytesPerSec: rate.bytesPerSec })).toBe(16 * 1024)
  rate.acknowledged({ wireBytes: 4600, tookMs: 4 })
  expect(blockBytesFor({ ...INPUT, linkBytesPerSec: rate.bytesPerSec })).toBe(MAX)
})

test('small acknowledgements that only waited for the disk of the receiver say how fast the link is at least', () => {
  const rate = new LinkRate()
  rate.acknowledged({ wireBytes: 2600, tookMs: 20 })
  expect(blockBytesFor({ ...INPUT, linkBytesPerSec: rate.bytesPerSec, wirePerPlain: 0.16 })).toBe(MAX)
  rate.acknowledged({ wireBytes: 700, tookMs: 30 })
  expect(rate.bytesPerSec).toBe(130_000)
  rate.acknowledged({ wireBytes: 700, tookMs: 900 })
  expect(rate.bytesPerSec).toBeLessThan(90_000)
})

test('a link that became slow is found out by the block that did not arrive in time', () => {
  const rate = new LinkRate()
  rate.acknowledged({ wireBytes: 60_000, tookMs: 50 })
  rate.timedOut({ wireBytes: 60_000, tookMs: 5000 })
  expect(rate.bytesPerSec).toBe(12_000)
  rate.timedOut({ wireBytes: 12_000, tookMs: 5000 })
  expect(rate.bytesPerSec).toBe(2400)
})

test('the round trip that is taken off is the shortest of late, never more than nine tenths of what a block took', () => {
  const rate = new LinkRate()
  rate.roundTrip(20)
  rate.roundTrip(900)
  rate.acknowledged({ wireBytes: 8000, tookMs: 1020 })
  expect(rate.bytesPerSec).toBeCloseTo(8000, -2)
  const wrong = new LinkRate()
  wrong.roundTrip(5000)
  wrong.acknowledged({ wireBytes: 8000, tookMs: 1000 })
  expect(wrong.bytesPerSec).toBe(80_000)
})

test('lanes that send at once share the second; the cap and the limits of the receiver bound it', () => {
  const slow = { ...INPUT, linkBytesPerSec: 16_000 }
  expect(blockBytesFor(slow)).toBe(64_000)
  expect(blockBytesFor({ ...slow, lanes: 4 })).toBe(16_000)
  expect(blockBytesFor({ ...slow, capBytesPerSec: 8000 })).toBe(32_000)
  expect(blockBytesFor({ ...INPUT, linkBytesPerSec: 1e9, receiverBytes: 20_000 })).toBe(64_000)
  expect(blockBytesFor({ ...INPUT, linkBytesPerSec: 1e9, receiverBytes: 20_000, wirePerPlain: 1.1 })).toBe(16_000)
  expect(blockBytesFor({ ...INPUT, linkBytesPerSec: 100 })).toBe(2048)
  expect(blockBytesFor({ ...INPUT, linkBytesPerSec: 100, maxBytes: 1024 })).toBe(1024)
})
