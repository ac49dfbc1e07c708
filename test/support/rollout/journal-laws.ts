import { expect, test, vi } from 'vitest'
import type { Journal, JournalEntry } from '../../../src/rollout/contract.ts'
import { planOf, started, took } from './events.ts'

/** What is so ends the wait. */
const LONG = { timeout: 60_000 }

/** Two journals over the same store, as two processes have them. */
export interface JournalPair {
  readonly one: Journal
  readonly other: Journal
}

/** What every journal holds to, whatever keeps it. `open` gives an empty store each time. */
export function journalLaws(open: () => Promise<JournalPair & AsyncDisposable>): void {
  test('what was appended is read back in order, by others too', async () => {
    await using pair = await open()
    const { one, other } = pair
    expect(await one.list()).toEqual([])
    expect(await one.read('r1')).toEqual([])
    expect(await one.append('r1', started(planOf(['n1', 'n2'])), 0)).toEqual({ ok: true, seq: 1 })
    expect(await other.append('r1', took(1), 1)).toEqual({ ok: true, seq: 2 })
    const entries = [
      { seq: 1, event: started(planOf(['n1', 'n2'])) },
      { seq: 2, event: took(1) },
    ]
    expect(await one.read('r1')).toEqual(entries)
    expect(await other.read('r1')).toEqual(entries)
    expect(await one.read('r1', 1)).toEqual(entries.slice(1))
    expect(await one.read('r1', 2)).toEqual([])
    expect(await one.read('another')).toEqual([])
  })

  test('only who knows the last entry appends, and a rollout begins once', async () => {
    await using pair = await open()
    const { one, other } = pair
    await one.append('r1', started(planOf(['n1'])), 0)
    expect(await other.append('r1', started(planOf(['n9'])), 0)).toEqual({ ok: false, why: 'conflict' })
    expect(await other.append('r1', took(1), 1)).toEqual({ ok: true, seq: 2 })
    expect(await one.append('r1', took(9), 1)).toEqual({ ok: false, why: 'conflict' })
    expect(await one.append('r1', took(9), 7)).toEqual({ ok: false, why: 'conflict' })
    expect((await one.read('r1')).map(({ event }) => event.term)).toEqual([0, 1])
  })

  test('of many that append at once each place is taken by one', async () => {
    await using pair = await open()
    const { one, other } = pair
    await one.append('r1', started(planOf(['n1'])), 0)
    const won: string[] = []
    const write = async (journal: Journal, holder: string): Promise<void> => {
      for (let tries = 0; tries < 20; tries += 1) {
        const last = (await journal.read('r1')).at(-1)?.seq ?? 0
        const outcome = await journal.append('r1', took(1, `${holder} ${last}`), last)
        if (outcome.ok) won.push(`${outcome.seq} ${holder} ${last}`)
      }
    }
    await Promise.all([write(one, 'a'), write(other, 'b'), write(one, 'c'), write(other, 'd')])
    const entries = await other.read('r1')
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, at) => at + 1))
    const told = entries.slice(1).map(({ seq, event }) => `${seq} ${event.type === 'driver.took' ? event.holder : ''}`)
    expect(told.toSorted()).toEqual(won.toSorted())
    expect(won.length).toBeGreaterThanOrEqual(20)
  })

  test('rollouts are apart, the newest is listed first', async () => {
    await using pair = await open()
    const { one, other } = pair
    for (const id of ['r1', 'zz', 'aa']) {
      await one.append(id, started(planOf(['n1'], { rollout: id })), 0)
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
    await other.append('r1', took(1), 1)
    expect(await other.list()).toEqual(['aa', 'zz', 'r1'])
    expect(await one.read('aa')).toHaveLength(1)
  })

  test('who follows is told what was there and what comes, each once and in order', async () => {
    await using pair = await open()
    const { one, other } = pair
    await one.append('r1', started(planOf(['n1'])), 0)
    await one.append('r1', took(1), 1)
    const [heard, late] = [[] as JournalEntry[], [] as JournalEntry[]]
    const end = new AbortController()
    const following = [
      other.follow('r1', 0, (entry) => heard.push(entry), end.signal),
      one.follow('r1', 1, (entry) => late.push(entry), end.signal),
    ]
    await vi.waitFor(() => expect(heard.map(({ seq }) => seq)).toEqual([1, 2]), LONG)
    for (let seq = 2; seq < 40; seq += 1) await (seq % 2 === 0 ? one : other).append('r1', took(seq), seq)
    await vi.waitFor(() => expect(heard.at(-1)?.seq).toBe(40), LONG)
    await vi.waitFor(() => expect(late.at(-1)?.seq).toBe(40), LONG)
    expect(heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 40 }, (_, at) => at + 1))
    expect(late.map(({ seq }) => seq)).toEqual(Array.from({ length: 39 }, (_, at) => at + 2))
    end.abort()
    await Promise.all(following)
  })

  test('the plan of two thousand nodes is one entry', async () => {
    await using pair = await open()
    const keys = Array.from({ length: 2000 }, (_, at) => `node-${at}.plant-with-a-long-name.example.com`)
    const plan = planOf(keys, { waveSize: 50 })
    expect(await pair.one.append('r1', started(plan), 0)).toEqual({ ok: true, seq: 1 })
    expect(await pair.other.read('r1')).toEqual([{ seq: 1, event: started(plan) }])
  })

  test('what nobody could read back is not kept', async () => {
    await using pair = await open()
    await pair.one.append('r1', started(planOf(['n1'])), 0)
    await expect(pair.one.append('r1', took(Number.NaN), 1)).rejects.toThrow('cannot be kept')
    expect(await pair.one.read('r1')).toHaveLength(1)
    expect(await pair.one.append('r1', took(1), 1)).toEqual({ ok: true, seq: 2 })
  })
}
