import { describe, expect, it } from 'vitest'
import { decodeLines, encodeFrame, type FrameContent, readFrame } from '../../../edge-daemon/store/frame.ts'
import { KeyRing } from '../../../edge-daemon/store/seal.ts'

const content: FrameContent = {
  class: 'abnormal',
  epoch: '00112233445566778899aabbccddeeff',
  firstSeq: 2 ** 40,
  lastSeq: 2 ** 40 + 2,
  minTime: 1_793_000_000_000,
  maxTime: 1_793_000_000_009,
  records: 2,
  endsCommit: true,
}

const PLAIN = new KeyRing(null)

function bytesOf(lines: readonly string[]): Buffer {
  const frame = encodeFrame({ ...content, records: lines.length }, Buffer.from(`${lines.join('\n')}\n`))
  return Buffer.concat(frame.buffers)
}

describe('a frame', () => {
  it('comes back with its header and its lines', () => {
    const bytes = bytesOf(['{"a":1}', '{"文":"字"}'])
    const read = readFrame(bytes, 0)
    expect(read).toMatchObject({ ok: true, frameBytes: bytes.length, header: { ...content, compressed: false } })
    expect(read.ok && decodeLines(read.header, bytes, PLAIN)).toEqual(['{"a":1}', '{"文":"字"}'])
  })

  it('is compressed from 4 KiB up and not below', () => {
    const long = Array.from({ length: 100 }, (_, n) => `{"n":${n},"text":"${'x'.repeat(40)}"}`)
    const bytes = bytesOf(long)
    const read = readFrame(bytes, 0)
    expect(read).toMatchObject({ ok: true, header: { compressed: true, lineBytes: long.join('\n').length + 1 } })
    expect(bytes.length).toBeLessThan(2000)
    expect(read.ok && decodeLines(read.header, bytes, PLAIN)).toEqual(long)
  })

  it('is refused when any one of its bytes is flipped', () => {
    const bytes = bytesOf(['{"a":1}', '{"b":2}'])
    for (let position = 0; position < bytes.length; position += 1) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(flipped.readUInt8(position) ^ 0x10, position)
      expect(readFrame(flipped, 0).ok, `byte ${position}`).toBe(false)
    }
  })

  it('is short at every length below its own, never damaged', () => {
    const bytes = bytesOf(['{"a":1}', '{"b":2}'])
    for (let length = 0; length < bytes.length; length += 1) {
      expect(readFrame(bytes.subarray(0, length), 0), `length ${length}`).toEqual({ ok: false, reason: 'short' })
    }
  })

  it('whose key is missing has no lines to read', () => {
    const bytes = bytesOf(['{"a":1}', '{"b":2}'])
    const read = readFrame(bytes, 0)
    expect(read.ok && decodeLines({ ...read.header, keyId: 7 }, bytes, PLAIN)).toBeNull()
  })

  it('whose payload is not what its header counts has no lines to read', () => {
    const bytes = bytesOf(['{"a":1}', '{"b":2}'])
    const read = readFrame(bytes, 0)
    expect(read.ok && decodeLines({ ...read.header, records: 3 }, bytes, PLAIN)).toBeNull()
    expect(read.ok && decodeLines({ ...read.header, compressed: true }, bytes, PLAIN)).toBeNull()
  })
})
