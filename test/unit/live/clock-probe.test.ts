import { expect, test } from 'vitest'
import { ClockProbe } from '../../../edge-daemon/live/clock-probe.ts'
import { FrameRate } from '../../../edge-daemon/live/frame-rate.ts'
import { isLoopback } from '../../../settings/loopback.ts'

/** A link with its own delays each way, to a peer whose clock is `offsetMs` ahead. */
class Link {
  nowMs = 1_000_000
  readonly probe = new ClockProbe({ wallMs: () => this.nowMs, monotonicMs: () => this.nowMs })

  exchange(thereMs: number, backMs: number, offsetMs: number, workMs = 3): void {
    const ping = this.probe.ping()
    this.nowMs += thereMs
    const recvAt = this.nowMs + offsetMs
    this.nowMs += workMs
    const at = this.nowMs + offsetMs
    this.nowMs += backMs
    this.probe.pong({ t: 'pong', n: ping.n, echo: ping.at, recvAt, at })
  }
}

test('finds round trip and offset without the time the peer took to answer', () => {
  const link = new Link()
  expect(link.probe.reading()).toEqual({ rttMs: null, clockOffsetMs: null })
  link.exchange(20, 20, 5000, 400)
  expect(link.probe.reading()).toEqual({ rttMs: 40, clockOffsetMs: 5000 })
})

test('trusts the shortest round trip, and forgets it after eight more', () => {
  const link = new Link()
  link.exchange(5, 5, -70)
  for (let i = 0; i < 7; i += 1) link.exchange(300, 20, -70)
  expect(link.probe.reading()).toEqual({ rttMs: 10, clockOffsetMs: -70 })
  link.exchange(300, 20, -70)
  expect(link.probe.reading()).toEqual({ rttMs: 320, clockOffsetMs: 70 })
})

test('counts no answer that was not asked for, twice, or with a wrong echo', () => {
  const { probe } = new Link()
  const first = probe.ping()
  const answer = { t: 'pong', n: first.n, echo: first.at, recvAt: first.at, at: first.at } as const
  expect(probe.pong({ ...answer, n: 99 })).toBe(false)
  expect(probe.pong({ ...answer, echo: 5 })).toBe(false)
  expect(probe.pong(answer)).toBe(true)
  expect(probe.pong(answer)).toBe(false)
  const lost = probe.ping()
  for (let i = 0; i < 4; i += 1) probe.ping()
  expect(probe.pong({ ...answer, n: lost.n, echo: lost.at })).toBe(false)
})

test('a peer may send a burst of a second and then its rate', () => {
  const rate = new FrameRate(100, 0)
  const taken = (nowMs: number): number => {
    let count = 0
    while (rate.take(nowMs)) count += 1
    return count
  }
  expect(taken(0)).toBe(100)
  expect(taken(500)).toBe(50)
  expect(taken(60_000)).toBe(100)
})

test('knows which addresses are this machine alone', () => {
  for (const host of ['localhost', '127.0.0.1', '127.8.9.1', '::1', '0:0:0:0:0:0:0:1', 'LOCALHOST']) {
    expect([host, isLoopback(host)]).toEqual([host, true])
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '127.0.0.1.evil.example',
    '128.0.0.1',
    '::11',
    'fe80::1',
    '',
    '1::1',
  ]) {
    expect([host, isLoopback(host)]).toEqual([host, false])
  }
})
