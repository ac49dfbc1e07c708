import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { storeFolder } from '../../support/store-folder.ts'

const APPENDER = new URL('../../support/store-appender.ts', import.meta.url).pathname

/** Let a process append until it was answered `count` times, then kill it as it writes; what it was answered. */
async function appendAndKill(dir: string, label: string, count: number): Promise<string[]> {
  const child = spawn(process.execPath, [APPENDER, dir, label], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const promised: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    promised.push(line)
    if (promised.length === count) child.kill('SIGKILL')
  }
  expect(await exited).toEqual([null, 'SIGKILL'])
  return promised
}

describe('a process killed with SIGKILL while it appends', () => {
  it('loses no answered record and repeats none, over many deaths, and its lock is free at once', async () => {
    using folder = storeFolder()
    const promised = new Map<string, { epoch: string; seq: number }>()
    for (let death = 0; death < 5; death += 1) {
      for (const line of await appendAndKill(folder.dir, `d${death}`, 100 + death * 70)) {
        const [epoch = '', seq, mine = ''] = line.split(' ')
        promised.set(mine, { epoch, seq: Number(seq) })
      }
    }
    const store = await openStore({ dir: folder.dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 100_000 })
    const kept = await store.read({ classes: ['normal', 'abnormal', 'ledger'], limit: 1_000_000 })
    expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: kept.length }, (_, n) => n + 1))
    expect(kept.filter((record) => record.class === 'ledger')).toEqual([])

    const byId = new Map(kept.map((record) => [JSON.parse(record.line).mine as string, record]))
    expect(byId.size).toBe(kept.length)
    for (const [mine, { epoch, seq }] of promised) expect(byId.get(mine)).toMatchObject({ epoch, seq })

    // One writer moved its cursor after each answer: at most what was in flight at a death is open.
    const cursor = store.cursors('nats').abnormal ?? 0
    const behind = kept.filter((record) => record.class === 'abnormal' && record.seq > cursor)
    expect(cursor).toBeGreaterThan(0)
    expect(behind.length).toBeLessThanOrEqual(2)
    expect(store.backlog('nats').byClass.abnormal).toBe(behind.length)
    await store.close()
  }, 240_000)
})
