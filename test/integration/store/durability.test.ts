import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Disk, nodeDisk } from '../../../edge-daemon/store/disk.ts'
import { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { Watermark } from '../../../edge-daemon/store/watermark.ts'
import { engineOptions, ledgerOf, plain, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

/** A disk that writes down what it is asked to do with the log, and may refuse to sync. */
class RecordingDisk {
  readonly calls: string[] = []
  refusesSync = false
  /** Asked before each call, to look at what else is on the disk by then. */
  look: (call: string) => void = () => undefined
  readonly #names = new Map<number, string>()

  readonly disk: Disk = {
    ...nodeDisk,
    create: (path) => this.#opened('create', path, nodeDisk.create(path)),
    open: (path) => this.#opened('open', path, nodeDisk.open(path)),
    write: (fd, buffers, position) => {
      this.#note('write', this.#names.get(fd))
      nodeDisk.write(fd, buffers, position)
    },
    sync: (fd) => {
      this.#note('sync', this.#names.get(fd))
      if (this.refusesSync) throw Object.assign(new Error('EIO'), { code: 'EIO' })
      nodeDisk.sync(fd)
    },
    unlink: (path) => {
      this.#note('unlink', basename(path))
      nodeDisk.unlink(path)
    },
    syncFolder: (path) => {
      this.#note('syncFolder', basename(path))
      nodeDisk.syncFolder(path)
    },
  }

  /** What was asked for since the last look, for the log alone. */
  taken(): string[] {
    return this.calls.splice(0).filter((call) => !call.includes('reserve'))
  }

  #opened(call: string, path: string, fd: number): number {
    this.#names.set(fd, basename(path))
    this.#note(call, basename(path))
    return fd
  }

  #note(call: string, name: string | undefined): void {
    this.look(`${call} ${name}`)
    this.calls.push(`${call} ${name}`)
  }
}

function watermarkSeq(dir: string): number | undefined {
  const watermark = Watermark.open(join(dir, 'watermark'))
  watermark.close()
  return watermark.found?.lastSeq
}

const FIRST = '0000000000000001.log'

describe('a store that is synced before it answers', () => {
  it('syncs the folders, the folder of a new segment, the segment, and then writes the watermark, before the answer', () => {
    using folder = storeFolder()
    const recording = new RecordingDisk()
    const engine = LogEngine.open(engineOptions(folder.dir, { disk: recording.disk }))
    expect(recording.taken()).toEqual(
      expect.arrayContaining(['syncFolder store', expect.stringMatching(/^syncFolder edgedeck-store-/)]),
    )
    const marks: string[] = []
    recording.look = (call) => marks.push(`${call} at ${watermarkSeq(folder.dir)}`)
    engine.commit(plain('normal', 'abnormal'))
    expect(watermarkSeq(folder.dir)).toBe(2)
    engine.commit(plain('normal'))
    expect(watermarkSeq(folder.dir)).toBe(3)
    expect(marks).toEqual([
      `create ${FIRST} at 0`,
      'syncFolder segments at 0',
      `write ${FIRST} at 0`,
      `sync ${FIRST} at 0`,
      'write watermark at 0',
      `write ${FIRST} at 2`,
      `sync ${FIRST} at 2`,
      'write watermark at 2',
    ])
    expect(engine.status().durability).toBe('sync')
    engine.close()
    expect(existsSync(join(folder.dir, 'unsynced'))).toBe(false)
  })
})

it.each(['sync', 'async'] as const)(
  '%s: the note of what goes is synced before anything goes, and the folder behind it',
  (durability) => {
    using folder = storeFolder()
    const recording = new RecordingDisk()
    const options = engineOptions(folder.dir, {
      disk: recording.disk,
      segmentBytes: 8192,
      maxBytes: 40_000,
      durability,
    })
    withEngine(options, (engine) => {
      let calls: string[] = []
      while (!calls.some((call) => call.startsWith('unlink 0'))) {
        engine.commit(plain('normal'))
        recording.taken()
        engine.enforceRetention()
        calls = recording.taken()
      }
      const gone = calls.findIndex((call) => call.startsWith('unlink 0'))
      const before = calls.slice(0, gone)
      expect(before.findLastIndex((call) => call.startsWith('sync 0'))).toBeGreaterThan(
        before.findLastIndex((call) => call.startsWith('write 0')),
      )
      expect(calls.slice(gone + 1)).toContain('syncFolder segments')
    })
  },
)

