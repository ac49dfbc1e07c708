import { describe, expect, it } from 'vitest'
import type { LogRecord } from '../../../protocol/records.ts'
import { LineReader, partsOf } from '../../../src/kube/container-line.ts'
import { readStamped } from '../../../src/kube/pod-log-lines.ts'

const STAMPS = ['00.5', '00.500000001', '00.50000009', '00.5000001', '00.5000009', '01', '01', '01.2']
const LINES = STAMPS.map((second, at) => readStamped(`2026-11-26T10:00:${second}Z line ${at}`))

function read(lines: typeof LINES, mayCut: boolean): LogRecord[] {
  const reader = new LineReader('vision/camera/app', mayCut)
  return lines.flatMap((line) => {
    const event = reader.take(line)
    return event?.kind === 'line' ? [event.record] : []
  })
}

describe('the number of a container line', () => {
  it('rises with each line, those of one time too, and holds its time', () => {
    const records = read(LINES, false)
    expect(records.map(({ msg }) => msg)).toEqual(LINES.map(({ text }) => text))
    const seqs = records.map(({ seq }) => seq)
    expect(new Set(seqs).size).toBe(LINES.length)
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
    expect(seqs.every(Number.isSafeInteger)).toBe(true)
    expect(records[0]).toMatchObject({ timestamp: Date.UTC(2026, 10, 26, 10, 0, 0, 500), source: 'vision/camera/app' })
  })

  it('is the same wherever the reading begins: lines that may be cut off from their like are passed over', () => {
    const all = new Map(read(LINES, false).map(({ seq, msg }) => [msg, seq]))
    for (let from = 0; from < LINES.length; from += 1) {
      const some = read(LINES.slice(from), true)
      for (const { seq, msg } of some) expect(all.get(msg)).toBe(seq)
      expect(some.length).toBeLessThan(LINES.length - from)
    }
    expect(read(LINES, true).map(({ msg }) => msg)).toEqual(['line 4', 'line 5', 'line 6', 'line 7'])
  })

  it('begins anew where a clock was put back by more than a second', () => {
    const [, later = 0, earlier = 0] = read(
      ['10:00:00', '10:00:05', '10:00:01'].map((time) => readStamped(`2026-11-26T${time}Z x`)),
      false,
    ).map(({ seq }) => seq)
    expect(earlier).toBeLessThan(later)
  })

  it('is not given to what a node says instead of a line', () => {
    const told = new LineReader('a/b/c', false).take(readStamped('unable to retrieve \u001b[31mlogs'))
    expect(told).toMatchObject({ kind: 'note', text: expect.not.stringContaining('\u001b') })
  })
})

it('a JSON line says its message, and the rest are its fields; any other line is whole', () => {
  expect(partsOf('{"level":"warn","msg":"low light","camera":7,"at":{"x":1}}')).toEqual({
    msg: 'low light',
    fields: { level: 'warn', camera: 7, at: '{"x":1}' },
  })
  for (const text of ['{"camera":7}', '{"msg":1}', '{broken', 'plain', '{}']) {
    expect(partsOf(text)).toEqual({ msg: text, fields: null })
  }
})
