import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { zstdDecompressSync } from 'node:zlib'
import { expect, test, vi } from 'vitest'
import type { StatRecord } from '../../../protocol/records.ts'
import { merge } from '../../../src/cloud/merge.ts'
import { blocksOf } from '../../support/cloud-reading.ts'
import { natsFixture } from '../../support/nats-server.ts'
import { storeFolder } from '../../support/store-folder.ts'

const PROGRAM = fileURLToPath(new URL('../../support/upstream-node.ts', import.meta.url))
const SOON = { timeout: 60_000, interval: 10 }

/** What a node told: the sequences it kept, by class; and its last words. */
interface Told {
  readonly child: ChildProcess
  readonly normal: number[]
  readonly abnormal: number[]
  readonly words: string[]
}

function startNode(...args: string[]): Told {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const told: Told = { child, normal: [], abnormal: [], words: [] }
  let rest = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const [word = '', seq] = line.split(' ')
      if (word === 'normal' || word === 'abnormal') told[word].push(Number(seq))
      else told.words.push(word)
    }
  })
  return told
}

test('nodes and servers killed again and again: every abnormal result arrives, every normal one is counted once', async () => {
  await using nats = await natsFixture({ syncInterval: 'always' })
  await nats.addStream()
  using folder = storeFolder()
  const normal: number[] = []
  const abnormal: number[] = []
  for (let round = 0; round < 4; round += 1) {
    const node = startNode(folder.dir, nats.url)
    await vi.waitFor(() => expect(node.normal.length).toBeGreaterThan(60), SOON)
    if (round % 2 === 1) {
      await nats.kill()
      const kept = node.abnormal.length
      await vi.waitFor(() => expect(node.abnormal.length).toBeGreaterThan(kept + 20), SOON)
    }
    const gone = once(node.child, 'close')
    node.child.kill('SIGKILL')
    await gone
    if (round % 2 === 1) await nats.restart()
    normal.push(...node.normal)
    abnormal.push(...node.abnormal)
  }
  const last = startNode(folder.dir, nats.url, 'quiet')
  const [code] = await once(last.child, 'close')
  expect({ code, words: last.words }).toEqual({ code: 0, words: ['drained'] })

  const lines = async (tail: string): Promise<string[]> =>
    (await nats.messages(`edge.plant.n1.${tail}`)).flatMap(({ data }) =>
      zstdDecompressSync(data).toString().trimEnd().split('\n'),
    )
  const arrived = new Set((await lines('results')).map((line) => (JSON.parse(line) as { seq: number }).seq))
  expect(abnormal.filter((seq) => !arrived.has(seq))).toEqual([])

  // Whatever was killed, nothing is there twice, nothing is flagged as in doubt, and no block is missing between two.
  const read = merge(await blocksOf(nats), { fromStart: true })
  expect({ ...read.copies, conflicts: read.conflicts, gaps: read.gaps }).toMatchObject({
    twice: 0,
    flagged: 0,
    conflicts: [],
    gaps: [],
  })
  const stats = (await lines('stats')).map((line) => JSON.parse(line) as StatRecord)
  expect(new Set(stats.map(({ seq }) => seq)).size).toBe(stats.length)
  const ranges = stats.toSorted((a, b) => a.first_seq - b.first_seq)
  for (const [index, { first_seq }] of ranges.entries()) {
    expect(first_seq).toBeGreaterThan(ranges[index - 1]?.last_seq ?? 0)
  }
  const uncovered = normal.filter((seq) => !ranges.some((stat) => seq >= stat.first_seq && seq <= stat.last_seq))
  expect(uncovered).toEqual([])
  // Kept but not yet told when the kill came: there are at most as many as writers, each round.
  const counted = ranges.reduce((sum, { count }) => sum + count, 0)
  expect(counted).toBeGreaterThanOrEqual(normal.length)
  expect(counted).toBeLessThanOrEqual(normal.length + 4 * 6)
}, 240_000)
