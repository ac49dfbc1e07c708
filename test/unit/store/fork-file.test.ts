import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Fork } from '../../../edge-daemon/store/contract.ts'
import { ForkFile } from '../../../edge-daemon/store/fork-file.ts'
import { storeFolder } from '../../support/store-folder.ts'

function withFile<T>(path: string, use: (file: ForkFile) => T): T {
  const file = ForkFile.open(path)
  try {
    return use(file)
  } finally {
    file.close()
  }
}

function fork(n: number): Fork {
  return { alias: n.toString(16).padStart(32, '0'), throughSeq: n * 10 }
}

describe('the forks of a disk', () => {
  it('are there again, oldest first, and only so many of the newest', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'forks')
    for (let n = 1; n <= 130; n += 1) withFile(path, (file) => file.add(fork(n)))
    withFile(path, (file) => {
      expect(file.forks).toHaveLength(128)
      expect(file.forks[0]).toEqual(fork(3))
      expect(file.forks.at(-1)).toEqual(fork(130))
    })
  })

  it('do without one that is damaged', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'forks')
    withFile(path, (file) => {
      for (const n of [1, 2, 3]) file.add(fork(n))
    })
    folder.edit(path, (bytes) => {
      bytes.writeUInt8(bytes.readUInt8(40) ^ 0xff, 40)
      return bytes
    })
    withFile(path, (file) => {
      expect(file.forks).toEqual([fork(1), fork(3)])
      file.add(fork(4))
    })
    withFile(path, (file) => expect(file.forks).toEqual([fork(1), fork(3), fork(4)]))
  })
})
