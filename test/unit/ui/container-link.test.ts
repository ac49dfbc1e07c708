import { expect, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import type { LogRecord } from '../../../protocol/records.ts'
import type { RangeRequest } from '../../../src/link/link.ts'
import { searchLogs } from '../../../src/link/log-search.ts'
import type { ContainerLog, LogBegin } from '../../../src/remote/contract.ts'
import { ContainerLink } from '../../../src/ui/logs/container-link.ts'

const START_MS = 1_793_000_000_000

/** A log of so many lines, ten a second, that tells how it was read. */
function logOf(count: number) {
  const asked: LogBegin[] = []
  const records = Array.from({ length: count }, (_, at): LogRecord => {
    const level = at % 10 === 0 ? 'error' : 'info'
    return { seq: 1000 + at, node_id: '', timestamp: START_MS + at * 100, level, source: 'a/b/c', msg: `line ${at}` }
  })
  const log: ContainerLog = {
    follow: () => {
      throw new Error('only what is kept')
    },
    async *read(from) {
      asked.push(from)
      const { sinceMs, tail } = from
      yield* records
        .filter(({ timestamp }) => sinceMs === null || timestamp >= sinceMs)
        .slice(tail === null ? 0 : -tail)
    },
  }
  return { link: new ContainerLink(log), asked }
}

async function search(link: ContainerLink, more: Partial<RangeRequest<'logs'>>) {
  const found: string[] = []
  const { newestFirst = false, limit = 10, filter } = more
  const range = { fromMs: more.fromMs ?? 0, toMs: more.toMs ?? START_MS + 1e9, newestFirst, limit }
  const outcome = await searchLogs(
    [{ key: 'n1', link, offsetMs: 0 }],
    filter === undefined ? range : { ...range, filter },
    {
      rows: (rows) => {
        for (const row of rows) if (row.kind === 'line') found.push(row.msg)
      },
      failed: (_key, { message }) => found.push(`failed: ${message}`),
    },
    AbortSignal.timeout(10_000),
  )
  return { found, ...outcome }
}

test('the newest lines are read from the end of a long log, and older ones from as far back as it takes', async () => {
  const { link, asked } = logOf(40_000)
  const newest = await search(link, { newestFirst: true, limit: 3 })
  expect(newest).toMatchObject({ found: ['line 39999', 'line 39998', 'line 39997'], truncated: true })
  expect(asked.map(({ tail }) => tail)).toEqual([2000])
  const older = await search(link, { newestFirst: true, limit: 2, toMs: START_MS + 30_000 * 100 })
  expect(older.found).toEqual(['line 30000', 'line 29999'])
  const oldest = await search(link, { newestFirst: true, limit: 5, toMs: START_MS + 200 })
  expect(oldest).toMatchObject({ found: ['line 2', 'line 1', 'line 0'], truncated: false })
})

test('lines that pass a filter are found as far back as they are, and a short log is read whole at once', async () => {
  const { link, asked } = logOf(300)
  const errors = await search(link, { newestFirst: true, limit: 100, filter: { level: 'error', pattern: '[05]0$' } })
  expect(errors.found).toEqual(['line 250', 'line 200', 'line 150', 'line 100', 'line 50'])
  expect(asked.map(({ tail }) => tail)).toEqual([2000, null])
})

test('a range is read from its time on to its end, however long it is, each line once', async () => {
  const { link, asked } = logOf(9000)
  const { found, truncated } = await search(link, {
    fromMs: START_MS + 100_000,
    toMs: START_MS + 700_000,
    limit: 100_000,
  })
  expect(found).toEqual(Array.from({ length: 6001 }, (_, at) => `line ${1000 + at}`))
  expect(truncated).toBe(false)
  // What was read already is not read again.
  expect(asked.map(({ sinceMs }) => (sinceMs ?? 0) - START_MS)).toEqual([100_000, 299_900, 499_900, 699_900])
})

test('a refusal is told as that of a node', async () => {
  const refuse = (): never => {
    throw new EdgeError('RIGHT_MISSING', { message: 'pia may not get pods/log', next: [] })
  }
  const outcome = await search(new ContainerLink({ follow: refuse, read: refuse }), {})
  expect(outcome).toMatchObject({ found: ['failed: pia may not get pods/log'], failed: 1 })
})
