import { expect, test } from 'vitest'
import { decodeClientFrame, decodeDaemonFrame, MAX_FRAME_BYTES } from '../../../protocol/frames.ts'

test('a frame of the protocol is decoded', () => {
  const decoded = decodeClientFrame('{"t":"subscribe","id":"a","topic":"logs","credits":8,"level":"warn"}')
  expect(decoded).toEqual({ ok: true, frame: { t: 'subscribe', id: 'a', topic: 'logs', credits: 8, level: 'warn' } })
})

test.each([
  '',
  'null',
  '[]',
  '7',
  '{"t":"subscribe"}',
  '{"t":"nope"}',
  '{"t":"credit","id":"a","n":-1}',
  `${'['.repeat(100_000)}`,
])('garbage %j is answered, not thrown', (data) => {
  for (const decode of [decodeClientFrame, decodeDaemonFrame]) {
    const decoded = decode(data)
    expect(decoded).toMatchObject({ ok: false, code: 'FRAME_INVALID' })
  }
})

test('an oversized frame is refused before it is parsed', () => {
  expect(decodeDaemonFrame(' '.repeat(MAX_FRAME_BYTES + 1))).toMatchObject({ ok: false, code: 'FRAME_TOO_LARGE' })
})

test('the fault names the field', () => {
  expect(decodeClientFrame('{"t":"ping","n":0,"at":"now"}')).toMatchObject({ msg: expect.stringContaining('at:') })
})

test.each([5000, 100_000])('a command whose arguments are nested %i deep is answered, not thrown', (depth) => {
  const data = `{"t":"command","id":"c1","verb":"v","args":{"x":${'['.repeat(depth)}${']'.repeat(depth)}}}`
  expect(decodeClientFrame(data)).toMatchObject({
    ok: false,
    code: 'FRAME_INVALID',
    msg: expect.stringMatching('deep'),
  })
})
