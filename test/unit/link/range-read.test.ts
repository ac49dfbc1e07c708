import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LogRecord } from '../../../protocol/records.ts'
import { InflowBound } from '../../../src/link/inflow-bound.ts'
import type { RangeOutcome } from '../../../src/link/link.ts'
import { RequestBook } from '../../../src/link/request-book.ts'
import { logRecord } from '../../support/live-frames.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A range of logs in a book, whose sink takes rows when the test says so. */
class Range {
  readonly book = new RequestBook()
  readonly abort = new AbortController()
  readonly taken: number[] = []
  readonly told: string[] = []
  granted = 0
  pauseMs = 0
  id = ''
  #take: (() => void)[] = []
  readonly outcome: Promise<RangeOutcome>

  constructor() {
    const wanted = { topic: 'logs', silenceMs: 1000, signal: this.abort.signal } as const
    this.outcome = this.book.range(
      { ...wanted, tell: (id) => this.told.push(id) },
      {
        rows: (rows) => {
          this.taken.push(...(rows as LogRecord[]).map((row) => row.seq))
          return new Promise<void>((resolve) => this.#take.push(resolve))
        },
        progress: () => undefined,
        gap: () => undefined,
        grant: () => {
          this.granted += 1
        },
        pauseMs: () => this.pauseMs,
      },
      (id) => {
        this.id = id
      },
    )
  }

  async send(seq: number): Promise<void> {
    this.book.take({ t: 'rows', id: this.id, topic: 'logs', rows: [logRecord(seq, seq, 'x')] })
    await vi.advanceTimersByTimeAsync(0)
  }

  /** Let the sink be done with what it has. */
  async take(): Promise<void> {
    this.#take.shift()?.()
    await vi.advanceTimersByTimeAsync(0)
  }
}

describe('a range', () => {
  it('fails when a node heeds no credits, and holds nothing of what comes behind', async () => {
    const range = new Range()
    for (let seq = 1; seq <= 200; seq += 1) await range.send(seq)
    expect(await range.outcome).toMatchObject({ ok: false, code: 'FRAME_RATE' })
    expect(range.taken).toEqual([1])
    expect(range.told).toEqual([range.id])
  })

  it('hands on one frame after the other, and pays for each only when it was taken', async () => {
    const range = new Range()
    await range.send(1)
    await range.send(2)
    expect(range.taken).toEqual([1])
    expect(range.granted).toBe(0)
    await range.take()
    expect(range.taken).toEqual([1, 2])
    expect(range.granted).toBe(1)
    range.book.take({ t: 'end', id: range.id, truncated: true })
    await range.take()
    expect(await range.outcome).toEqual({ ok: true, truncated: true, lastSeq: 2 })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('waits for a sink however slow it is, and not for a node that went silent', async () => {
    const range = new Range()
    await range.send(1)
    await vi.advanceTimersByTimeAsync(60_000)
    await range.take()
    expect(range.granted).toBe(1)
    await vi.advanceTimersByTimeAsync(1001)
    expect(await range.outcome).toMatchObject({ ok: false, code: 'NODE_UNREACHABLE' })
    expect(range.told).toEqual([range.id])
  })

  it('tells the node when nobody wants it any more', async () => {
    const range = new Range()
    await range.send(1)
    range.abort.abort()
    expect(await range.outcome).toMatchObject({ ok: false, code: 'CANCELLED' })
    expect(range.told).toEqual([range.id])
    await range.take()
    expect(range.granted).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('rests before it asks for more when the node would be over its bound', async () => {
    const range = new Range()
    range.pauseMs = 400
    await range.send(1)
    await range.take()
    expect(range.granted).toBe(0)
    await vi.advanceTimersByTimeAsync(400)
    expect(range.granted).toBe(1)
  })
})

it('half of what a node may send stays free for what comes unasked', () => {
  const bound = new InflowBound({ framesPerSec: 10, bytesPerSec: 1000, burstSec: 2 }, 0)
  expect(bound.pauseMs(0)).toBe(0)
  for (let i = 0; i < 15; i += 1) bound.take(10, 0)
  expect(bound.pauseMs(0)).toBe(500)
  expect(bound.pauseMs(500)).toBe(0)
})

describe('a picture', () => {
  const piece = (id: string, data: string, offset: number, last: boolean, sizeBytes = 6) =>
    ({ t: 'picture', id, seq: 4, contentType: 'image/png', sizeBytes, offset, data, last }) as const

  it('is put together from its stretches', async () => {
    const book = new RequestBook()
    let id = ''
    const wanted = { silenceMs: 1000, signal: new AbortController().signal, tell: () => undefined }
    const fetched = book.picture(wanted, (given) => {
      id = given
    })
    book.take(piece(id, 'QUJD', 0, false))
    await vi.advanceTimersByTimeAsync(900)
    book.take(piece(id, 'REVG', 3, true))
    expect(await fetched).toEqual({ ok: true, contentType: 'image/png', data: Buffer.from('ABCDEF') })
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    ['a stretch is missing', (id: string) => piece(id, 'QUJD', 3, true), /did not come/],
    ['it is longer than said', (id: string) => piece(id, 'QUJDREVGR0hJ', 0, true), /more of the picture/],
    ['it ends too early', (id: string) => piece(id, 'QUJD', 0, true), /too early/],
    ['it is too large', (id: string) => piece(id, 'QUJD', 0, false, 1e9), /more than a console takes/],
  ])('is refused when %s', async (_what, frame, message) => {
    const book = new RequestBook()
    let id = ''
    const wanted = { silenceMs: 1000, signal: new AbortController().signal, tell: () => undefined }
    const fetched = book.picture(wanted, (given) => {
      id = given
    })
    book.take(frame(id))
    const outcome = await fetched
    expect(outcome.ok ? '' : outcome.message).toMatch(message)
  })
})
