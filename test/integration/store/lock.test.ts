import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LogEngine } from '../../../edge-daemon/store/engine.ts'
import { engineOptions, plain, storeFolder, withEngine } from '../../support/store-folder.ts'

const GARBAGE = Buffer.alloc(5000, 0x5a)

/** Whether a second owner is refused. */
function refusesAnother(dir: string): boolean {
  try {
    LogEngine.open(engineOptions(dir)).close()
    return false
  } catch (error) {
    expect(error).toMatchObject({ code: 'STORE_LOCKED' })
    return true
  }
}

describe('the lock of a store', () => {
  it('whose file is damaged is taken on the next name, by one owner only', () => {
    using folder = storeFolder()
    withEngine(engineOptions(folder.dir), (engine) => engine.commit(plain('normal')))
    writeFileSync(join(folder.dir, 'lock.db'), GARBAGE)
    for (let start = 0; start < 2; start += 1) {
      withEngine(engineOptions(folder.dir), (engine) => {
        expect(engine.status().records).toBe(1)
        expect(refusesAnother(folder.dir)).toBe(true)
      })
    }
    expect(readdirSync(folder.dir).filter((name) => name.startsWith('lock'))).toEqual(['lock.1.db', 'lock.db'])
  })

  it('holds when somebody puts the damaged file right while it is held on another name', () => {
    using folder = storeFolder()
    mkdirSync(folder.dir)
    writeFileSync(join(folder.dir, 'lock.db'), GARBAGE)
    withEngine(engineOptions(folder.dir), () => {
      rmSync(join(folder.dir, 'lock.db'))
      expect(refusesAnother(folder.dir)).toBe(true)
      expect(refusesAnother(folder.dir)).toBe(true)
    })
    // And whoever comes now holds both.
    withEngine(engineOptions(folder.dir), () => {
      rmSync(join(folder.dir, 'lock.1.db'))
      expect(refusesAnother(folder.dir)).toBe(true)
    })
  })

  it('passes over a folder of its name, and over many damaged files', () => {
    using folder = storeFolder()
    mkdirSync(join(folder.dir, 'lock.db'), { recursive: true })
    for (let n = 1; n < 6; n += 1) writeFileSync(join(folder.dir, `lock.${n}.db`), GARBAGE)
    withEngine(engineOptions(folder.dir), () => expect(refusesAnother(folder.dir)).toBe(true))
  })

  it('says so when no file at all can be used', () => {
    using folder = storeFolder()
    mkdirSync(folder.dir)
    for (let n = 0; n < 40; n += 1) writeFileSync(join(folder.dir, n === 0 ? 'lock.db' : `lock.${n}.db`), GARBAGE)
    expect(() => LogEngine.open(engineOptions(folder.dir))).toThrow(expect.objectContaining({ code: 'STORE_UNUSABLE' }))
  })
})
