import { expect, test } from 'vitest'
import { readPubAck } from '../../../edge-daemon/upstream/pub-ack.ts'

const TO = { subject: 'edge.s.n.results', stream: { name: 'EDGE', domain: null }, count: 1 }

function answer(body: unknown, status?: number): { outcome: string; msg?: string } {
  return readPubAck(status, new TextEncoder().encode(JSON.stringify(body)), TO)
}

test('takes as an acknowledgement only what names a stream and a sequence', () => {
  expect(answer({ stream: 'EDGE', seq: 7 })).toEqual({ outcome: 'held', position: 7, synced: false })
  expect(answer({ stream: 'EDGE' }).outcome).toBe('again')
  expect(answer({ seq: 7 }).outcome).toBe('again')
  expect(answer({ stream: 'EDGE', seq: 0 }).outcome).toBe('again')
  expect(answer('+OK').outcome).toBe('again')
  expect(readPubAck(undefined, new Uint8Array(), TO).outcome).toBe('again')
})

test('a duplicate is not an acknowledgement', () => {
  expect(answer({ stream: 'EDGE', seq: 7, duplicate: true }).outcome).toBe('again')
})

test('only the stream and domain that a block was meant for can acknowledge it', () => {
  expect(answer({ stream: 'OTHER', seq: 7 }).outcome).toBe('again')
  expect(answer({ stream: 'EDGE', seq: 7, domain: 'leaf' }).outcome).toBe('again')
})

test('tells a block that is not the next one from one that failed', () => {
  expect(answer({ error: { code: 400, err_code: 10_071, description: 'wrong last sequence: 3' } })).toMatchObject({
    outcome: 'conflict',
  })
})

test('a full stream is asked again, a message too large for it is not', () => {
  expect(answer({ error: { code: 503, err_code: 10_077, description: 'maximum bytes exceeded' } })).toMatchObject({
    outcome: 'again',
    msg: expect.stringContaining('give it room'),
  })
  expect(
    answer({ error: { code: 400, err_code: 10_054, description: 'message size exceeds maximum allowed' } }).outcome,
  ).toBe('too_large')
})

test('says how to make the stream when nobody listens', () => {
  expect(answer('', 503)).toMatchObject({ outcome: 'again', msg: expect.stringContaining('edgedeck nats setup') })
})
