import { expect, test } from 'vitest'
import { type Page, PageCache } from '../../../src/replay/page-cache.ts'

const kept = (rowCount: number, chars = 0): Page => {
  return { state: 'kept', source: 'node', throughMs: 1, rows: [], gaps: [], rowCount, chars, readAtMs: 0 }
}

test('pages are bounded by their rows, and what was not used for longest goes first', () => {
  const cache = new PageCache(250)
  for (let page = 1; page <= 4; page += 1) cache.put('n1', 'state', page, kept(60))
  expect(cache.use('n1', 'state', 1)).not.toBeNull()
  cache.put('n1', 'state', 5, kept(60))
  expect([1, 2, 3, 4, 5].filter((page) => cache.peek('n1', 'state', page) !== null)).toEqual([1, 3, 4, 5])
  expect(cache.rows).toBeLessThanOrEqual(250)
})

test('a page that is read again counts once', () => {
  const cache = new PageCache(1000)
  for (let turn = 0; turn < 50; turn += 1) cache.put('n1', 'results', 1, kept(60))
  expect(cache.rows).toBe(61)
})

test('one page larger than all of it is still held while it is the newest', () => {
  const cache = new PageCache(100)
  cache.put('n1', 'state', 1, kept(10))
  cache.put('n1', 'state', 2, kept(500))
  expect(cache.peek('n1', 'state', 1)).toBeNull()
  expect(cache.peek('n1', 'state', 2)).not.toBeNull()
})

test('counts rows that are longer than they should be for as many as they take', () => {
  const cache = new PageCache(250)
  cache.put('n1', 'state', 1, kept(10, 800_000))
  cache.put('n1', 'state', 2, kept(10, 800_000))
  expect(cache.peek('n1', 'state', 1)).toBe(null)
  expect(cache.peek('n1', 'state', 2)).not.toBe(null)
})
