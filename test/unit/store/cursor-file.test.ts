import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CursorFile } from '../../../edge-daemon/store/cursor-file.ts'
import { storeFolder } from '../../support/store-folder.ts'

function withFile<T>(path: string, use: (file: CursorFile) => T): T {
  const file = CursorFile.open(path)
  try {
    return use(file)
  } finally {
    file.close()
  }
}

describe('the cursors of a target', () => {
  it('are there again after each class moved on its own', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'cursors')
    withFile(path, (file) => {
      for (const seq of [1, 5, 9]) file.save('stat', seq)
      file.save('ledger', 2 ** 40)
    })
    withFile(path, (file) => {
      expect(Object.fromEntries(file.seqs)).toEqual({ stat: 9, ledger: 2 ** 40 })
      expect(file.damaged).toEqual([])
    })
  })

  it('may move back', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'cursors')
    withFile(path, (file) => {
      for (const seq of [9, 3]) file.save('alert', seq)
    })
    withFile(path, (file) => expect(file.seqs.get('alert')).toBe(3))
  })

  it('never come out higher than they were when bytes are damaged, are reported once, and spare other classes', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'cursors')
    withFile(path, (file) => {
      for (const seq of [10, 20]) file.save('ledger', seq)
      file.save('stat', 7)
    })
    folder.edit(path, (bytes) => {
      // The first class has its slots at 0 and 4096.
      bytes.writeUInt8(bytes.readUInt8(13) ^ 0xff, 13)
      bytes.writeUInt8(bytes.readUInt8(4096 + 13) ^ 0xff, 4096 + 13)
      return bytes
    })
    withFile(path, (file) => {
      expect(file.damaged).toEqual(['ledger'])
      expect(file.seqs.get('ledger') ?? 0).toBe(0)
      expect(file.seqs.get('stat')).toBe(7)
    })
    withFile(path, (file) => expect(file.damaged).toEqual([]))
  })

  it('fall back to the slot before when one is torn', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'cursors')
    withFile(path, (file) => {
      for (const seq of [10, 20]) file.save('ledger', seq)
    })
    folder.edit(path, (bytes) => bytes.fill(0xaa, 12, 20))
    withFile(path, (file) => {
      expect(file.seqs.get('ledger')).toBe(10)
      expect(file.damaged).toEqual(['ledger'])
    })
  })
})
