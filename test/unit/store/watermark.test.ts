import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Watermark } from '../../../edge-daemon/store/watermark.ts'
import { storeFolder } from '../../support/store-folder.ts'

const EPOCH = '00112233445566778899aabbccddeeff'

function reopened(path: string): Watermark['found'] {
  const watermark = Watermark.open(path)
  watermark.close()
  return watermark.found
}

function written(path: string, ...seqs: readonly number[]): void {
  const watermark = Watermark.open(path)
  for (const lastSeq of seqs) watermark.write({ epoch: EPOCH, lastSeq })
  watermark.close()
}

describe('the watermark', () => {
  it('is unknown in a new file and the last one written after that', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'watermark')
    expect(reopened(path)).toBeNull()
    written(path, 1, 2, 3)
    expect(reopened(path)).toEqual({ epoch: EPOCH, lastSeq: 3 })
    written(path, 4)
    expect(reopened(path)).toEqual({ epoch: EPOCH, lastSeq: 4 })
  })

  it('falls back to the slot before when the newest is torn', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'watermark')
    written(path, 8, 9)
    const bytes = readFileSync(path)
    const newest = bytes.readUIntLE(12, 6) === 9 ? 0 : 4096
    folder.edit(path, (all) => all.fill(0xff, newest + 10, newest + 20))
    expect(reopened(path)).toEqual({ epoch: EPOCH, lastSeq: 8 })
  })

  it('is unknown when both slots are damaged', () => {
    using folder = storeFolder()
    const path = join(folder.dir, '..', 'watermark')
    written(path, 8, 9)
    folder.edit(path, (all) => all.fill(1))
    expect(reopened(path)).toBeNull()
  })
})
