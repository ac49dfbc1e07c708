import { expect, test } from 'vitest'
import { movedOn, parseCheckpoint } from '../../../edge-daemon/logs/follow/checkpoint.ts'
import { containerSource, openEnvelope } from '../../../edge-daemon/logs/follow/envelope.ts'
import { type Joined, LineJoiner } from '../../../edge-daemon/logs/follow/joiner.ts'
import { formatOrigin, parseOrigin } from '../../../edge-daemon/logs/follow/origin.ts'
import { checkOf, LineSplitter, type RawLine } from '../../../edge-daemon/logs/follow/splitter.ts'
import { parseJournalLine } from '../../../edge-daemon/logs/journal/journal-line.ts'
import { compileRegex } from '../../../regex/linear-regex.ts'

function split(bytes: Buffer, chunkBytes: number, keepBytes = 32_768): { lines: RawLine[]; rest: RawLine | null } {
  const splitter = new LineSplitter(keepBytes, 0)
  const lines: RawLine[] = []
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    // A copy that is written over afterwards, as the buffer of a reader is.
    const chunk = Buffer.from(bytes.subarray(at, at + chunkBytes))
    splitter.push(chunk, (line) => lines.push(line))
    chunk.fill(0x21)
  }
  return { lines, rest: splitter.takeRest() }
}

test('lines are the same however the bytes come, and so are their checks', () => {
  const bytes = Buffer.from(`\0\0\0one\n\nzwei ü\r\n${'x'.repeat(3000)}é\nlast`)
  const whole = split(bytes, bytes.length)
  expect(whole.lines.map(({ text }) => text)).toEqual(['one', '', 'zwei ü\r', `${'x'.repeat(3000)}é`])
  expect(whole.rest?.text).toBe('last')
  for (const { end, check } of whole.lines) expect(checkOf(bytes.subarray(0, end))).toBe(check)
  for (const chunkBytes of [1, 2, 7, 1024, 1025]) expect(split(bytes, chunkBytes)).toEqual(whole)
})

test('a line over the bound is cut between two characters, and what it lost is counted', () => {
  const bytes = Buffer.from(`${'ü'.repeat(45_000)}\nnext\n`)
  for (const chunkBytes of [bytes.length, 4096, 3]) {
    const { lines } = split(bytes, chunkBytes, 1001)
    expect(lines.map(({ text, cutChars }) => [text.length, cutChars])).toEqual([
      [500, 44_500],
      [4, 0],
    ])
  }
})

test.each([
  ['2026-11-26T00:00:00.123456789Z stderr F no route', { lane: 'E', isPartial: false, text: 'no route' }],
  ['2026-11-26T00:00:00+02:00 stdout P half', { lane: 'O', isPartial: true, text: 'half' }],
  ['2026-11-26T00:00:00Z stdout F ', { lane: 'O', isPartial: false, text: '' }],
  ['{"log":"a\\n","stream":"stdout","time":"2026-11-26T00:00:00Z"}', { lane: 'O', isPartial: false, text: 'a' }],
  ['{"log":"a","stream":"stderr","time":"2026-11-26T00:00:00Z"}', { lane: 'E', isPartial: true, text: 'a' }],
])('the envelope of %s', (line, opened) => {
  expect(openEnvelope(line, 'auto')).toMatchObject(opened)
})

test('what has no envelope has none, and a name that is no container is no source', () => {
  expect([openEnvelope('plain', 'auto'), openEnvelope('{"msg":"x"}', 'docker')]).toEqual([null, null])
  expect(containerSource(`web-7f_plant-a_nginx-${'0a'.repeat(32)}.log`)).toBe('plant-a/web-7f/nginx')
  expect(containerSource('app.log')).toBeNull()
})

function join(lines: readonly string[], multiline: string | null = null) {
  const compiled = multiline === null ? null : compileRegex(multiline)
  const joiner = new LineJoiner({
    envelope: multiline === null ? 'cri' : null,
    multiline: compiled?.ok === true ? compiled.regex : null,
    keepChars: 20,
    from: { end: 0, check: 0 },
  })
  const found: Joined[] = []
  const resumes: number[] = []
  lines.forEach((text, at) => {
    joiner.take({ text, start: at * 10, end: at * 10 + 10, cutChars: 0, check: at }, (line) => found.push(line))
    resumes.push(joiner.resume.end)
  })
  return { joiner, found, resumes }
}

test('parts of a line are joined by stream, and reading would go on before the first part that is open', () => {
  const cri = (rest: string): string => `2026-11-26T00:00:00Z ${rest}`
  const { found, resumes } = join(['stdout P ab', 'stderr F x', 'stdout P cd', 'stdout F ef'].map(cri))
  expect(found.map(({ lane, text, place }) => [lane, text, place.end])).toEqual([
    ['E', 'x', 20],
    ['O', 'abcdef', 40],
  ])
  expect(resumes).toEqual([0, 0, 0, 40])
})

test('a record of several lines ends where the next begins, or when nothing follows, and is bounded', () => {
  const { joiner, found, resumes } = join(['A 1', '  at x', 'B 2', '  at a very long place'], '^[A-Z]')
  expect(found.map(({ text }) => text)).toEqual(['A 1\n  at x'])
  expect(resumes).toEqual([0, 0, 20, 20])
  joiner.endGroups((line) => found.push(line))
  expect(found[1]).toMatchObject({ text: 'B 2\n  at a very long', cutChars: 6 })
  expect(joiner.resume.end).toBe(40)
})

test('records behind a checkpoint move it on, each class by itself', () => {
  const origin = { file: '0123456789', lane: 'E', end: 300, check: 7 } as const
  expect(parseOrigin(formatOrigin(origin))).toEqual(origin)
  const file = { id: '0123456789', key: '1:2', series: '/a.log', path: '/a.log', size: 500, mtimeMs: 1 }
  const from = { end: 100, check: 1 }
  const checkpoint = { version: 1 as const, seq: 5, forward: 'error', patterns: ['/a.log'], journal: null }
  const read = parseCheckpoint(JSON.stringify({ ...checkpoint, files: [{ ...file, from, marks: {} }] }))
  if (read.state !== 'found') throw new Error(JSON.stringify(read))
  const moved = movedOn(read.checkpoint, [
    { class: 'log', origin: '0123456789E:300:7' },
    { class: 'log', origin: '0123456789E:200:6' },
    { class: 'error', origin: '0123456789:150:3' },
    { class: 'error', origin: 'ffffffffff:900:3' },
  ])
  expect(moved.files[0]).toMatchObject({
    from,
    marks: { 'E|log': { end: 300, check: 7 }, '|error': { end: 150, check: 3 } },
  })
  expect(parseCheckpoint('{"version":1').state).toBe('unreadable')
})

test('an entry of the journal tells its unit, level and text, also when the text is bytes', () => {
  const cursor = `s=${'ab'.repeat(16)};i=1f;b=${'cd'.repeat(16)};m=1;t=64a8f3c0b2d40;x=1`
  const entry = { __CURSOR: cursor, PRIORITY: '4', _SYSTEMD_UNIT: 'a.service', _PID: '7', MESSAGE: [104, 105] }
  expect(parseJournalLine(JSON.stringify(entry))).toMatchObject({
    origin: cursor,
    cursor: { number: 31 },
    level: 'warn',
    source: 'a.service',
    text: 'hi',
    fields: { pid: 7 },
  })
  expect(parseJournalLine('{"MESSAGE":"x"}')).toBeNull()
})
