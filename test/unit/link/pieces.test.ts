import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { backoffMs } from '../../../src/link/backoff.ts'
import { ClockFilter } from '../../../src/link/clock-filter.ts'
import { mergeNodes, parseNodeFlag } from '../../../src/link/directory.ts'
import { InflowBound } from '../../../src/link/inflow-bound.ts'
import { RequestBook } from '../../../src/link/request-book.ts'
import { reasonOfClose, reasonOfError, reasonOfResponse } from '../../../src/link/transport-reason.ts'
import { logRecord } from '../../support/live-frames.ts'

describe('the wait between attempts', () => {
  it('doubles up to its bound and spreads over its upper half', () => {
    const backoff = { minMs: 200, maxMs: 5000 }
    expect([1, 2, 3, 4, 5, 6, 7].map((attempt) => backoffMs(backoff, attempt, 0))).toEqual([
      200, 400, 800, 1600, 3200, 5000, 5000,
    ])
    expect(backoffMs(backoff, 1, 0.999)).toBe(100)
    expect(backoffMs(backoff, Number.POSITIVE_INFINITY, 0.5)).toBe(3750)
  })
})

describe('the clock filter', () => {
  const pong = (echo: number, recvAt: number, at: number) => ({ t: 'pong', n: 1, echo, recvAt, at }) as const

  it('takes the offset of the quickest probe', () => {
    const filter = new ClockFilter()
    // The node's clock is 500 ms ahead; the way back of the first probe is 100 ms longer.
    expect(filter.take(pong(1000, 1510, 1510), 1120)).toEqual({ rttMs: 120, offsetMs: 450 })
    expect(filter.take(pong(2000, 2502, 2503), 2005)).toEqual({ rttMs: 4, offsetMs: 500 })
    expect(filter.take(pong(3000, 3600, 3600), 3200)).toEqual({ rttMs: 4, offsetMs: 500 })
  })

  it('forgets a quick probe after eight others and refuses answers that make no sense', () => {
    const filter = new ClockFilter()
    filter.take(pong(0, 1, 1), 1)
    for (let i = 1; i <= 8; i += 1) filter.take(pong(i * 100, i * 100 + 25, i * 100 + 25), i * 100 + 50)
    expect(filter.take(pong(1000, 1025, 1025), 1050)).toEqual({ rttMs: 50, offsetMs: 0 })
    expect(filter.take(pong(9000, 1, 1), 5000)).toBeNull()
    expect(filter.take(pong(4000, 10, 5), 5000)).toBeNull()
    expect(filter.take(pong(4000, 10, 5000), 5000)).toBeNull()
  })
})

describe('the bound on what a node may send', () => {
  it('lets bursts through, refuses a flood, and forgives with time', () => {
    const bound = new InflowBound({ framesPerSec: 10, bytesPerSec: 1000, burstSec: 2 }, 0)
    const taken = Array.from({ length: 30 }, () => bound.take(10, 0))
    expect(taken.filter(Boolean)).toHaveLength(20)
    expect(bound.take(10, 5000)).toBe(true)
    expect(bound.take(5000, 6000)).toBe(false)
  })
})

