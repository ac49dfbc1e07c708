import { TestConsole } from '../support/live-node.ts'
import type { NodeCopy } from './evidence.ts'

const PAGE_ROWS = 2000
const PAGE_TIMEOUT_MS = 30_000
const FAR_FUTURE_MS = 4e12

/** Read everything a node keeps of its results and its ledger, by range, as a console would. */
export async function readNode(liveUrl: string, origin: { home: string; node: string }): Promise<NodeCopy> {
  const console = await TestConsole.open(liveUrl)
  try {
    return { ...origin, results: await readTopic(console, 'results'), ledger: await readTopic(console, 'ledger') }
  } finally {
    console.close()
  }
}

async function readTopic(console: TestConsole, topic: 'results' | 'ledger'): Promise<NodeCopy['results']> {
  const found: Record<string, unknown>[] = []
  let afterSeq = 0
  for (let page = 1; ; page += 1) {
    const id = `${topic}-${page}`
    console.frames.length = 0
    console.send({ t: 'read', id, topic, fromMs: 0, toMs: FAR_FUTURE_MS, limit: PAGE_ROWS, afterSeq })
    const end = () => console.of('end').find((frame) => frame.id === id)
    await console.until(() => end() !== undefined || console.of('error').length > 0, PAGE_TIMEOUT_MS)
    const refused = console.of('error')[0]
    if (refused !== undefined) throw new Error(`the node refuses to read ${topic}: ${refused.msg}`)
    const rows = console.rows(id) as unknown as Record<string, unknown>[]
    for (const row of rows) {
      const seq = row.seq as number
      if (seq <= afterSeq) throw new Error(`${topic}: sequence ${seq} was read behind ${afterSeq}`)
      afterSeq = seq
      found.push(row)
    }
    if (end()?.truncated !== true) return found
    if (rows.length === 0) throw new Error(`${topic}: a page was cut short before its first row`)
  }
}

/** What a node says of itself: one status frame. */
export async function readStatus(liveUrl: string): Promise<ReturnType<typeof lastStatus>> {
  const console = await TestConsole.open(liveUrl)
  try {
    console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 2 })
    await console.until(() => console.of('status').length > 0)
    return lastStatus(console)
  } finally {
    console.close()
  }
}

function lastStatus(console: TestConsole) {
  const status = console.of('status').at(-1)
  if (status === undefined) throw new Error('no status came')
  return status
}
