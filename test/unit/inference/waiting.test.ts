import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { Backoff } from '../../../edge-daemon/inference/backoff.ts'
import { MemoryBudget, readBody } from '../../../edge-daemon/inference/body.ts'
import { InferenceMeters } from '../../../edge-daemon/inference/meters.ts'
import { type QueuedRequest, RequestQueue } from '../../../edge-daemon/inference/request-queue.ts'

const request = (deadlineMs: number): QueuedRequest => ({
  picture: new Uint8Array(),
  arrivedAtMs: 0,
  deadlineMs,
  resolve: () => {},
  isSettled: false,
})

describe('the backoff', () => {
  it('doubles to its limit and starts over after a healthy while', () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 500, resetAfterMs: 60_000 })
    expect([0, 1, 2, 3, 4].map((nowMs) => backoff.delayMs(nowMs))).toEqual([100, 200, 400, 500, 500])
    expect(backoff.delayMs(60_004)).toBe(500)
    expect(backoff.delayMs(120_005)).toBe(100)
  })
})

describe('the request queue', () => {
  it('gives back in order, also after thousands', () => {
    const queue = new RequestQueue()
    for (let i = 0; i < 5000; i += 1) queue.push(request(i))
    for (let i = 0; i < 4990; i += 1) expect(queue.shift()?.deadlineMs).toBe(i)
    queue.push(request(5000))
    expect(queue.length).toBe(11)
    expect(queue.takeOverdue(4994).map((found) => found.deadlineMs)).toEqual([4990, 4991, 4992, 4993, 4994])
    expect(queue.drain()).toHaveLength(6)
    expect(queue.shift()).toBeUndefined()
    expect(queue.length).toBe(0)
  })
})

describe('a body that is being received', () => {
  function receive(limitBytes: number, budget: MemoryBudget, announced?: number) {
    const message = new EventEmitter() as IncomingMessage
    message.headers = announced === undefined ? {} : { 'content-length': String(announced) }
    return { message, read: readBody(message, { limitBytes, budget, onBytes: () => {} }) }
  }

  it('gives its memory back when it turns out too large, is cut off, or finds none left', async () => {
    const budget = new MemoryBudget(100)
    const large = receive(50, budget)
    large.message.emit('data', Buffer.alloc(40))
    large.message.emit('data', Buffer.alloc(40))
    expect(await large.read).toEqual({ ok: false, why: 'too_large' })

    const cut = receive(50, budget)
    cut.message.emit('data', Buffer.alloc(40))
    expect(budget.usedBytes).toBe(40)
    cut.message.emit('close')
    expect(await cut.read).toEqual({ ok: false, why: 'aborted' })

    const [first, second] = [receive(80, budget), receive(80, budget)]
    first.message.emit('data', Buffer.alloc(80))
    second.message.emit('data', Buffer.alloc(80))
    expect(await second.read).toEqual({ ok: false, why: 'no_memory' })
    first.message.emit('end')
    expect(await first.read).toMatchObject({ ok: true })
    expect(budget.usedBytes).toBe(80)
    budget.give(80)
    expect(budget.usedBytes).toBe(0)
  })

  it('is refused by its announced length before a byte of it arrives', async () => {
    const { read } = receive(50, new MemoryBudget(100), 51)
    expect(await read).toEqual({ ok: false, why: 'too_large' })
  })
})

describe('the meters', () => {
  it('count every answer once by its kind', () => {
    const meters = new InferenceMeters(50)
    for (const kind of ['ok', 'ok', 'abnormal', 'undecodable', 'failed', 'malformed'] as const) meters.answered(kind)
    meters.took('run', 5)
    expect(meters.counters()).toMatchObject({
      requests: 6,
      ok: 2,
      abnormal: 1,
      undecodable: 1,
      failed: 1,
      malformed: 1,
    })
    expect(meters.latency().run).toMatchObject({ count: 1, sumMs: 5 })
    expect(meters.latency().total.count).toBe(0)
  })
})
