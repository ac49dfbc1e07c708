import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { PlainRecord } from '../../../edge-daemon/store/commit.ts'
import { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { FRAME_MAGIC } from '../../../edge-daemon/store/frame.ts'
import type { StoreKey, StoreKeys } from '../../../edge-daemon/store/seal.ts'
import type { RecordClass } from '../../../protocol/subjects.ts'
import { engineOptions, ledgerOf, plain, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

function key(id: number): StoreKey {
  return { id, secret: new Uint8Array(randomBytes(32)) }
}

function ring(keys: readonly StoreKey[], lost: readonly number[] = []): StoreKeys {
  return { keys, lost }
}

function telling(text: string, recordClass: RecordClass = 'abnormal'): PlainRecord[] {
  return [{ class: recordClass, timestamp: 1_793_000_000_000, bodyJson: JSON.stringify({ text }) }]
}

function everyByteUnder(dir: string): Buffer {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Buffer.concat(files.map((file) => readFileSync(join(file.parentPath, file.name))))
}

const seqsOf = (records: readonly { seq: number }[]): number[] => records.map(({ seq }) => seq)
const A = key(1)
const B = key(2)

describe('a sealed store', () => {
  it('keeps nothing readable and reads all of it again after a restart', () => {
    using folder = storeFolder()
    const options = engineOptions(folder.dir, { nodeName: 'press-4711', keys: ring([A]) })
    withEngine(options, (engine) => {
      engine.commit(telling('the cat sat'))
      engine.commit(telling('long '.repeat(2000)))
      engine.saveCursor('nats', 'abnormal', 1)
    })
    const bytes = everyByteUnder(folder.dir)
    for (const text of ['press-4711', 'the cat sat', 'long', '"seq"', 'node_id']) {
      expect(bytes.includes(text), text).toBe(false)
    }
    withEngine(options, (engine) => {
      expect(readAll(engine).map(({ line }) => JSON.parse(line).text.slice(0, 11))).toEqual([
        'the cat sat',
        'long long l',
      ])
      expect(engine.status()).toMatchObject({
        encryption: { keyId: 1, keys: 1, missingKeys: 0, plainBlocks: 0 },
        corruptBlocks: 0,
      })
    })
  })

  it('says that it is plain when it is, and what is still plain after encryption was turned on', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => {
      for (let n = 0; n < 3; n += 1) engine.commit(plain('normal'))
      expect(engine.status().encryption).toBeNull()
    })
    withEngine(engineOptions(folder.dir, { keys: ring([A]) }), (engine) => {
      engine.commit(plain('normal'))
      expect(seqsOf(readAll(engine))).toEqual([1, 2, 3, 4])
      expect(engine.status().encryption).toEqual({ keyId: 1, keys: 1, missingKeys: 0, plainBlocks: 3 })
    })
  })

  it('goes on under a new key without a stop, and reads what the old one sealed while that is there', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, { keys: ring([A]) }), (engine) => {
      engine.commit(plain('abnormal'))
      engine.changeKeys(ring([A, B]))
      engine.commit(plain('abnormal'))
      expect(seqsOf(readAll(engine))).toEqual([1, 2])
      expect(engine.status().encryption).toMatchObject({ keyId: 2, keys: 2, missingKeys: 0 })
    })
    withEngine(engineOptions(folder.dir, { keys: ring([B]) }), (engine) => {
      expect(seqsOf(readAll(engine, { classes: ['abnormal'] }))).toEqual([2])
      expect(engine.status().encryption).toMatchObject({ keyId: 2, keys: 1, missingKeys: 1 })
    })
  })
})

