import { describe, expect, it, test } from 'vitest'
import { compileRegex } from '../../../regex/linear-regex.ts'
import { Redactor } from '../../../src/shell/redactor.ts'
import { seededRandom } from '../../support/random.ts'

function hide(text: string, cut: (at: number) => number = () => text.length, own: readonly string[] = []): string {
  const regexes = own.flatMap((pattern) => {
    const compiled = compileRegex(pattern)
    return compiled.ok ? [compiled.regex] : []
  })
  const redactor = new Redactor(regexes)
  let out = ''
  for (let at = 0; at < text.length; ) {
    const end = Math.min(text.length, at + Math.max(1, cut(at)))
    out += redactor
      .feed({ atMs: at, text: text.slice(at, end) })
      .map((piece) => piece.text)
      .join('')
    at = end
  }
  return (
    out +
    redactor
      .flush()
      .map((piece) => piece.text)
      .join('')
  )
}

const KEY = `-----BEGIN OPENSSH PRIVATE KEY-----\r\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\r\nAAAAEbm9uZQAAAAAAAAABAAAAMwAAAA\r\n-----END OPENSSH PRIVATE KEY-----\r\n`

describe('what looks like a secret', () => {
  it.each([
    ['DB_PASSWORD=hunter2 next', 'DB_PASSWORD=******* next'],
    ['"api_key": "abc-def-123",', '"api_key": "***********",'],
    ['mysql --password s3cret -u root', 'mysql --password ****** -u root'],
    ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: Bearer *************'],
    ['postgres://app:pa55@db:5432/x', 'postgres://app:****@db:5432/x'],
    ['aws AKIAIOSFODNN7EXAMPLE ok', 'aws ******************** ok'],
    [`ghp_${'a'.repeat(36)}`, '*'.repeat(40)],
    ['password=\x1b[31mhun\x1b[0mter2', 'password=\x1b[31m***\x1b[0m****'],
  ])('%j is hidden in its columns', (line, shown) => {
    expect(hide(`${line}\n`)).toBe(`${shown}\n`)
  })

  it('leaves what is none, byte for byte', () => {
    const text = 'total 12\r\n\x1b[01;34mkeys\x1b[0m  README\r\n$ ssh-keygen -lf key.pub\r\nPassword for mia: \r\n'
    expect(hide(text)).toBe(text)
  })

  it('hides the lines of a private key and nothing behind it', () => {
    const shown = hide(`cat id\r\n${KEY}$ ls\r\n`)
    expect(shown).not.toContain('b3Blbn')
    expect(shown).not.toContain('AAAA')
    expect(shown.startsWith('cat id\r\n')).toBe(true)
    expect(shown.endsWith('$ ls\r\n')).toBe(true)
  })

  it("hides what the operator's own patterns find, also in long lines", () => {
    const line = `${'x'.repeat(30_000)} badge 4711 ${'y'.repeat(5000)}`
    expect(hide(`${line}\n`, undefined, ['badge \\d+'])).toBe(`${line.replace('badge 4711', '**********')}\n`)
  })
})

test('is hidden alike however the output is cut into pieces', () => {
  const text = `$ env\r\nTOKEN=abcdefghijkl\r\nplain line\r\n${KEY}url https://u:pw12345@h/\r\nlast password: hunter2`
  const whole = hide(text)
  expect(whole).not.toMatch(/abcdefgh|pw12345|hunter2|b3Blbn/)
  for (let seed = 1; seed <= 50; seed += 1) {
    const random = seededRandom(seed)
    expect(hide(text, () => Math.floor(random() * 7))).toBe(whole)
  }
})

test('keeps the time of each piece, and holds little of a line without an end', () => {
  const redactor = new Redactor()
  expect(redactor.feed({ atMs: 1, text: 'pass' })).toEqual([])
  expect(redactor.feed({ atMs: 2, text: 'word=abc' })).toEqual([])
  expect(redactor.feed({ atMs: 3, text: 'def\r\n$ ' })).toEqual([
    { atMs: 1, text: 'pass' },
    { atMs: 2, text: 'word=***' },
    { atMs: 3, text: '***\r\n' },
  ])
  let held = 2
  for (let at = 0; at < 100; at += 1) {
    held += 1000
    for (const { text } of redactor.feed({ atMs: 4, text: 'z'.repeat(1000) })) held -= text.length
    expect(held).toBeLessThan(10_000)
  }
})

test('looks through output at speed, with a secret in every line', () => {
  const line = `2026-11-26 token=${'a'.repeat(40)} ${'filler '.repeat(10)}\n`
  const before = process.cpuUsage()
  hide(line.repeat(20_000), () => 65_536)
  // 2.6 MB: a mistake that makes it quadratic takes minutes, of the processor's time and not of the clock's.
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(20_000)
})
