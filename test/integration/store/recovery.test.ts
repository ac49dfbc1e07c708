import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeCommit } from '../../../edge-daemon/store/commit.ts'
import { FRAME_MAGIC } from '../../../edge-daemon/store/frame.ts'
import { UPSTREAM_CLASSES } from '../../../protocol/subjects.ts'
import { engineOptions, ledgerOf, plain, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

/** Write `count` commits of one record each and return the epoch. */
function filled(dir: string, count: number): string {
  return withEngine(engineOptions(dir), (engine) => {
    for (let n = 0; n < count; n += 1) engine.commit(plain('normal'))
    return engine.epoch
  })
}

function frameOffsets(path: string): number[] {
  const bytes = readFileSync(path)
  const offsets: number[] = []
  for (let at = bytes.indexOf(FRAME_MAGIC); at >= 0; at = bytes.indexOf(FRAME_MAGIC, at + 1)) offsets.push(at)
  return offsets
}

const seqsOf = (records: readonly { seq: number }[]): number[] => records.map(({ seq }) => seq)

describe('the store after a restart', () => {
  it('goes on in its epoch with the next sequence', () => {
    using folder = storeFolder()
    const epoch = filled(folder.dir, 3)
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(engine.epoch).toBe(epoch)
      expect(engine.commit(plain('stat'))).toMatchObject({ ok: true, firstSeq: 4, own: [] })
      expect(seqsOf(readAll(engine))).toEqual([1, 2, 3, 4])
      expect(engine.status()).toMatchObject({ state: 'ok', firstSeq: 1, lastSeq: 4, corruptBlocks: 0, error: null })
    })
  })

  it('cuts off a torn write that was never answered, silently, at every length of it', () => {
    using folder = storeFolder()
    const epoch = filled(folder.dir, 2)
    const next = encodeCommit(plain('normal', 'abnormal'), { epoch, firstSeq: 3, nodeJson: '"n1"' })
    const torn = Buffer.concat(next.frames.flatMap(({ buffers }) => buffers))
    const [segment = ''] = folder.segments()
    const whole = readFileSync(segment)
    for (let length = 1; length < torn.length; length += 7) {
      folder.edit(segment, () => Buffer.concat([whole, torn.subarray(0, length)]))
      withEngine(engineOptions(folder.dir), (engine) => {
        expect(seqsOf(readAll(engine)), `torn after ${length} bytes`).toEqual([1, 2])
        expect(engine.epoch).toBe(epoch)
      })
      expect(readFileSync(segment).length).toBe(whole.length)
    }
    expect(existsSync(join(folder.dir, 'quarantine'))).toBe(false)
  })

  it('keeps a whole commit that was synced and not answered', () => {
    using folder = storeFolder()
    const epoch = filled(folder.dir, 2)
    const next = encodeCommit(plain('normal', 'abnormal'), { epoch, firstSeq: 3, nodeJson: '"n1"' })
    const [segment = ''] = folder.segments()
    appendFileSync(segment, Buffer.concat(next.frames.flatMap(({ buffers }) => buffers)))
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(seqsOf(readAll(engine))).toEqual([1, 2, 3, 4])
      expect(engine.epoch).toBe(epoch)
      expect(engine.commit(plain('normal'))).toMatchObject({ ok: true, firstSeq: 5 })
    })
  })

  it('skips a damaged frame in the middle, sets it aside and says so once', () => {
    using folder = storeFolder()
    const epoch = filled(folder.dir, 5)
    const [segment = ''] = folder.segments()
    const third = frameOffsets(segment)[2] ?? 0
    folder.edit(segment, (bytes) => {
      bytes.writeUInt8(bytes.readUInt8(third + 90) ^ 1, third + 90)
      return bytes
    })
    for (let start = 0; start < 2; start += 1) {
      withEngine(engineOptions(folder.dir), (engine) => {
        expect(seqsOf(readAll(engine, { classes: ['normal'] }))).toEqual([1, 2, 4, 5])
        expect(engine.epoch).toBe(epoch)
        expect(engine.status().corruptBlocks).toBe(1)
        expect(ledgerOf(engine)).toMatchObject([{ event: 'corrupt', reason: 'checksum', first_seq: 3, last_seq: 3 }])
      })
    }
    const [aside = ''] = readdirSync(join(folder.dir, 'quarantine'))
    const bytes = readFileSync(join(folder.dir, 'quarantine', aside))
    expect(bytes.toString()).toContain('"seq":3')
  })

  it('skips damage that took a length or a magic with it', () => {
    using folder = storeFolder()
    filled(folder.dir, 6)
    const [segment = ''] = folder.segments()
    const offsets = frameOffsets(segment)
    folder.edit(segment, (bytes) => {
      bytes.writeUInt32LE(9_000_000, (offsets[1] ?? 0) + 8)
      bytes.fill(0, offsets[3], (offsets[3] ?? 0) + 40)
      return bytes
    })
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(seqsOf(readAll(engine, { classes: ['normal'] }))).toEqual([1, 3, 5, 6])
      expect(ledgerOf(engine).map(({ first_seq }) => first_seq)).toEqual([2, 4])
    })
  })

  it('notices a log that was cut between two frames: the loss is in the ledger, a new epoch begins, no sequence comes twice', () => {
    using folder = storeFolder()
    const epoch = filled(folder.dir, 10)
    const [segment = ''] = folder.segments()
    truncateSync(segment, frameOffsets(segment)[6])
    const renewed = withEngine(engineOptions(folder.dir), (engine) => {
      expect(engine.epoch).not.toBe(epoch)
      expect(ledgerOf(engine)).toMatchObject([
        { event: 'lost_tail', first_seq: 7, last_seq: 10, seq: 11 },
        { event: 'new_epoch', reason: 'lost_tail', seq: 12 },
      ])
      expect(engine.commit(plain('normal'))).toMatchObject({ ok: true, firstSeq: 13, epoch: engine.epoch })
      expect(readAll(engine).map((record) => record.epoch === epoch)).toEqual([
        ...Array.from({ length: 6 }, () => true),
        ...[false, false, false],
      ])
      return engine.epoch
    })
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(engine.epoch).toBe(renewed)
      expect(ledgerOf(engine)).toHaveLength(2)
    })
  })

  it('treats a damaged last frame that was answered as a lost tail and keeps its bytes aside', () => {
    using folder = storeFolder()
    const epoch = filled(folder.dir, 4)
    const [segment = ''] = folder.segments()
    folder.edit(segment, (bytes) => bytes.fill(0x20, bytes.length - 3))
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(engine.epoch).not.toBe(epoch)
      expect(ledgerOf(engine)).toMatchObject([
        { event: 'lost_tail', first_seq: 4, last_seq: 4 },
        { event: 'new_epoch' },
      ])
    })
    expect(readdirSync(join(folder.dir, 'quarantine'))).toHaveLength(1)
  })

  it('begins a new epoch when the watermark is gone', () => {
    using folder = storeFolder()
    const epoch = filled(folder.dir, 4)
    rmSync(join(folder.dir, 'watermark'))
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(engine.epoch).not.toBe(epoch)
      expect(ledgerOf(engine)).toMatchObject([{ event: 'new_epoch', reason: 'watermark_missing', seq: 5 }])
    })
  })

  it('starts on segments that hold nothing but garbage', () => {
    using folder = storeFolder()
    filled(folder.dir, 4)
    const [segment = ''] = folder.segments()
    folder.edit(segment, (bytes) => bytes.fill(0xed))
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(ledgerOf(engine)).toMatchObject([
        { event: 'lost_tail', first_seq: 1, last_seq: 4 },
        { event: 'new_epoch' },
      ])
      expect(engine.commit(plain('normal'))).toMatchObject({ ok: true, firstSeq: 7 })
    })
  })

  it('leaves out what a failed sync left behind the start of the next segment', () => {
    using folder = storeFolder()
    const epoch = filled(folder.dir, 3)
    const [segment = ''] = folder.segments()
    const encoded = (n: number): Buffer => {
      const record = { class: 'normal', timestamp: 5, bodyJson: `{"n":${n}}` } as const
      const { frames } = encodeCommit([record], { epoch, firstSeq: 4, nodeJson: '"n1"' })
      return Buffer.concat(frames.flatMap(({ buffers }) => buffers))
    }
    appendFileSync(segment, encoded(111))
    appendFileSync(join(folder.dir, 'segments', '0000000000000004.log'), encoded(222))
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(readAll(engine).filter(({ seq }) => seq === 4)).toMatchObject([{ line: expect.stringContaining('222') }])
      expect(engine.status().records).toBe(4)
    })
  })

  it('repairs a damaged cursor, reports it once and sends again from below', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 4; n += 1) engine.commit(plain('abnormal'))
      engine.saveCursor('nats', 'abnormal', 3)
    })
    folder.edit(join(folder.dir, 'cursors', 'nats.chain'), (bytes) => bytes.map((byte) => byte ^ 0x55) as Buffer)
    for (let start = 0; start < 2; start += 1) {
      withEngine(engineOptions(folder.dir), (engine) => {
        expect(engine.targets.backlogs().nats?.byClass.abnormal).toBe(4)
        expect(ledgerOf(engine).filter(({ reason }) => reason === 'cursor').length).toBe(UPSTREAM_CLASSES.length)
      })
    }
  })

  it('has in its ledger what was not kept though nothing was committed behind it', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => engine.noteLost([['normal', 3]]))
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(ledgerOf(engine)).toMatchObject([{ event: 'not_stored', records: { normal: 3 } }])
    })
  })

  it('writes over nothing that was answered and cannot be read, and takes it back when it can be read again', () => {
    using folder = storeFolder()
    filled(folder.dir, 3)
    const [path = ''] = folder.segments()
    const flip = (): void =>
      folder.edit(path, (bytes) => Buffer.from(bytes.with(bytes.length - 1, (bytes.at(-1) ?? 0) ^ 1)))
    flip()
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(seqsOf(readAll(engine, { classes: ['normal'] }))).toEqual([1, 2])
      expect(ledgerOf(engine).map(({ event }) => event)).toEqual(['lost_tail', 'new_epoch'])
      engine.commit(plain('normal'))
    })
    for (let start = 0; start < 2; start += 1) {
      withEngine(engineOptions(folder.dir), (engine) => {
        expect(seqsOf(readAll(engine, { classes: ['normal'] }))).toEqual([1, 2, 6])
        expect(ledgerOf(engine)).toHaveLength(2)
      })
    }
    flip()
    withEngine(engineOptions(folder.dir), (engine) => {
      expect(seqsOf(readAll(engine, { classes: ['normal'] }))).toEqual([1, 2, 3, 6])
      expect(engine.commit(plain('normal'))).toMatchObject({ ok: true, firstSeq: 7, own: [] })
    })
  })
})
