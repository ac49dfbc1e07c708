import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import type { LogSearch, SearchPage } from '../../../edge-daemon/search/contract.ts'
import { Searcher } from '../../../edge-daemon/search/searcher.ts'
import type { StoreKeys } from '../../../edge-daemon/store/seal.ts'
import { openStore, type Store } from '../../../edge-daemon/store/store.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { logLine } from '../../support/log-lines.ts'
import { seededRandom } from '../../support/random.ts'
import { everything } from '../../support/search-steps.ts'
import { storeFolder } from '../../support/store-folder.ts'

const KEYS: StoreKeys = { keys: [{ id: 1, secret: new Uint8Array(randomBytes(32)) }], lost: [] }
const SIZE = { rows: 500, bytes: 1e6 }

const endings: (() => unknown)[] = []

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function searched(
  share = 1,
): Promise<{ store: Store; searcher: Searcher; add: (lines: number) => Promise<void> }> {
  const folder = storeFolder()
  endings.push(() => folder[Symbol.dispose]())
  const options = { dir: folder.dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 200_000, keys: KEYS }
  const store = await openStore({ ...options, durability: 'async' })
  endings.push(() => store.close())
  const searcher = new Searcher({ store, keys: KEYS, share })
  endings.push(() => searcher.stop())
  const random = seededRandom(3)
  let n = 0
  const add = async (lines: number): Promise<void> => {
    const records = Array.from({ length: lines }, () => {
      n += 1
      const { class: recordClass, timestamp, bodyJson } = logLine(random, n)
      return { class: recordClass, timestamp, body: JSON.parse(bodyJson) }
    })
    for (let at = 0; at < lines; at += 500) await store.append(records.slice(at, at + 500))
  }
  return { store, searcher, add }
}

async function allOf(search: LogSearch): Promise<SearchPage[]> {
  const pages: SearchPage[] = []
  for (;;) {
    const page = await search.next(SIZE)
    pages.push(page)
    if (page.isDone) return pages
  }
}

it('finds lines of a sealed store from a thread of its own, while others are committed', {
  timeout: 180_000,
}, async () => {
  const { store, searcher, add } = await searched()
  await add(20_000)
  let committed = 0
  let isOver = false
  const commits = (async () => {
    while (!isOver) {
      await add(50)
      committed += 1
    }
  })()
  const search = searcher.begin(everything({ filter: { pattern: 'refused.*camera' }, beforeSeq: 20_001 }), 1)
  const pages = await allOf(search)
  isOver = true
  await commits
  const kept = await store.read({ classes: ['log', 'error'], throughSeq: 20_000, limit: 1e6 })
  const wanted = kept.filter(({ line }) => {
    const { msg, fields = {} } = JSON.parse(line)
    const text = [msg, ...Object.entries(fields).map(([name, value]) => `${name}=${value}`)].join(' ')
    return /refused.*camera/.test(text)
  })
  expect(pages.flatMap(({ rows }) => rows.map(({ seq }) => seq))).toEqual(wanted.map(({ seq }) => seq))
  expect(committed).toBeGreaterThan(0)
})

it('runs in a thread of the lowest priority, alone', { timeout: 180_000 }, async () => {
  const { searcher, add } = await searched()
  await add(100)
  await allOf(searcher.begin(everything(), 1))
  const nice = readdirSync('/proc/self/task').flatMap((task) => {
    try {
      const stat = readFileSync(`/proc/self/task/${task}/stat`, 'latin1')
      return [Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])]
    } catch {
      return []
    }
  })
  expect(nice.filter((value) => value === 19)).toHaveLength(1)
})

it('ends at once when nobody wants it any more, and the next one begins', { timeout: 180_000 }, async () => {
  const { searcher, add } = await searched(0.05)
  await add(50_000)
  const search = searcher.begin(everything({ filter: { pattern: 'x[0-9]{9}y' } }), 1)
  const page = search.next(SIZE)
  const refused = expect(page).rejects.toMatchObject({ message: 'the search was ended' })
  search.end()
  await refused
  await expect(search.next(SIZE)).rejects.toMatchObject({ code: 'STORE_FAILING' })
  const next = await searcher.begin(everything({ newestFirst: true }), 1).next({ rows: 1, bytes: 1 })
  expect(next.rows).toHaveLength(1)
})

it('goes on without its keys only after they are given, and loses a search with its thread', {
  timeout: 180_000,
}, async () => {
  const { store, searcher, add } = await searched()
  await add(100)
  const keyless = new Searcher({ store, keys: null, share: 1 })
  endings.push(() => keyless.stop())
  const [sealed] = await allOf(keyless.begin(everything(), 1))
  expect(sealed).toMatchObject({ rows: [], gaps: [{ reason: 'sealed', missed: 100 }] })
  keyless.changeKeys(KEYS)
  const [opened] = await allOf(keyless.begin(everything(), 1))
  expect(opened?.rows).toHaveLength(100)

  const search = searcher.begin(everything(), 1)
  await search.next({ rows: 1, bytes: 1 })
  await searcher.stop()
  await expect(search.next(SIZE)).rejects.toMatchObject({ code: 'STORE_FAILING' })
  await eventually(async () => (await allOf(searcher.begin(everything(), 1))).length > 0)
})
