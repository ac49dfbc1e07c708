import { expect, test } from 'vitest'
import type { SearchPage } from '../../../edge-daemon/search/contract.ts'
import type { PageSteps } from '../../../edge-daemon/search/search-run.ts'
import { Turns } from '../../../edge-daemon/search/turns.ts'
import type { PlacesRequest } from '../../../edge-daemon/store/places-contract.ts'
import { everything } from '../../support/search-steps.ts'

const PAGE: SearchPage = { rows: [], gaps: [], atMs: 0, lookedAtBytes: 0, left: null, isDone: true, steps: null }
const ASKED: PlacesRequest = { ...everything(), classes: ['log'] }
const STEP_MS = 4

/** Turns on a clock of their own: a step takes 4 ms. */
class Bench {
  nowMs = 0
  workedMs = 0
  readonly said: string[] = []
  readonly turns: Turns
  #planned: { call: () => void; atMs: number }[] = []

  constructor(share: number) {
    this.turns = new Turns(
      {
        share,
        nowMs: () => this.nowMs,
        later: (call, ms) => this.#planned.push({ call, atMs: this.nowMs + ms }),
      },
      {
        page: (id) => this.said.push(`page ${id}`),
        failed: (id, error) => this.said.push(`failed ${id} ${error instanceof Error ? error.message : ''}`),
        ask: (id) => this.said.push(`ask ${id}`),
      },
    )
  }

  add(id: number, by: number, steps: number, asks = false): void {
    const bench = this
    function* page(isTimeUp: () => boolean): PageSteps {
      bench.said.push(`begin ${id}`)
      try {
        if (asks) yield ASKED
        for (let step = 0; step < steps && !isTimeUp(); step += 1) {
          bench.nowMs += STEP_MS
          bench.workedMs += STEP_MS
          yield null
        }
        return PAGE
      } finally {
        bench.said.push(`end ${id}`)
      }
    }
    this.turns.add({ id, by, begin: page })
  }

  run(untilMs = 1e6): void {
    for (;;) {
      this.#planned.sort((a, b) => a.atMs - b.atMs)
      const next = this.#planned[0]
      if (next === undefined || next.atMs > untilMs) return
      this.#planned.shift()
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.call()
    }
  }
}

test('makes two pages at a time, of different askers where there are several', () => {
  const bench = new Bench(1)
  for (const [id, by] of [
    [1, 7],
    [2, 7],
    [3, 7],
    [4, 8],
  ] as const)
    bench.add(id, by, 5)
  bench.run()
  const begun = bench.said.filter((text) => text.startsWith('begin'))
  expect(begun).toEqual(['begin 1', 'begin 4', 'begin 2', 'begin 3'])
  expect(bench.said.filter((text) => text.startsWith('page'))).toHaveLength(4)
})

test('keeps all of them below their share of the time', () => {
  const bench = new Bench(0.25)
  bench.add(1, 1, 90)
  bench.add(2, 2, 90)
  bench.run()
  expect(bench.workedMs / bench.nowMs).toBeLessThan(0.27)
  expect(bench.workedMs / bench.nowMs).toBeGreaterThan(0.2)
})

test('gives a page that takes too long as it is', () => {
  const bench = new Bench(1)
  bench.add(1, 1, 1e6)
  bench.run(2000)
  expect(bench.said.at(-1)).toBe('page 1')
  expect(bench.nowMs).toBeLessThan(450)
})

test('lets others go on while one waits for an answer, and ends one that gets none', () => {
  const bench = new Bench(1)
  bench.add(1, 1, 2, true)
  bench.add(2, 2, 2)
  bench.run()
  expect(bench.said).toEqual(['begin 1', 'ask 1', 'begin 2', 'end 2', 'page 2'])
  bench.turns.answer(1, new Error('the store is closed'))
  bench.run()
  expect(bench.said.slice(-2)).toEqual(['end 1', 'failed 1 the store is closed'])
})

test('gives a page up at once, with all that it holds', () => {
  const bench = new Bench(0.5)
  bench.add(1, 1, 1e6)
  bench.add(2, 1, 1)
  bench.run(20)
  bench.turns.remove(1)
  expect(bench.said.at(-1)).toBe('end 1')
  bench.run()
  expect(bench.said).toContain('page 2')
  expect(bench.said).not.toContain('page 1')
})