describe('blocks whose key is missing', () => {
  /** Sequences 1 and 2 under A, 3 and 4 under B. */
  function twoKeys(dir: string): void {
    withEngine(engineOptions(dir, { keys: ring([A]) }), (engine) => {
      engine.commit(plain('abnormal'))
      engine.commit(plain('abnormal'))
      engine.changeKeys(ring([A, B]))
      engine.commit(plain('abnormal'))
      engine.commit(plain('abnormal'))
    })
  }

  it('are told once, wait on the disk with their sequences, and are readable again when the key is back', () => {
    using folder = storeFolder()
    twoKeys(folder.dir)
    for (let start = 0; start < 2; start += 1) {
      withEngine(engineOptions(folder.dir, { keys: ring([B]) }), (engine) => {
        expect(ledgerOf(engine)).toMatchObject([
          {
            event: 'undeliverable',
            reason: 'key_missing',
            seq: 5,
            first_seq: 1,
            last_seq: 2,
            records: { abnormal: 2 },
            msg: expect.stringContaining('key 1'),
          },
        ])
        expect(engine.status()).toMatchObject({ corruptBlocks: 0, firstSeq: 1, records: 5 })
        expect(engine.targets.backlogs()['']?.byClass.abnormal).toBe(4)
      })
    }
    withEngine(engineOptions(folder.dir, { keys: ring([B]) }), (engine) => {
      engine.changeKeys(ring([A, B]))
      expect(seqsOf(readAll(engine, { classes: ['abnormal'] }))).toEqual([1, 2, 3, 4])
      expect(engine.status().encryption?.missingKeys).toBe(0)
    })
  })

  it('are not read past by who moves a cursor: it gets what comes before them, then is refused', () => {
    using folder = storeFolder()
    twoKeys(folder.dir)
    withEngine(engineOptions(folder.dir, { keys: ring([A, B]) }), (engine) => {
      engine.changeKeys(ring([A]))
      const wanted = { classes: ['abnormal'] as const, wholeOnly: true }
      expect(seqsOf(readAll(engine, wanted))).toEqual([1, 2])
      expect(() => readAll(engine, { ...wanted, afterSeq: 2 })).toThrow(/sealed under key 2/)
      expect(seqsOf(readAll(engine, { classes: ['abnormal'], afterSeq: 1 }))).toEqual([2])
      engine.changeKeys(ring([A, B]))
      expect(seqsOf(readAll(engine, { ...wanted, afterSeq: 2 }))).toEqual([3, 4])
    })
  })

  it('are passed over once their key is declared lost, and the ledger says so', () => {
    using folder = storeFolder()
    twoKeys(folder.dir)
    withEngine(engineOptions(folder.dir, { keys: ring([B], [1]) }), (engine) => {
      expect(seqsOf(readAll(engine, { classes: ['abnormal'], wholeOnly: true }))).toEqual([3, 4])
      expect(ledgerOf(engine)).toMatchObject([{ reason: 'key_lost', first_seq: 1, last_seq: 2 }])
      // Nobody waits for them: the status must not ask for a key that will not come.
      expect(engine.status().encryption).toMatchObject({ missingKeys: 0, lostKeys: 2 })
    })
  })
})

describe('a sealed store is not opened', () => {
  function sealedOnce(dir: string): void {
    withEngine(engineOptions(dir, { keys: ring([A]) }), (engine) => engine.commit(telling('x')))
  }

  it('without any key, or with none of its own', () => {
    using folder = storeFolder()
    sealedOnce(folder.dir)
    const before = everyByteUnder(folder.dir)
    for (const keys of [null, ring([B])]) {
      expect(() => LogEngine.open(engineOptions(folder.dir, { keys }))).toThrow(
        expect.objectContaining({
          code: 'STORE_KEY_MISSING',
          next: expect.arrayContaining([expect.stringContaining('1:lost')]),
        }),
      )
    }
    expect(everyByteUnder(folder.dir).equals(before)).toBe(true)
    withEngine(engineOptions(folder.dir, { keys: ring([B], [1]) }), (engine) => {
      expect(engine.commit(telling('y'))).toMatchObject({ ok: true })
    })
  })

  it('with other bytes under the number of its key: that is no damage', () => {
    using folder = storeFolder()
    sealedOnce(folder.dir)
    const wrong = { keys: ring([key(1)]) }
    expect(() => LogEngine.open(engineOptions(folder.dir, wrong))).toThrow(
      expect.objectContaining({ code: 'STORE_KEY_WRONG' }),
    )
    withEngine(engineOptions(folder.dir, { keys: ring([A]) }), (engine) => {
      expect(() => engine.changeKeys(wrong.keys)).toThrow(expect.objectContaining({ code: 'STORE_KEY_WRONG' }))
      expect(engine.commit(telling('y'))).toMatchObject({ ok: true })
      expect(seqsOf(readAll(engine))).toEqual([1, 2])
      expect(engine.status().corruptBlocks).toBe(0)
    })
    expect(readdirSync(folder.dir)).not.toContain('quarantine')
  })

  it('but damage under the right key is damage', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir, { keys: ring([A]) }), (engine) => {
      for (let n = 0; n < 5; n += 1) engine.commit(telling('x'))
    })
    const [segment = ''] = folder.segments()
    folder.edit(segment, (bytes) => {
      const second = bytes.indexOf(FRAME_MAGIC, 4)
      for (const at of [100, second + 100]) bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
      return bytes
    })
    rmSync(join(folder.dir, 'watermark'))
    withEngine(engineOptions(folder.dir, { keys: ring([A]) }), (engine) => {
      expect(seqsOf(readAll(engine, { classes: ['abnormal'] }))).toEqual([3, 4, 5])
      expect(engine.status()).toMatchObject({ corruptBlocks: 1 })
    })
  })
})
