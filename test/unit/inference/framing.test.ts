import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { FRAME_HEAD_BYTES, FrameReader, writeFrame } from '../../../edge-daemon/inference/framing.ts'

interface Seen {
  kind: number
  id: number
  payload: string
}

function framesOf(chunks: Iterable<Buffer>, maxPayloadBytes = 1000): Seen[] {
  const seen: Seen[] = []
  const reader = new FrameReader(maxPayloadBytes, (kind, id, payload) => {
    seen.push({ kind, id, payload: payload.toString('latin1') })
  })
  for (const chunk of chunks) reader.push(chunk)
  return seen
}

function written(frames: readonly Seen[]): Buffer {
  const stream = new PassThrough()
  for (const { kind, id, payload } of frames) writeFrame(stream, kind, id, Buffer.from(payload, 'latin1'))
  return stream.read() as Buffer
}

describe('frames between the daemon and a model child', () => {
  const frames: Seen[] = [
    { kind: 2, id: 1, payload: 'a' },
    { kind: 4, id: 0, payload: '' },
    { kind: 2, id: 0xffff_ffff, payload: 'x'.repeat(700) },
    { kind: 5, id: 7, payload: '\x00\xff' },
    { kind: 4, id: 9, payload: '' },
  ]

  it('arrive whole and in order, however the bytes are cut', () => {
    const bytes = written(frames)
    for (let step = 1; step <= bytes.length; step += step < 20 ? 1 : 97) {
      const chunks: Buffer[] = []
      for (let at = 0; at < bytes.length; at += step) chunks.push(bytes.subarray(at, at + step))
      expect(framesOf(chunks)).toEqual(frames)
    }
  })

  it('are refused by their head when they announce more than the limit', () => {
    const head = Buffer.alloc(FRAME_HEAD_BYTES)
    head.writeUInt32LE(1001, 0)
    expect(() => framesOf([head])).toThrow(RangeError)
    head.writeUInt32LE(1000, 0)
    expect(framesOf([head])).toEqual([])
  })
})
