import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { BLOCK_HEADERS } from '../../../protocol/subjects.ts'
import { decodeBlock, MAX_BLOCK_BYTES } from '../../../src/cloud/block.ts'
import { cloudBlock, cloudRecord, encodeBlock, rawBlock } from '../../support/cloud-blocks.ts'

const records = [cloudRecord(3), cloudRecord(5, { code: 200, reason: '\u001b[2J' }), cloudRecord(9)]
const whole = cloudBlock(records, { prevSeq: 2, position: 1 })

test.each(['gzip', 'zstd'] as const)(
  'a block that came as %s is opened with all that its headers say',
  async (encoding) => {
    expect(await decodeBlock(rawBlock(encodeBlock(whole, encoding)))).toEqual({ ok: true, block: whole })
    const flagged = { ...whole, resent: true, originEpoch: 'e0', maybeDuplicate: true, prevSeq: null }
    expect(await decodeBlock(rawBlock(encodeBlock(flagged, encoding)))).toEqual({ ok: true, block: flagged })
  },
)

test('nothing of a block that is not whole is believed', async () => {
  const good = encodeBlock(whole)
  const other = encodeBlock(cloudBlock([cloudRecord(3), cloudRecord(9)]))
  const without = (name: string) => rawBlock({ ...good, headers: { ...good.headers, [name]: '' } })
  const withHeader = (name: string, value: string) => rawBlock({ ...good, headers: { ...good.headers, [name]: value } })
  const msgOf = async (raw: Parameters<typeof decodeBlock>[0]) => {
    const decoded = await decodeBlock(raw)
    return decoded.ok ? 'whole' : decoded.msg
  }
  expect(await msgOf(rawBlock({ ...good, body: other.body }))).toBe('the digest does not fit the body')
  expect(await msgOf(rawBlock({ ...good, body: Buffer.from('x') }))).toBe('the body is no zstd')
  for (const name of [BLOCK_HEADERS.epoch, BLOCK_HEADERS.firstSeq, BLOCK_HEADERS.lastSeq, BLOCK_HEADERS.digest]) {
    expect(await msgOf(without(name))).toMatch(/^the header of \w+ is missing or wrong$/)
  }
  expect(await msgOf(withHeader(BLOCK_HEADERS.firstSeq, '-1'))).toBe('the header of firstSeq is missing or wrong')
  expect(await msgOf(withHeader(BLOCK_HEADERS.firstSeq, '4'))).toMatch(/^the sequences of the headers/)
  expect(await msgOf(withHeader(BLOCK_HEADERS.contentEncoding, 'br'))).toMatch(/does not know$/)
  expect(await msgOf(rawBlock({ ...good, subject: 'edge.plant.n2.results' }))).toMatch(/of another node/)
  expect(await msgOf(rawBlock({ ...good, subject: 'edge.plant.n1.mark.stat.e1' }))).toMatch(/^the subject/)
  for (const [lines, msg] of [
    [['{"seq":1,"node_id":"n1","timestamp":1}', '{"seq":1,"node_id":"n1","timestamp":1}'], 'the sequences do not rise'],
    [['{"seq":1,"node_id":"n1"}'], 'record 1 is none'],
    [['not JSON'], 'record 1 is none'],
    [[], 'it holds no record'],
  ] as const) {
    const encoded = encodeBlock(cloudBlock(lines.map((line) => ({ seq: 1, timestamp: 1, line }))))
    expect(await msgOf(rawBlock(encoded))).toBe(msg)
  }
})

test('a body that grows without end when decompressed is left alone', async () => {
  const good = encodeBlock(whole, 'gzip')
  const body = gzipSync(Buffer.alloc(MAX_BLOCK_BYTES + 1, 'a'))
  const decoded = await decodeBlock(rawBlock({ ...good, body }))
  expect(decoded).toEqual({ ok: false, msg: `the body is over ${MAX_BLOCK_BYTES} bytes when decompressed` })
})
