import { randomBytes } from 'node:crypto'
import { appendFileSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { StoreKeys } from '../../../edge-daemon/store/seal.ts'
import { StoreSnapshot } from '../../../edge-daemon/store/snapshot.ts'
import { RECORD_CLASSES } from '../../../protocol/subjects.ts'
import { engineOptions, plain, readAll, storeFolder, withEngine } from '../../support/store-folder.ts'

const ALL = { classes: RECORD_CLASSES, limit: Number.POSITIVE_INFINITY }

/** Every file of a folder with its bytes and when it was written. */
function everything(dir: string): [string, string, number][] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [path, readFileSync(path, 'latin1'), statSync(path).mtimeMs]
    })
}

test('shows what a store that is open elsewhere holds, and neither locks nor changes anything', () => {
  using folder = storeFolder()
  withEngine(engineOptions(folder.dir, { segmentBytes: 2000 }), (engine) => {
    for (let i = 0; i < 30; i += 1) engine.commit(plain('normal', 'abnormal', 'log'))
    const kept = readAll(engine).map(({ line }) => line)
    const before = everything(folder.dir)
    const snapshot = StoreSnapshot.open(folder.dir, null)
    expect([...snapshot.read(ALL)].map(({ line }) => line)).toEqual(kept)
    expect(everything(folder.dir)).toEqual(before)
    engine.commit(plain('normal'))
    expect([...snapshot.read(ALL)].length).toBe(kept.length)
    expect([...snapshot.read({ ...ALL, classes: ['abnormal'], fromMs: 1_793_000_000_001 })].length).toBe(30)
    snapshot.close()
    expect(folder.segments().length).toBeGreaterThan(2)
  })
})

test('leaves out the commit that is being written, and damage, and touches neither', () => {
  using folder = storeFolder()
  withEngine(engineOptions(folder.dir), (engine) => {
    for (let i = 0; i < 5; i += 1) engine.commit(plain('normal', 'log'))
  })
  const [segment = ''] = folder.segments()
  const whole = readFileSync(segment)
  // The first frame of a commit of two.
  appendFileSync(segment, whole.subarray(0, whole.indexOf(whole.subarray(0, 4), 4)))
  folder.edit(segment, (bytes) => {
    bytes[100] = (bytes[100] ?? 0) ^ 1
    return bytes
  })
  const before = everything(folder.dir)
  const snapshot = StoreSnapshot.open(folder.dir, null)
  expect([...snapshot.read(ALL)].map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10])
  snapshot.close()
  expect(everything(folder.dir)).toEqual(before)
})

test('opens what is sealed with the keys of the store, and says which are missing', () => {
  using folder = storeFolder()
  const keys: StoreKeys = { keys: [{ id: 1, secret: new Uint8Array(randomBytes(32)) }], lost: [] }
  withEngine(engineOptions(folder.dir, { keys }), (engine) => engine.commit(plain('normal', 'normal')))
  const snapshot = StoreSnapshot.open(folder.dir, keys)
  expect([...snapshot.read(ALL)].length).toBe(2)
  expect(snapshot.sealedBlocks).toBe(0)
  expect(() => StoreSnapshot.open(folder.dir, null)).toThrow(/sealed under key 1/)
})

test('says that there is no store', () => {
  using folder = storeFolder()
  expect(() => StoreSnapshot.open(folder.dir, null)).toThrow(/there is no store/)
})
