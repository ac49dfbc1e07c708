import { expect, test } from 'vitest'
import { readBacklog } from '../../../edge-daemon/live/history.ts'
import { LiveNode, logBody } from '../../support/live-node.ts'

function nodeWith(lines: number): LiveNode {
  const node = new LiveNode()
  for (let i = 1; i <= lines; i += 1) node.keep('logs', logBody(`line ${i}`, i % 10 === 0 ? 'error' : 'info'))
  return node
}

test('who was away gets what came since, and no more', async () => {
  const node = nodeWith(50)
  const backlog = await readBacklog((request) => node.read(request), 'logs', {}, { count: 1000, afterSeq: 42 })
  expect(backlog.rows.map(({ seq }) => seq)).toEqual([43, 44, 45, 46, 47, 48, 49, 50])
  expect(backlog.missed).toBeNull()
  const none = await readBacklog((request) => node.read(request), 'logs', {}, { count: 1000, afterSeq: 50 })
  expect(none).toEqual({ rows: [], missed: null })
})

test('what is too much for who was away is counted to the row, with its time', async () => {
  const node = nodeWith(2400)
  const range = { count: 100, afterSeq: 150 }
  const all = await readBacklog((request) => node.read(request), 'logs', {}, range)
  expect(all.rows.map(({ seq }) => seq).at(0)).toBe(2301)
  expect(all.missed).toEqual({ count: 2150, fromMs: 1_000_151, toMs: 1_002_300 })
  const errors = await readBacklog((request) => node.read(request), 'logs', { level: 'error' }, range)
  expect(errors.rows.length).toBe(100)
  expect(errors.missed?.count).toBe(125)
})

test('a plain backlog tells nothing of what is older', async () => {
  const node = nodeWith(30)
  const backlog = await readBacklog((request) => node.read(request), 'logs', {}, { count: 5 })
  expect(backlog).toMatchObject({ missed: null, rows: { length: 5 } })
})
