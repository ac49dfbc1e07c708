import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ChainFile, NEW_CHAIN } from '../../../edge-daemon/store/chain-file.ts'
import type { Chain, ChainBlock } from '../../../edge-daemon/store/contract.ts'
import { storeFolder } from '../../support/store-folder.ts'

function withFile<T>(path: string, use: (file: ChainFile) => T): T {
  const file = ChainFile.open(path)
  try {
    return use(file)
  } finally {
    file.close()
  }
}

function at(cursor: number): Chain {
  return { ...NEW_CHAIN, cursor }
}

function block(digit: string, firstSeq: number, position: number): ChainBlock {
  return { epoch: digit.repeat(32), firstSeq, lastSeq: firstSeq + 9, digest: digit.repeat(64), position }
}

describe('the chains of a target', () => {
  it('are there again after each class moved on its own', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'chains')
    const whole: Chain = {
      archive: '0123456789abcdef'.repeat(2),
      cursor: 2 ** 40,
      syncedSeq: 2 ** 39,
      held: block('a', 2 ** 40, 2 ** 41),
      sent: block('b', 1, 0),
    }
    withFile(path, (file) => {
      for (const seq of [1, 5, 9]) file.save('stat', at(seq))
      file.save('ledger', whole)
      file.save('alert', { ...at(3), sent: block('c', 4, 0) })
    })
    withFile(path, (file) => {
      expect(Object.fromEntries(file.chains)).toEqual({
        stat: at(9),
        ledger: whole,
        alert: { ...at(3), sent: block('c', 4, 0) },
      })
      expect(Object.fromEntries(file.seqs)).toEqual({ stat: 9, ledger: 2 ** 40, alert: 3 })
      expect(file.damaged).toEqual([])
    })
  })

  it('may move back', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'chains')
    withFile(path, (file) => {
      for (const seq of [9, 3]) file.save('alert', at(seq))
    })
    withFile(path, (file) => expect(file.seqs.get('alert')).toBe(3))
  })

  it('never come out higher than they were when bytes are damaged, are reported once, and spare other classes', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'chains')
    withFile(path, (file) => {
      for (const seq of [10, 20]) file.save('ledger', at(seq))
      file.save('stat', at(7))
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
    const path = join(folder.dir, '..', 'chains')
    withFile(path, (file) => {
      for (const seq of [10, 20]) file.save('ledger', at(seq))
    })
    folder.edit(path, (bytes) => bytes.fill(0xaa, 12, 20))
    withFile(path, (file) => {
      expect(file.seqs.get('ledger')).toBe(10)
      expect(file.damaged).toEqual(['ledger'])
    })
  })
})
