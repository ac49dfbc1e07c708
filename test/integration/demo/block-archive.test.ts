import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { BlockArchive, type OfferedBlock } from '../../../src/demo/block-archive.ts'

const SUBJECT = 'edge.plant.n1.results'

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-archive-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

/** Block `n` of a chain, with one record. */
function block(n: number, more: Partial<OfferedBlock> = {}): OfferedBlock {
  const digest = (of: number): string => createHash('sha256').update(`${of}`).digest('hex')
  return {
    subject: SUBJECT,
    epoch: 'e'.repeat(32),
    resend: '',
    firstSeq: n,
    lastSeq: n,
    digest: digest(n),
    prevSeq: n - 1,
    prevDigest: n === 1 ? null : digest(n - 1),
    receivedAt: 1,
    headers: { 'content-encoding': 'gzip' },
    body: Buffer.from(`body ${n}`),
    ...more,
  }
}

async function outcomes(archive: BlockArchive, blocks: readonly OfferedBlock[]): Promise<string[]> {
  return (await Promise.all(blocks.map((one) => archive.store(one)))).map(({ outcome }) => outcome)
}

test('compares and stores one after the other, also when offers come at once', async () => {
  const archive = await BlockArchive.open(folder())
  const offers = [block(1), block(1), block(3), block(2), block(2), block(1), block(3)]
  expect(await outcomes(archive, offers)).toEqual([
    'stored',
    'held',
    'conflict',
    'stored',
    'held',
    'conflict',
    'stored',
  ])
  expect(archive.list('', 100).map(({ note }) => note.lastSeq)).toEqual([1, 2, 3])
  await archive.close()
})

test('keeps the chains of epochs and of resend requests apart', async () => {
  const archive = await BlockArchive.open(folder())
  const resent = { subject: 'edge.plant.n1.resend.abnormal' }
  const offers = [
    block(1),
    block(1, { epoch: 'f'.repeat(32) }),
    block(1, { ...resent, resend: 'r1' }),
    block(1, { ...resent, resend: 'r1' }),
    block(1, { ...resent, resend: 'r2' }),
  ]
  expect(await outcomes(archive, offers)).toEqual(['stored', 'stored', 'stored', 'held', 'stored'])
  expect(archive.lastEpoch(SUBJECT)).toBe('f'.repeat(32))
  expect(archive.lastEpoch(resent.subject)).toBeNull()
  await archive.close()
})

test('cut at any byte, it holds every block before the cut and takes the next one', async () => {
  const dir = folder()
  const at = join(dir, 'blocks.log')
  const archive = await BlockArchive.open(dir)
  await outcomes(archive, [block(1), block(2)])
  const twoBytes = statSync(at).size
  await outcomes(archive, [block(3)])
  const { id } = archive
  await archive.close()
  const whole = readFileSync(at)
  for (let cutAt = twoBytes; cutAt < whole.length; cutAt += 1) {
    writeFileSync(at, whole)
    truncateSync(at, cutAt)
    const again = await BlockArchive.open(dir)
    expect(again.last(block(1))?.lastSeq).toBe(2)
    expect(again.id).toBe(id)
    if (cutAt % 40 === 0) {
      expect(await outcomes(again, [block(3)])).toEqual(['stored'])
      expect((await again.read(2))?.body.toString()).toBe('body 3')
    }
    await again.close()
  }
})

test('a flipped byte in the last block costs that block', async () => {
  const dir = folder()
  const archive = await BlockArchive.open(dir)
  await outcomes(archive, [block(1), block(2)])
  await archive.close()
  const bytes = readFileSync(join(dir, 'blocks.log'))
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 2) ^ 1, bytes.length - 2)
  writeFileSync(join(dir, 'blocks.log'), bytes)
  const again = await BlockArchive.open(dir)
  expect(again.last(block(1))?.lastSeq).toBe(1)
  await again.close()
})
