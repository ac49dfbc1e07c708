import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import type { NewRecord, Store, StoredRecord, StoreOptions } from '../../../edge-daemon/store/store.ts'
import { openStore, startStoreWorker } from '../../../edge-daemon/store/store.ts'
import { RECORD_CLASSES } from '../../../protocol/subjects.ts'
import { storeFolder } from '../../support/store-folder.ts'

const options = (dir: string): StoreOptions => ({ dir, nodeName: 'n1', maxBytes: 1e9, segmentBytes: 64_000 })
const record = (n: number): NewRecord => ({
  class: RECORD_CLASSES[n % RECORD_CLASSES.length] ?? 'normal',
  timestamp: 1_793_000_000_000 + n,
  body: { n },
})

async function everything(store: Store): Promise<StoredRecord[]> {
  return store.read({ classes: RECORD_CLASSES, limit: 1_000_000 })
}

describe('the store', () => {
  it('gives every record one place in one sequence, whoever appends, and listeners hear of them in that order first', async () => {
    using folder = storeFolder()
    const store = await openStore(options(folder.dir))
    const heard: StoredRecord[] = []
    store.onCommit((records) => heard.push(...records))
    const answered = new Map<number, number>()
    let n = 0
    await Promise.all(
      Array.from({ length: 40 }, async (_, writer) => {
        for (let turn = 0; turn < 25; turn += 1) {
          const mine = Array.from({ length: 1 + ((writer + turn) % 3) }, () => {
            n += 1
            return n
          })
          const outcome = await store.append(mine.map(record))
          if (!outcome.stored) throw new Error(outcome.msg)
          expect(outcome.epoch).toBe(store.epoch)
          expect(heard.at(-1)?.seq).toBeGreaterThanOrEqual(outcome.seqs.at(-1) ?? 0)
          expect(outcome.seqs).toEqual(mine.map((_, position) => (outcome.seqs[0] ?? 0) + position))
          for (const [position, id] of mine.entries()) answered.set(outcome.seqs[position] ?? 0, id)
        }
      }),
    )
    const kept = await everything(store)
    expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: n }, (_, position) => position + 1))
    expect(heard).toEqual(kept)
    for (const { seq, line, timestamp } of kept) {
      const parsed = JSON.parse(line)
      expect(parsed).toEqual({ seq, node_id: 'n1', timestamp, n: answered.get(seq) })
    }
    const { commits, records } = store.status()
    expect(records).toBe(n)
    expect(commits).toBeLessThan(1000)
    await store.close()
  })

  it('refuses a second owner in this process and in another, and names the cure', async () => {
    using folder = storeFolder()
    const store = await openStore(options(folder.dir))
    await expect(openStore(options(folder.dir))).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      next: [expect.stringContaining('--state-dir')],
    })
    // A refused opening must not loosen the lock of the owner.
    const appender = new URL('../../support/store-appender.ts', import.meta.url).pathname
    await expect(
      promisify(execFile)(process.execPath, [appender, folder.dir, 'x'], { timeout: 60_000 }),
    ).rejects.toMatchObject({
      stderr: expect.stringContaining('STORE_LOCKED'),
    })
    await store.close()
    await (await openStore(options(folder.dir))).close()
  })

  it('says what is wrong with a folder that cannot be used', async () => {
    using folder = storeFolder()
    writeFileSync(folder.dir, 'a file in the way')
    await expect(openStore(options(folder.dir))).rejects.toMatchObject({
      code: 'STORE_UNUSABLE',
      message: expect.stringContaining(folder.dir),
    })
  })

  it('commits what was appended before it was closed, and refuses kindly afterwards', async () => {
    using folder = storeFolder()
    const store = await openStore(options(folder.dir))
    const last = store.append([record(1)])
    const closed = store.close()
    expect(await last).toMatchObject({ stored: true, seqs: [1] })
    await closed
    await store.close()
    expect(await store.append([record(2)])).toEqual({
      stored: false,
      code: 'STORE_FAILING',
      msg: 'the store is closed',
    })
    await expect(everything(store)).rejects.toMatchObject({ code: 'STORE_FAILING' })
  })

  it('refuses records that cannot be kept, and only those', async () => {
    using folder = storeFolder()
    const store = await openStore(options(folder.dir))
    const circular: Record<string, unknown> = {}
    circular.self = circular
    const bad = { stored: false, code: 'REQUEST_MALFORMED' }
    expect(await store.append([{ class: 'normal', timestamp: 1, body: circular }])).toMatchObject(bad)
    expect(await store.append([{ class: 'normal', timestamp: 1, body: [] }])).toMatchObject(bad)
    expect(await store.append([{ class: 'normal', timestamp: 1.5, body: {} }])).toMatchObject(bad)
    expect(await store.append([{ class: 'normal', timestamp: -1, body: {} }])).toMatchObject(bad)
    const huge = { text: 'x'.repeat(5 * 1024 * 1024) }
    expect(await store.append([{ class: 'normal', timestamp: 1, body: huge }])).toMatchObject({
      stored: false,
      code: 'REQUEST_TOO_LARGE',
    })
    const odd = { text: '\n\r\u2028\ud800"\\{"seq":9', 文: '字' }
    expect(await store.append([{ class: 'normal', timestamp: 1, body: odd }])).toMatchObject({
      stored: true,
      seqs: [1],
    })
    const [kept] = await everything(store)
    expect(JSON.parse(kept?.line ?? '')).toEqual({ seq: 1, node_id: 'n1', timestamp: 1, ...odd })
    await store.close()
  })

  it('keeps cursors and what waits above them over a restart', async () => {
    using folder = storeFolder()
    let store = await openStore(options(folder.dir))
    await store.append(Array.from({ length: 16 }, (_, n) => record(n)))
    expect(store.cursors('nats')).toEqual({})
    expect(store.backlog('nats').records).toBe(10)
    await store.saveCursor('nats', 'stat', 3)
    await store.saveCursor('site a/ü', 'alert', 12)
    await store.close()
    store = await openStore(options(folder.dir))
    expect(store.cursors('nats')).toEqual({ stat: 3 })
    expect(store.cursors('site a/ü')).toEqual({ alert: 12 })
    expect(store.backlog('nats').byClass).toMatchObject({ stat: 1, alert: 2 })
    expect(store.backlog('site a/ü')).toMatchObject({ records: 9, oldestAt: record(1).timestamp })
    expect(store.backlog('constructor').records).toBe(10)
    await store.close()
  })

  it('begins a new epoch when told, with its ledger entry as the first record, and remembers the fork', async () => {
    using folder = storeFolder()
    let store = await openStore(options(folder.dir))
    const { epoch } = store
    await store.append([record(1), record(2)])
    const heard: string[] = []
    store.onCommit((records) => heard.push(...records.map(({ epoch: its, line }) => `${its} ${line}`)))
    const alias = await store.beginEpoch('cloned', 'another disk sends')
    expect(alias).not.toBe(epoch)
    expect(store.epoch).toBe(alias)
    expect(store.forks).toEqual([{ alias, throughSeq: 2 }])
    expect(heard).toEqual([expect.stringMatching(new RegExp(`^${alias} .*"event":"new_epoch","reason":"cloned"`))])
    expect(heard[0]).toContain(`a new epoch began after ${epoch}: another disk sends`)
    await store.append([record(4)])
    await store.close()
    store = await openStore(options(folder.dir))
    expect(store.epoch).toBe(alias)
    expect(store.forks).toEqual([{ alias, throughSeq: 2 }])
    const kept = await everything(store)
    expect(kept.map((its) => [its.seq, its.epoch])).toEqual([
      [1, epoch],
      [2, epoch],
      [3, alias],
      [4, alias],
    ])
    await store.close()
  })

  it('keeps a chain over a restart, and never uses a sequence again that it names', async () => {
    using folder = storeFolder()
    let store = await openStore(options(folder.dir))
    await store.append([record(1)])
    const held = { epoch: 'a'.repeat(32), firstSeq: 1, lastSeq: 1, digest: 'b'.repeat(64), position: 7 }
    const chain = { archive: 'c'.repeat(32), cursor: 1, syncedSeq: 0, held, sent: { ...held, firstSeq: 2, lastSeq: 9 } }
    void store.saveChain('nats', 'stat', chain)
    expect(store.chains('nats')).toEqual({ stat: chain })
    await store.close()
    store = await openStore(options(folder.dir))
    expect(store.chains('nats')).toEqual({ stat: chain })
    expect(await store.append([record(2)])).toMatchObject({ seqs: [10] })
    await store.close()
  })

  it('starts its worker again when it dies: nothing answered is lost, nothing unanswered hangs, the loss is counted', async () => {
    using folder = storeFolder()
    const workers: Worker[] = []
    const events: string[] = []
    const store = await openStore({ ...options(folder.dir), notice: ({ event }) => events.push(event) }, (settings) => {
      const worker = startStoreWorker(settings)
      workers.push(worker)
      return worker
    })
    expect(await store.append([record(0)])).toMatchObject({ stored: true })
    const inFlight = store.append([record(1)])
    const reading = everything(store)
    await workers[0]?.terminate()
    const outcome = await inFlight
    await reading.catch((error) => expect(error).toMatchObject({ code: 'STORE_FAILING' }))
    expect(await store.append([record(2)])).toMatchObject({ stored: false, code: 'STORE_FAILING' })
    expect(store.status()).toMatchObject({ state: 'failing', error: expect.stringContaining('started again') })

    await expect.poll(async () => (await store.append([record(3)])).stored, { timeout: 60_000 }).toBe(true)
    expect(events).toEqual(['store.worker_died', 'store.worker_restarted'])
    expect(store.status().state).toBe('ok')
    const kept = await everything(store)
    expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: kept.length }, (_, n) => n + 1))
    expect(kept[0]).toMatchObject({ class: record(0).class })
    if (outcome.stored) expect(kept.some(({ line }) => JSON.parse(line).n === 1)).toBe(true)
    const ledger = kept.filter((entry) => entry.class === 'ledger').map(({ line }) => JSON.parse(line))
    expect(ledger).toMatchObject([{ event: 'not_stored', reason: 'store_unavailable' }])
    await store.close()
    expect(workers).toHaveLength(2)
  })

  it('goes on when a listener throws, and tells of it', async () => {
    using folder = storeFolder()
    const events: string[] = []
    const store = await openStore({ ...options(folder.dir), notice: ({ event }) => events.push(event) })
    let heard = 0
    store.onCommit(() => {
      throw new Error('a listener with a fault')
    })
    const unsubscribe = store.onCommit((records) => {
      heard += records.length
    })
    await store.append([record(1)])
    unsubscribe()
    await store.append([record(2)])
    expect(heard).toBe(1)
    expect(events).toEqual(['store.listener_threw', 'store.listener_threw'])
    await store.close()
  })
})