describe('a store with durability async', () => {
  const asyncOptions = (dir: string, recording = new RecordingDisk()) =>
    engineOptions(dir, { durability: 'async', disk: recording.disk })

  it('answers after the write, syncs when told to, at the end of a segment and at the end, and says so', () => {
    using folder = storeFolder()
    const recording = new RecordingDisk()
    const engine = LogEngine.open({ ...asyncOptions(folder.dir, recording), segmentBytes: 1000 })
    recording.taken()
    engine.commit(plain('normal'))
    engine.commit(plain('normal'))
    expect(recording.taken()).toEqual([
      `create ${FIRST}`,
      'syncFolder segments',
      `write ${FIRST}`,
      'write watermark',
      `write ${FIRST}`,
      'write watermark',
    ])
    expect(engine.isUnsynced).toBe(true)
    engine.flush()
    engine.flush()
    expect(recording.taken()).toEqual([`sync ${FIRST}`])
    expect(engine.isUnsynced).toBe(false)
    while (engine.status().segments === 1) engine.commit(plain('normal'))
    const calls = recording.taken()
    expect(calls.indexOf(`sync ${FIRST}`)).toBe(calls.findIndex((call) => call.startsWith('create')) - 1)
    expect(engine.status().durability).toBe('async')
    expect(existsSync(join(folder.dir, 'unsynced'))).toBe(true)
    engine.close()
    expect(recording.taken().filter((call) => /^sync(Folder store| 0)/.test(call))).toEqual([
      expect.stringMatching(/^sync 0/),
      'syncFolder store',
    ])
    expect(existsSync(join(folder.dir, 'unsynced'))).toBe(false)
  })

  it('goes on in its epoch after the death of the process, and in a new one when the machine went down meanwhile', () => {
    using folder = storeFolder()
    const mark = join(folder.dir, 'unsynced')
    const epoch = withEngine(asyncOptions(folder.dir), (engine) => {
      engine.commit(plain('normal'))
      return engine.epoch
    })
    const thisBoot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    writeFileSync(mark, thisBoot)
    withEngine(asyncOptions(folder.dir), (engine) => expect(engine.epoch).toBe(epoch))
    writeFileSync(mark, 'another start of the machine')
    const next = withEngine(asyncOptions(folder.dir), (engine) => {
      expect(engine.epoch).not.toBe(epoch)
      expect(ledgerOf(engine)).toMatchObject([{ event: 'new_epoch', reason: 'unsynced' }])
      expect(readFileSync(mark, 'utf8')).toBe(thisBoot)
      return engine.epoch
    })
    // Turned back to sync after a death: what is there is synced first, then the word is taken back.
    writeFileSync(mark, thisBoot)
    const recording = new RecordingDisk()
    withEngine(engineOptions(folder.dir, { disk: recording.disk }), (engine) => {
      expect(engine.epoch).toBe(next)
      expect(recording.calls).toContain(`sync ${FIRST}`)
      expect(existsSync(mark)).toBe(false)
    })
  })

  it('tells in status and ledger when the disk will not sync what was answered, and goes on in a new segment', () => {
    using folder = storeFolder()
    const recording = new RecordingDisk()
    withEngine(asyncOptions(folder.dir, recording), (engine) => {
      engine.commit(plain('normal'))
      engine.flush()
      engine.commit(plain('normal', 'normal'))
      recording.refusesSync = true
      engine.flush()
      expect(engine.status().error).toContain('EIO')
      recording.refusesSync = false
      expect(engine.commit(plain('normal'))).toMatchObject({ ok: true, firstSeq: 4, own: [{ seq: 4 }] })
      expect(ledgerOf(engine)).toMatchObject([{ event: 'lost_tail', reason: 'sync_failed', first_seq: 2, last_seq: 3 }])
      expect(engine.status()).toMatchObject({ segments: 2, error: null })
      expect(readAll(engine, { classes: ['normal'] }).map(({ seq }) => seq)).toEqual([1, 2, 3, 5])
    })
    // The next sync may say that all is well of what was never written.
    expect(existsSync(join(folder.dir, 'unsynced'))).toBe(true)
  })

  it.each(['at the end of a segment', 'at the close'])('tells of it also %s', (when) => {
    using folder = storeFolder()
    const recording = new RecordingDisk()
    const refuse = { sync: (call: string): boolean => call === `sync ${FIRST}` }
    const disk: Disk = {
      ...recording.disk,
      sync: (fd) => {
        recording.refusesSync = false
        recording.look = (call) => {
          recording.refusesSync = refuse.sync(call)
        }
        recording.disk.sync(fd)
      },
    }
    withEngine({ ...asyncOptions(folder.dir), segmentBytes: 1000, disk }, (engine) => {
      engine.commit(plain('normal'))
      while (when === 'at the end of a segment' && engine.status().segments === 1) engine.commit(plain('normal'))
    })
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(ledgerOf(engine)).toMatchObject([{ event: 'lost_tail', reason: 'sync_failed', first_seq: 1 }])
    })
  })

  it('has an unsure tail in the ledger before it forgets that there was one', () => {
    using folder = storeFolder()
    const mark = join(folder.dir, 'unsynced')
    const epoch = withEngine(asyncOptions(folder.dir), (engine) => {
      engine.commit(plain('normal'))
      return engine.epoch
    })
    writeFileSync(mark, 'another start of the machine')
    for (const durability of ['async', 'sync'] as const) {
      const full: Disk = {
        ...nodeDisk,
        write: () => {
          throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
        },
      }
      withEngine({ ...asyncOptions(folder.dir), durability, disk: full }, () => {
        expect(readFileSync(mark, 'utf8')).toBe('another start of the machine')
      })
      // Its death at this place is the same as a close that can write nothing.
      writeFileSync(mark, 'another start of the machine')
    }
    withEngine(asyncOptions(folder.dir), (engine) => {
      expect(engine.epoch).not.toBe(epoch)
      expect(ledgerOf(engine)).toMatchObject([{ event: 'new_epoch', reason: 'unsynced' }])
    })
  })

  it('opens on a disk that takes no word of it, and syncs each commit until it does', () => {
    using folder = storeFolder()
    const mark = join(folder.dir, 'unsynced')
    let refuses = true
    const disk: Disk = {
      ...nodeDisk,
      create: (path) => {
        if (refuses && path === mark) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
        return nodeDisk.create(path)
      },
    }
    withEngine({ ...asyncOptions(folder.dir), disk }, (engine) => {
      engine.commit(plain('normal'))
      expect(engine.isUnsynced).toBe(false)
      refuses = false
      engine.maintain()
      engine.commit(plain('normal'))
      expect(engine.isUnsynced).toBe(true)
      expect(existsSync(mark)).toBe(true)
    })
    expect(existsSync(mark)).toBe(false)
  })
})
