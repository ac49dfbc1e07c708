import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SearchPage, SearchRequest } from '../../../edge-daemon/search/contract.ts'
import type { StoredRecord } from '../../../edge-daemon/store/contract.ts'
import { nodeDisk } from '../../../edge-daemon/store/disk.ts'
import type { EngineOptions, LogEngine } from '../../../edge-daemon/store/engine.ts'
import type { StoreKeys } from '../../../edge-daemon/store/seal.ts'
import type { LogFilter } from '../../../protocol/log-filter.ts'
import { LOG_LEVELS, type LogRecord } from '../../../protocol/records.ts'
import { compileLogFilter } from '../../../regex/log-matcher.ts'
import { LINES_FROM_MS, logLine, type Random } from '../../support/log-lines.ts'
import { seededRandom } from '../../support/random.ts'
import { allPages, everything, pageOf, searchOf } from '../../support/search-steps.ts'
import { readAll, storeFolder, engineOptions as syncedOptions, withEngine } from '../../support/store-folder.ts'

/** Nothing is synced: no power goes here. */
const disk = { ...nodeDisk, sync: () => {}, syncFolder: () => {} }
const engineOptions = (dir: string, changes: Partial<EngineOptions>): EngineOptions =>
  syncedOptions(dir, { disk, ...changes })

const FILTERS: readonly (LogFilter | null)[] = [
  null,
  { level: 'error' },
  { level: 'warn', sources: ['nginx'] },
  { sources: ['pods/*', 'journal/ssh"d'] },
  { pattern: 'timed out' },
  { pattern: 'DISK|k42', ignoreCase: true },
  { pattern: 'größe.*"quoted"' },
  { pattern: 'GRÖSSE|GRÖẞE|upstream', ignoreCase: true },
  { pattern: 'camera=[0-4] host=tab\\there' },
  { pattern: ' 1?7$', level: 'info' },
  { pattern: 'ok=true$' },
  { pattern: 'never there' },
  { fields: [{ name: 'camera', test: '=', value: '7' }] },
  {
    fields: [
      { name: 'host', test: '~', value: '^a=' },
      { name: 'ok', test: '!=', value: 'true' },
    ],
  },
]

/** Commits of one line and of many, among records of other classes. */
function fill(engine: LogEngine, random: Random, lines: number): void {
  for (let n = 0; n < lines; ) {
    const count = random() < 0.6 ? 1 : 1 + Math.floor(random() * 60)
    const others =
      random() < 0.3 ? [{ class: 'normal' as const, timestamp: LINES_FROM_MS + n, bodyJson: '{"code":200}' }] : []
    const records = Array.from({ length: count }, (_, at) => logLine(random, n + at))
    engine.commit([...records, ...others])
    n += count
  }
}

function expected(kept: readonly StoredRecord[], request: SearchRequest): string[] {
  const compiled = compileLogFilter(request.filter ?? {})
  if (!compiled.ok) throw new Error(compiled.message)
  const { fromMs, toMs, afterSeq, beforeSeq } = request
  const lines = kept.filter(({ seq, timestamp, line }) => {
    const isInside = seq > afterSeq && seq < beforeSeq && timestamp >= fromMs && timestamp <= toMs
    return isInside && compiled.matcher.matches(JSON.parse(line))
  })
  return (request.newestFirst ? lines.reverse() : lines).map(({ line }) => line)
}

const linesOf = (pages: readonly SearchPage[]): string[] => pages.flatMap(({ rows }) => rows.map(({ line }) => line))
const kept = (engine: LogEngine): StoredRecord[] => readAll(engine, { classes: ['log', 'error'] })

const KEYS: StoreKeys = { keys: [{ id: 1, secret: new Uint8Array(randomBytes(32)) }], lost: [] }

describe.each<[string, StoreKeys | null]>([
  ['plain', null],
  ['sealed', KEYS],
])('a search of a %s log', (_what, keys) => {
  it('finds what a filter lets pass, in order, in both directions and in any range', () => {
    using folder = storeFolder()
    const random = seededRandom(7)
    withEngine(engineOptions(folder.dir, { segmentBytes: 20_000, keys }), (engine) => {
      fill(engine, random, 2000)
      const all = kept(engine)
      const [least, most] = [all[0]?.seq ?? 0, all.at(-1)?.seq ?? 0]
      for (const filter of FILTERS) {
        for (const newestFirst of [false, true]) {
          const seq = (): number => least + Math.floor(random() * (most - least))
          const [fromMs, toMs] = [
            LINES_FROM_MS + Math.floor(random() * 3000),
            LINES_FROM_MS + Math.floor(random() * 5000),
          ]
          for (const ends of [
            {},
            { afterSeq: seq() },
            { beforeSeq: seq() },
            { fromMs, toMs: Math.max(fromMs, toMs) },
          ]) {
            const request = everything({ filter, newestFirst, ...ends })
            const pages = allPages(searchOf(request, keys), engine, { rows: 100, bytes: 8000 })
            expect(linesOf(pages)).toEqual(expected(all, request))
            expect(pages.flatMap(({ gaps }) => gaps)).toEqual([])
          }
        }
      }
    })
  })

  it('counts what passes by level and step of time', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, { segmentBytes: 20_000, keys }), (engine) => {
      fill(engine, seededRandom(8), 2000)
      for (const filter of FILTERS) {
        const request = everything({ filter, fromMs: LINES_FROM_MS + 500, stepMs: 1000 })
        const pages = allPages(searchOf(request, keys), engine, { rows: 1, bytes: 1 }, { atStep: () => true })
        const counted = new Map<number, number[]>()
        for (const line of expected(kept(engine), request)) {
          const { timestamp, level }: LogRecord = JSON.parse(line)
          const startMs = request.fromMs + Math.floor((timestamp - request.fromMs) / 1000) * 1000
          const lines = counted.get(startMs) ?? LOG_LEVELS.map(() => 0)
          lines[LOG_LEVELS.indexOf(level)] = (lines[LOG_LEVELS.indexOf(level)] ?? 0) + 1
          counted.set(startMs, lines)
        }
        const steps = [...counted].sort(([a], [b]) => a - b).map(([startMs, lines]) => ({ startMs, lines }))
        expect(pages.at(-1)?.steps).toEqual(steps)
      }
    })
  })
})