describe('requests', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('collect the rows of a read up to its end, and tell what was missed', async () => {
    const book = new RequestBook()
    let id = ''
    const outcome = book.read({ topic: 'logs', limit: 2 }, 1000, (given) => {
      id = given
    })
    expect(book.take({ t: 'rows', id, topic: 'logs', rows: [logRecord(1, 1, 'a')] })).toBe(true)
    expect(book.take({ t: 'rows', id, topic: 'alerts', rows: [] })).toBe(false)
    book.take({ t: 'gap', id, topic: 'logs', missed: 4, reason: 'too_large', fromMs: 1, toMs: 2 })
    book.take({ t: 'rows', id, topic: 'logs', rows: [logRecord(2, 2, 'b'), logRecord(3, 3, 'over the limit')] })
    book.take({ t: 'end', id, truncated: true })
    expect(await outcome).toMatchObject({ ok: true, truncated: true, missed: 4, rows: [{ msg: 'a' }, { msg: 'b' }] })
    expect(book.take({ t: 'end', id, truncated: true })).toBe(false)
  })

  it('wait for the rows of a read for as long as some come, however slow the link is', async () => {
    const book = new RequestBook()
    let id = ''
    const outcome = book.read({ topic: 'logs', limit: 9 }, 1000, (given) => {
      id = given
    })
    for (let seq = 1; seq <= 5; seq += 1) {
      vi.advanceTimersByTime(900)
      book.take({ t: 'rows', id, topic: 'logs', rows: [logRecord(seq, seq, 'a')] })
    }
    book.take({ t: 'end', id, truncated: false })
    expect(await outcome).toMatchObject({ ok: true, rows: { length: 5 } })
  })

  it('fail once when refused, when late and when the session ends', async () => {
    const book = new RequestBook()
    let id = ''
    const refused = book.command(1000, (given) => {
      id = given
    })
    book.take({ t: 'error', id, code: 'COMMAND_REFUSED', msg: 'no', next: ['ask nicely'] })
    book.take({ t: 'done', id, result: {} })
    expect(await refused).toEqual({ ok: false, code: 'COMMAND_REFUSED', message: 'no', next: ['ask nicely'] })
    const late = book.command(1000, () => undefined)
    vi.advanceTimersByTime(1001)
    expect(await late).toMatchObject({ ok: false, code: 'NODE_UNREACHABLE', message: 'no answer within 1000 ms' })
    const cut = book.read({ topic: 'results', limit: 5 }, 1000, () => undefined)
    book.abandon('the connection was lost')
    expect(await cut).toMatchObject({ ok: false, message: 'the connection was lost' })
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('the list of nodes', () => {
  it('reads NAME=ws://… with the path of the live feed when none is given', () => {
    expect(parseNodeFlag('press 4=ws://10.0.0.4:5443')).toEqual({ key: 'press 4', url: 'ws://10.0.0.4:5443/live' })
    expect(parseNodeFlag('东=wss://edge.example/a/live?x=1')).toEqual({
      key: '东',
      url: 'wss://edge.example/a/live?x=1',
    })
  })

  it('says what to write instead', () => {
    for (const flag of ['ws://host', '=ws://host', 'a=', 'a=http://host', 'a=host:5443', ' =ws://h']) {
      expect(() => parseNodeFlag(flag), flag).toThrow(EdgeError)
    }
    expect(() => parseNodeFlag('a=http://h')).toThrow(/expected an address such as "wss:/)
  })

  it('has the command line win over the file and refuses a name given twice', () => {
    const flags = [{ key: 'a', url: 'ws://flag/live' }]
    const file = [
      { key: 'a', url: 'ws://file/live' },
      { key: 'b', url: 'ws://file/live' },
    ]
    expect(mergeNodes(flags, file)).toEqual([flags[0], file[1]])
    expect(() => mergeNodes([...flags, ...flags], [])).toThrow(/given twice/)
  })
})

describe('reasons', () => {
  it('say what an operator can act on', () => {
    const coded = (code: string) => Object.assign(new Error('raw'), { code })
    expect(reasonOfError(coded('ECONNREFUSED'))).toBe('connection refused: nothing listens there')
    expect(reasonOfError(new AggregateError([coded('ECONNREFUSED')]))).toContain('refused')
    expect(reasonOfError(new Error('Opening handshake has timed out'))).toContain('did not answer')
    expect(reasonOfError(new Error('Server sent no subprotocol'))).toContain('does not speak edgedeck')
    expect(reasonOfResponse(404)).toContain('/live')
    expect(reasonOfClose(1008, 'too many frames')).toBe('closed by the node: too many frames')
    expect(reasonOfClose(1006, '')).toBe('the connection was lost')
  })
})
