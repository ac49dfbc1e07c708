import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  decodeLines,
  encodeFrame,
  type FrameContent,
  HEADER_BYTES,
  readFrame,
} from '../../../edge-daemon/store/frame.ts'
import { KeyRing, SEAL_BYTES, type StoreKey } from '../../../edge-daemon/store/seal.ts'

const content: FrameContent = {
  class: 'abnormal',
  epoch: '00112233445566778899aabbccddeeff',
  firstSeq: 7,
  lastSeq: 8,
  minTime: 1_793_000_000_000,
  maxTime: 1_793_000_000_009,
  records: 2,
  endsCommit: true,
}
const LINES = ['{"secret":"a"}', '{"secret":"b"}']
const NDJSON = Buffer.from(`${LINES.join('\n')}\n`)

function key(id: number): StoreKey {
  return { id, secret: new Uint8Array(randomBytes(32)) }
}

function sealed(ring: KeyRing, ndjson = NDJSON, records = 2): Buffer {
  return Buffer.concat(encodeFrame({ ...content, records }, ndjson, ring.sealer).buffers)
}

function linesIn(frame: Buffer, ring: KeyRing): string[] | null {
  const read = readFrame(frame, 0)
  if (!read.ok) throw new Error(`the frame is ${read.reason}`)
  return decodeLines(read.header, frame, ring)
}

/** What someone could do who knows the format and not the key. */
function withGoodChecksum(frame: Buffer): Buffer {
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4)
  return frame
}

describe('a sealed frame', () => {
  it('comes back with its key, names it, and shows nothing of its lines', () => {
    const ring = new KeyRing({ keys: [key(3)], lost: [] })
    const frame = sealed(ring)
    expect(readFrame(frame, 0)).toMatchObject({ ok: true, header: { keyId: 3, lineBytes: NDJSON.length } })
    expect(frame.includes('secret')).toBe(false)
    expect(frame.length).toBe(HEADER_BYTES + NDJSON.length + SEAL_BYTES)
    expect(linesIn(frame, ring)).toEqual(LINES)
  })

  it('is compressed before it is sealed', () => {
    const ring = new KeyRing({ keys: [key(1)], lost: [] })
    const lines = Array.from({ length: 200 }, (_, n) => `{"n":${n},"text":"${'x'.repeat(40)}"}`)
    const frame = sealed(ring, Buffer.from(`${lines.join('\n')}\n`), lines.length)
    expect(frame.length).toBeLessThan(2500)
    expect(linesIn(frame, ring)).toEqual(lines)
  })

  it('has no lines under another key, under no key, and opens under its own beside others', () => {
    const own = key(1)
    const frame = sealed(new KeyRing({ keys: [own], lost: [] }))
    expect(linesIn(frame, new KeyRing({ keys: [key(1)], lost: [] }))).toBeNull()
    expect(linesIn(frame, new KeyRing(null))).toBeNull()
    expect(linesIn(frame, new KeyRing({ keys: [own, key(2)], lost: [] }))).toEqual(LINES)
  })

  it('is refused when any one of its bytes is changed, also by someone who mends the checksum', () => {
    const own = key(1)
    const ring = new KeyRing({ keys: [own, { id: 3, secret: own.secret }, key(5)], lost: [] })
    const whole = sealed(new KeyRing({ keys: [own], lost: [] }))
    for (let position = 8; position < whole.length; position += 1) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const frame = Buffer.from(whole)
        frame.writeUInt8(frame.readUInt8(position) ^ bit, position)
        const read = readFrame(withGoodChecksum(frame), 0)
        if (!read.ok) continue
        const lines = decodeLines(read.header, frame, ring)
        // Called plain, its ciphertext may happen to have as many line ends.
        if (read.header.keyId === 0) expect(lines, `called plain by bit ${bit}`).not.toEqual(LINES)
        else expect(lines, `bit ${bit} of byte ${position}`).toBeNull()
      }
    }
  })

  it('never has the nonce of another: neither in one run nor in the next of the same key', () => {
    const own = key(1)
    const nonces = new Set<string>()
    const salts = new Set<string>()
    for (let start = 0; start < 4; start += 1) {
      const ring = new KeyRing({ keys: [own], lost: [] })
      for (let count = 0; count < 500; count += 1) {
        const payload = sealed(ring).subarray(HEADER_BYTES)
        salts.add(payload.toString('hex', 0, 16))
        nonces.add(payload.toString('hex', 0, 28))
      }
    }
    expect(nonces.size).toBe(2000)
    expect(salts.size).toBe(4)
  })
})