it('stops early when a page is full, and has looked at little then', () => {
  using folder = storeFolder()
  withEngine(engineOptions(folder.dir, { segmentBytes: 50_000 }), (engine) => {
    fill(engine, seededRandom(9), 5000)
    const request = everything({ newestFirst: true, filter: { level: 'info' } })
    const page = pageOf(searchOf(request), engine, { rows: 10, bytes: 1e6 })
    expect(page.rows.map(({ line }) => line)).toEqual(expected(kept(engine), request).slice(0, 10))
    expect(page).toMatchObject({ isDone: false, left: { fromMs: LINES_FROM_MS } })
    expect(page.lookedAtBytes).toBeLessThan(150_000)
    expect(page.left?.missed).toBeGreaterThan(4000)
  })
})

it('leaves what is committed after it began to the next search', () => {
  using folder = storeFolder()
  const random = seededRandom(10)
  withEngine(engineOptions(folder.dir, { segmentBytes: 20_000 }), (engine) => {
    fill(engine, random, 500)
    const request = everything()
    const before = expected(kept(engine), request)
    const atStep = (): boolean => {
      engine.commit([logLine(random, 9000)])
      return random() < 0.3
    }
    expect(linesOf(allPages(searchOf(request), engine, { rows: 50, bytes: 1e6 }, { atStep }))).toEqual(before)
  })
})

it.each([1, 2, 3, 4, 5, 6, 7, 8])('accounts for every line that is evicted while it looks (seed %i)', (seed) => {
  using folder = storeFolder()
  const random = seededRandom(seed)
  const limits = { log: { maxBytes: 60_000, maxAgeMs: null }, normal: { maxBytes: 3000, maxAgeMs: null } }
  withEngine(engineOptions(folder.dir, { segmentBytes: 15_000, limits }), (engine) => {
    fill(engine, random, 1500)
    engine.enforceRetention()
    const request = everything({ newestFirst: random() < 0.5 })
    const before = expected(kept(engine), request)
    let n = 10_000
    const atStep = (): boolean => {
      if (random() < 0.5) {
        engine.commit(Array.from({ length: 20 }, (_, at) => logLine(random, n + at)))
        n += 20
        engine.enforceRetention()
      }
      return random() < 0.2
    }
    const pages = allPages(searchOf(request), engine, { rows: 1 + Math.floor(random() * 200), bytes: 1e6 }, { atStep })
    const found = linesOf(pages)
    const gaps = pages.flatMap((page) => page.gaps)
    const missing = before.filter((line) => !found.includes(line))
    expect(found).toEqual(before.filter((line) => found.includes(line)))
    expect(gaps.every(({ reason }) => reason === 'evicted')).toBe(true)
    // Of a block that a page had ended in, more may be told than were left.
    const told = gaps.reduce((sum, { missed }) => sum + missed, 0)
    expect(told).toBeGreaterThanOrEqual(missing.length)
    expect(told).toBeLessThan(missing.length + 200)
    for (const line of missing) {
      const { timestamp }: LogRecord = JSON.parse(line)
      expect(gaps.some(({ fromMs, toMs }) => timestamp >= fromMs && timestamp <= toMs)).toBe(true)
    }
  })
})

it('tells of lines whose bytes are damaged and of those whose key is missing, each once', () => {
  using folder = storeFolder()
  const random = seededRandom(11)
  const second = { ...KEYS, keys: [...KEYS.keys, { id: 2, secret: new Uint8Array(randomBytes(32)) }] }
  withEngine(engineOptions(folder.dir, { keys: KEYS }), (engine) => {
    for (let n = 0; n < 50; n += 1) engine.commit(Array.from({ length: 10 }, (_, at) => logLine(random, n * 10 + at)))
    engine.changeKeys(second)
    for (let n = 50; n < 70; n += 1) engine.commit(Array.from({ length: 10 }, (_, at) => logLine(random, n * 10 + at)))
    const all = kept(engine)
    const [path = ''] = folder.segments()
    folder.edit(path, (bytes) => {
      for (let at = 5000; at < 9000; at += 1) bytes[at] = 0
      return bytes
    })
    const request = everything()
    const pages = allPages(searchOf(request, KEYS), engine, { rows: 3, bytes: 1e6 }, { atStep: () => true })
    const found = linesOf(pages)
    const gaps = pages.flatMap((page) => page.gaps)
    const sum = (reason: string): number =>
      gaps.filter((gap) => gap.reason === reason).reduce((total, { missed }) => total + missed, 0)
    expect(sum('sealed')).toBe(200)
    expect(sum('damaged')).toBeGreaterThan(10)
    expect(found.length + sum('sealed') + sum('damaged')).toBe(all.length)
  })
})
