import { expect, test } from 'vitest'
import { KeyBlocks, Redactor } from '../../../edge-daemon/logs/lines/redact.ts'

const redact = (text: string): string => new Redactor([]).text(text)
/** Put together here, so that no scanner takes them for real ones. */
const JWT = ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiIxIn0', 'c2lnbmF0dXJl'].join('.')

test.each([
  ['Authorization: Bearer abc.def-123', 'Authorization: [redacted]'],
  ['"authorization":"Basic dXNlcjpwYXNz","x":1', '"authorization":"[redacted]","x":1'],
  ['sent bearer abcdefghijklmnop1234', 'sent bearer [redacted]'],
  ['login password=hunter2 user=bob', 'login password=[redacted] user=bob'],
  ['{"db_password":"a \\"b\\" c","host":"h"}', '{"db_password":[redacted],"host":"h"}'],
  ['body {\\"accessToken\\":\\"abc\\",\\"n\\":1}', 'body {\\"accessToken\\":[redacted],\\"n\\":1}'],
  ["passphrase = 'two words' end", 'passphrase = [redacted] end'],
  ['mysql --password hunter2 -h db', 'mysql --password [redacted] -h db'],
  ['GET https://bob:hunter2@example.org/x', 'GET https://[redacted]@example.org/x'],
  ['GET /x?api_key=abc&page=2', 'GET /x?api_key=[redacted]&page=2'],
  [`key ${'AKIA'}IOSFODNN7EXAMPLE used`, 'key [redacted] used'],
  ['aws_secret_access_key = wJalrXUtnFEMI/K7MDENG', 'aws_secret_access_key = [redacted]'],
  [`jwt ${JWT} ok`, 'jwt [redacted] ok'],
  [`push with ghp_${'a1'.repeat(18)}`, 'push with [redacted]'],
  ['Set-Cookie: sid=abc; Path=/', 'Set-Cookie: [redacted]'],
  ['map[Authorization:[Bearer opaque-1] Host:[x]]', 'map[Authorization:[[redacted] Host:[x]]'],
  ['{"password":["one","two"],"n":1}', '{"password":[redacted],"n":1}'],
  ['{:password=>"hunter2"}', '{:password=>[redacted]}'],
  ['<db:password>hunter2</db:password>', '<db:password>[redacted]</db:password>'],
  ['dial postgres://bob:p@ss:w@db/x', 'dial postgres://[redacted]@db/x'],
  [`pay with ${'sk_live'}_${'a1'.repeat(12)}`, 'pay with [redacted]'],
])('%s', (text, expected) => {
  expect(redact(text)).toBe(expected)
})

test.each([
  'tokens=1500 in 3 s',
  'upstream timed out (110: Connection timed out)',
  'git@github.com:a/b.git',
  'GET https://example.org/a@b',
  'GET https://example.org?to=a@b',
  'the passenger list',
])('leaves alone what is none: %s', (text) => {
  const redactor = new Redactor([])
  expect(redactor.text(text)).toBe(text)
  expect(redactor.count).toBe(0)
})

test('a private key goes as a whole, in one text or over many lines', () => {
  const [begin, end] = ['-----BEGIN EC PRIVATE KEY-----', '-----END EC PRIVATE KEY-----']
  expect(redact(`a ${begin}\nMHcC\n${end} b`)).toBe('a [redacted] b')
  expect(redact(`a ${begin}\nMHcC`)).toBe('a [redacted]')
  const blocks = new KeyBlocks()
  const lines = ['x', begin, 'MHcCAQ', end, 'y', `${begin} MHcC ${end}`, 'z']
  expect(lines.map((line) => blocks.take(line))).toEqual([
    'whole',
    'whole',
    'inside',
    'inside',
    'whole',
    'whole',
    'whole',
  ])
})

test('a key that is never ended does not swallow the rest of a log', () => {
  const blocks = new KeyBlocks()
  blocks.take('-----BEGIN PRIVATE KEY-----')
  const taken = Array.from({ length: 300 }, () => blocks.take('line'))
  expect(taken.lastIndexOf('inside')).toBe(199)
})

test('a field whose name says that it is a secret is one, and what was cut is counted', () => {
  const redactor = new Redactor([])
  expect(redactor.field('req.headers.cookie', 'a=b')).toBe('[redacted]')
  expect(redactor.field('apiKey', 12)).toBe('[redacted]')
  expect(redactor.field('tokens', 12)).toBe(12)
  expect(redactor.field('url', 'x://a:b@c')).toBe('x://[redacted]@c')
  expect(redactor.count).toBe(3)
})

test("the operator's own patterns hold anywhere in a text of any length", () => {
  const redactor = new Redactor(['plc-[0-9]{4}'])
  expect(redactor.text(`${'x'.repeat(16_380)}plc-1234 plc-5678`)).toBe(`${'x'.repeat(16_380)}[redacted] [redacted]`)
  expect(redactor.text('plc-1111 '.repeat(300))).toBe(`${'[redacted] '.repeat(256)}[redacted]`)
})

test('a secret that was cut in two by the bound on a line does not show its first half', () => {
  expect(redact(`${'x'.repeat(100)} token=abcdef`)).not.toContain('abc')
})
