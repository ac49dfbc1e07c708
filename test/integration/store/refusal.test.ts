import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Disk, nodeDisk } from '../../../edge-daemon/store/disk.ts'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { engineOptions, ledgerOf, plain, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

/** A disk that refuses the named call while `refuses` says so, and counts how often it was asked. */
function refusingDisk(call: 'write' | 'sync' | 'create', code: string): Disk & { refuses: boolean; asked: number } {
  const disk = {
    ...nodeDisk,
    refuses: false,
    asked: 0,
    [call]: (...args: never[]) => {
      disk.asked += 1
      if (disk.refuses) throw Object.assign(new Error(code), { code })
      return (nodeDisk[call] as (...given: never[]) => unknown)(...args)
    },
  }
  return disk as Disk & { refuses: boolean; asked: number }
}

/** Mount a tmpfs of a few hundred KiB; null where that is not allowed. */
async function smallDisk(): Promise<{ path: string; [Symbol.asyncDispose](): Promise<void> } | null> {
  const path = await mkdtemp(join(tmpdir(), 'edgedeck-small-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    await rm(path, { recursive: true })
    return null
  }
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', [path])
      await rm(path, { recursive: true })
    },
  }
}

describe('a disk that refuses', () => {
  it.each([
    ['write', 'ENOSPC'],
    ['write', 'EROFS'],
    ['sync', 'EIO'],
    ['sync', 'EDQUOT'],
  ] as const)('a %s with %s: appends are answered as not stored, and it recovers by itself', (call, code) => {
    using folder = storeFolder()
    const disk = refusingDisk(call, code)
    let monotonic = 0
    const options = engineOptions(folder.dir, { disk, monotonicMs: () => monotonic })
    withEngine(options, (engine) => {
      engine.commit(plain('normal'))
      disk.refuses = true
      expect(engine.commit(plain('normal', 'stat'))).toEqual({
        ok: false,
        code: 'STORE_FAILING',
        msg: `the disk refuses: ${code}`,
      })
      expect(engine.status()).toMatchObject({ state: 'failing', error: `the disk refuses: ${code}`, lastSeq: 1 })
      disk.refuses = false
      monotonic += 300
      expect(engine.commit(plain('normal'))).toMatchObject({
        ok: true,
        firstSeq: 2,
        own: [{ class: 'ledger', seq: 2 }],
      })
      expect(engine.status()).toMatchObject({ state: 'ok', error: null, lastSeq: 3 })
      expect(ledgerOf(engine)).toMatchObject([{ event: 'not_stored', msg: expect.stringMatching(/^1 records/) }])
      // The statistic is tried again by who made it, so nothing of it is lost.
      expect(ledgerOf(engine)[0]?.records).toEqual({ normal: 1 })
    })
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(readAll(engine).map(({ seq }) => seq)).toEqual([1, 2, 3])
      expect(engine.status().corruptBlocks).toBe(0)
    })
  })

  it('is asked again at most every 250 ms, however many appends come', () => {
    using folder = storeFolder()
    const disk = refusingDisk('write', 'ENOSPC')
    let monotonic = 0
    withEngine(engineOptions(folder.dir, { disk, monotonicMs: () => monotonic }), (engine) => {
      disk.refuses = true
      disk.asked = 0
      for (; monotonic < 1000; monotonic += 1) engine.commit(plain('normal'))
      expect(disk.asked).toBe(4)
      disk.refuses = false
      engine.commit(plain('normal'))
      expect(ledgerOf(engine)).toMatchObject([{ event: 'not_stored', records: { normal: 1000 } }])
    })
  })

  it('never gets a descriptor back whose sync failed, and gathers no files while every sync fails', () => {
    using folder = storeFolder()
    const failed: number[] = []
    let failures = 0
    const disk: Disk = {
      ...nodeDisk,
      sync: (fd) => {
        if (failures > 0) {
          failures -= 1
          failed.push(fd)
          throw Object.assign(new Error('EIO'), { code: 'EIO' })
        }
        nodeDisk.sync(fd)
      },
    }
    let monotonic = 0
    withEngine(engineOptions(folder.dir, { disk, monotonicMs: () => monotonic }), (engine) => {
      for (let n = 0; n < 9; n += 1) {
        if (n === 1) failures = 6
        engine.commit(plain('normal'))
        monotonic += 300
      }
      expect(failed).toHaveLength(6)
      expect(folder.segments().map((path) => path.replace(/.*\//, ''))).toEqual([
        '0000000000000001.log',
        '0000000000000002.log',
      ])
      expect(readAll(engine, { classes: ['normal'] }).map(({ seq }) => seq)).toEqual([1, 3, 4])
    })
  })

  it('that takes half a commit gets the half cut off again', () => {
    using folder = storeFolder()
    let fails = false
    const disk: Disk = {
      ...nodeDisk,
      write: (fd, buffers, position) => {
        nodeDisk.write(fd, fails ? buffers.slice(0, 1) : buffers, position)
        if (fails) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      },
    }
    withEngine(engineOptions(folder.dir, { disk }), (engine) => {
      engine.commit(plain('normal'))
      const [segment = ''] = folder.segments()
      const before = statSync(segment).size
      fails = true
      expect(engine.commit(plain('normal')).ok).toBe(false)
      expect(statSync(segment).size).toBe(before)
    })
  })

  it('that cannot even cut back a half-written commit costs no record that was answered', () => {
    using folder = storeFolder()
    let fails = false
    const refuse = (): never => {
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    const disk: Disk = {
      ...nodeDisk,
      // The write reaches the file, and yet it is refused and cannot be taken back.
      sync: (fd) => (fails ? refuse() : nodeDisk.sync(fd)),
      truncate: (fd, size) => (fails ? refuse() : nodeDisk.truncate(fd, size)),
    }
    let monotonic = 0
    withEngine(engineOptions(folder.dir, { disk, monotonicMs: () => monotonic }), (engine) => {
      engine.commit(plain('normal'))
      fails = true
      engine.commit([{ class: 'normal', timestamp: 7, bodyJson: '{"refused":true}' }])
      fails = false
      monotonic += 300
      engine.commit(plain('normal'))
    })
    withEngine(engineOptions(folder.dir), (engine) => {
      const lines = readAll(engine).map(({ line }) => line)
      expect(lines.map((line) => JSON.parse(line).seq)).toEqual([1, 2, 3])
      expect(lines.join()).not.toContain('"refused":true')
    })
  })

  it('because it is full, for real: goes on answering, and stores again once there is space', async (context) => {
    await using disk = await smallDisk()
    if (disk === null) return context.skip('mounting a tmpfs is not allowed here')
    const ballast = join(disk.path, 'ballast')
    const store = await openStore({
      dir: join(disk.path, 's'),
      nodeName: 'n1',
      maxBytes: 1e9,
      segmentBytes: 64_000,
      floorBytes: 1e9,
    })
    writeFileSync(ballast, Buffer.alloc(200_000))
    const append = (n: number) =>
      store.append([{ class: 'abnormal', timestamp: Date.now(), body: { n, text: 'y'.repeat(1500) } }])

    const kept: number[] = []
    let refused = 0
    for (let n = 0; refused < 5; n += 1) {
      const outcome = await append(n)
      if (outcome.stored) kept.push(...outcome.seqs)
      else {
        expect(outcome).toEqual({ stored: false, code: 'STORE_FAILING', msg: 'the disk refuses: ENOSPC' })
        refused += 1
      }
    }
    expect(statfsSync(disk.path).bavail).toBeLessThan(2)
    expect(store.status()).toMatchObject({ state: 'failing', error: 'the disk refuses: ENOSPC' })
    expect(await store.read({ classes: ['abnormal'], limit: 10_000 })).toHaveLength(kept.length)

    rmSync(ballast)
    await expect.poll(async () => (await append(-1)).stored, { timeout: 60_000, interval: 50 }).toBe(true)
    expect(store.status().state).toBe('ok')
    const [ledger] = await store.read({ classes: ['ledger'], limit: 10 })
    const entry = JSON.parse(ledger?.line ?? '{}')
    expect(entry.event).toBe('not_stored')
    expect(entry.records.abnormal).toBeGreaterThanOrEqual(refused)
    const lastSeq = store.status().lastSeq
    await store.close()

    const again = await openStore({
      dir: join(disk.path, 's'),
      nodeName: 'n1',
      maxBytes: 1e9,
      segmentBytes: 64_000,
      floorBytes: 1e9,
    })
    const seqs = (await again.read({ classes: ['abnormal', 'ledger'], limit: 10_000 })).map(({ seq }) => seq)
    expect(seqs).toEqual(Array.from({ length: lastSeq }, (_, n) => n + 1))
    await again.close()
  })

  it('because others fill it: gives up its reserve, shrinks and goes on, down to the floor, and says what went', async (context) => {
    await using disk = await smallDisk()
    if (disk === null) return context.skip('mounting a tmpfs is not allowed here')
    const room = { maxBytes: 1e9, segmentBytes: 16_000, floorBytes: 60_000 }
    const store = await openStore({ dir: join(disk.path, 's'), nodeName: 'n1', ...room })
    await expect.poll(() => store.status().reserve, { timeout: 60_000, interval: 50 }).toBe('kept')
    const append = (n: number) =>
      store.append([{ class: 'abnormal', timestamp: Date.now(), body: { n, text: 'y'.repeat(900) } }])
    let kept = 0
    // Three times what the disk can hold.
    await expect
      .poll(
        async () => {
          for (let n = 0; n < 50; n += 1) if ((await append(n)).stored) kept += 1
          return kept
        },
        { timeout: 60_000, interval: 20 },
      )
      .toBeGreaterThan(1500)
    const { bytes, evictedRecords, byClass } = store.status()
    expect(evictedRecords).toBeGreaterThan(100)
    expect(bytes).toBeGreaterThan(room.floorBytes)
    expect(byClass?.abnormal?.evicted).toBeGreaterThan(100)
    const ledger = (await store.read({ classes: ['ledger'], limit: 1000 })).map(({ line }) => JSON.parse(line))
    expect(ledger.some(({ event, reason }) => event === 'evicted' && reason === 'disk_full')).toBe(true)
    await store.close()
  }, 240_000)

  it('because it is full at the start: opens, reads, and says of each record that it is not kept', async (context) => {
    await using disk = await smallDisk()
    if (disk === null) return context.skip('mounting a tmpfs is not allowed here')
    const options = { dir: join(disk.path, 's'), nodeName: 'n1', maxBytes: 1e9, segmentBytes: 64_000, floorBytes: 1e9 }
    const text = randomBytes(100_000).toString('base64')
    const record = { class: 'abnormal', timestamp: 1_793_000_000_000, body: { text } } as const
    const store = await openStore(options)
    const kept = await store.append([record])
    await store.close()
    const ballast = join(disk.path, 'ballast')
    expect(() => writeFileSync(ballast, Buffer.alloc(1_000_000))).toThrow('ENOSPC')

    const again = await openStore(options)
    expect(await again.append([record])).toMatchObject({ stored: false })
    expect(await again.read({ classes: ['abnormal'], limit: 10 })).toHaveLength(1)
    rmSync(ballast)
    await expect.poll(async () => (await again.append([record])).stored, { timeout: 60_000, interval: 50 }).toBe(true)
    expect(again.epoch).toBe(kept.stored ? kept.epoch : null)
    await again.close()
  })
})
