import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { seededRandom } from '../../../bench/simulator/random.ts'
import { BeforeLines } from '../../../edge-daemon/logs/follow/before-lines.ts'
import { bodyJson } from '../../../edge-daemon/logs/follow/body-json.ts'
import { crcOf } from '../../../edge-daemon/logs/follow/line-check.ts'
import { RecordMaker } from '../../../edge-daemon/logs/follow/record-maker.ts'
import { plainIsoTime } from '../../../edge-daemon/logs/lines/iso-time.ts'
import { levelInText, levelNamed } from '../../../edge-daemon/logs/lines/level.ts'
import {
  BACKSLASH,
  BEYOND_ASCII,
  CONTROL,
  lookAt,
  QUOTE,
  SECRET_HINT,
} from '../../../edge-daemon/logs/lines/line-look.ts'
import { Redactor } from '../../../edge-daemon/logs/lines/redact.ts'
import { hasHintOfSecret, MAY_HOLD_SECRET } from '../../../edge-daemon/logs/lines/secrets.ts'

const WORDS = 'TRACE|DEBUG|VERBOSE|INFO|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|PANIC'
const PIECES = [
  ...WORDS.split('|'),
  ...'level lvl severity LEVEL Lvl error Warn info panic x worker a-b 12 é ſ \u00a0 \u2028'.split(' '),
  ...'[ ] < > ( ) | : = " - _ ! . , / T Z + k'.split(' '),
  ...' |  |\t|2026-11-26|10:00:00|10:00:00.123456789|10:60:00|2026-13-01|2026-02-31|24:00:60|Z|UTC|+01:00'.split('|'),
  ...'passw pwd secret Token credential api_key privatekey ACCESS-KEY session-id authorization bearer cookie ://'.split(
    ' ',
  ),
  ...'AKIA ASIA eyJ ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xoxb- sk- rk_ sk_ AIza npm_ hf_ passphrase'.split(' '),
  'PRIVATE KEY',
  '\\',
  '\u0001',
  '\ud800',
  '\u{1f600}',
]

/** Texts of a few pieces, many times: what matters is how they stand beside each other. */
function* texts(count: number): Generator<string> {
  const random = seededRandom(11)
  for (let n = 0; n < count; n += 1) {
    const length = 1 + Math.floor(random() * 8)
    yield Array.from({ length }, () => PIECES[Math.floor(random() * PIECES.length)] ?? '').join('')
  }
}

test('the scan before the patterns of a level changes nothing', () => {
  const patterns = [
    /(?<![\w-])"?(?:level|severity|lvl)"?\s?[:=]\s?"?([A-Za-z]{2,13})(?![A-Za-z])/i,
    new RegExp(`[[<(|](?:\\w{1,32}:)?(${WORDS})[\\]>)|]`, 'i'),
    new RegExp(`(?<![\\w-])(${WORDS})(?![\\w-])`),
    /^\s{0,8}(error|warning|warn|fatal|panic|critical|debug|info|notice)(?: \[[^\]]{0,64}\])?\s?[:!]/i,
  ]
  let told = 0
  for (const text of texts(6000)) {
    const word = patterns.map((pattern) => pattern.exec(text)?.[1]).find((found) => found !== undefined)
    if (word !== undefined) told += 1
    expect(levelInText(text), text).toBe(word === undefined ? null : levelNamed(word))
  }
  expect(told).toBeGreaterThan(600)
})

/** A word in capitals, in small letters and in both. */
const written = (word: string): string[] => [
  word,
  word.toLowerCase(),
  `${word.slice(0, 1)}${word.slice(1).toLowerCase()}`,
]

test.each(WORDS.split('|').flatMap(written))('[%s] tells a level, in brackets of every kind', (word) => {
  const level = levelNamed(word)
  expect(level).not.toBeNull()
  for (const [opens, closes] of ['[]', '<>', '()', '||']) {
    expect(levelInText(`worker ${opens}${word}${closes} frame 12`)).toBe(level)
  }
})

test('whatever may hold a secret gives a hint of it', () => {
  for (const text of texts(6000)) {
    for (const written of [text, text.toLowerCase(), text.toUpperCase()]) {
      if (MAY_HOLD_SECRET.test(written)) expect(hasHintOfSecret(written), written).toBe(true)
    }
  }
  expect(hasHintOfSecret('2026-11-26T10:00:00.000Z INFO worker[3]: frame 12 of camera 7 lasted 1.20 ms')).toBe(false)
})

test('one look at a line tells what a look for each thing tells', () => {
  const has = (text: string, pattern: RegExp, bit: number): number => (pattern.test(text) ? bit : 0)
  for (const text of texts(3000)) {
    const expected =
      has(text, /[^\u0020-\uffff]/, CONTROL) |
      has(text, /\\/, BACKSLASH) |
      has(text, /"/, QUOTE) |
      has(text, /[\u0080-\uffff]/, BEYOND_ASCII) |
      (hasHintOfSecret(text) ? SECRET_HINT : 0)
    expect(lookAt(text), text).toBe(expected)
  }
})

test('records are written as JSON writes them, also those whose message is sure to need no escapes', () => {
  const before = new BeforeLines(2)
  const parts = { forward: 'error' as const, redactor: new Redactor([]), before, wallMs: () => 1_795_000_000_000 }
  const makers = [60, 32_768].map((maxChars) => new RecordMaker({ ...parts, maxChars }))
  let bare = 0
  for (const text of texts(1500)) {
    const inside = JSON.stringify({ level: 'info', msg: text, list: [text, 1e20], time: '2026-11-26T10:00:00Z' })
    const lines = [
      text,
      `{"msg":"${text}","n":["a"]}`,
      inside,
      inside.slice(0, -1),
      `{"n":1,"a":"${text}"}`,
      `2026-11-26T10:00:00Z ${text}`,
    ]
    for (const line of lines) {
      for (const maker of makers) {
        const from = { cutChars: 0, notedAt: null, origin: 'f3a9b2c1d0:1:2', source: 'app', format: 'auto' as const }
        const { body, isBare } = maker.make({ ...from, text: line })
        if (isBare === true) bare += 1
        expect(bodyJson(body, isBare), line).toBe(JSON.stringify(body))
      }
    }
  }
  expect(bare).toBeGreaterThan(1000)
})

test.each([
  ['2026-11-26T10:00:00Z', Date.UTC(2026, 10, 26, 10), 20],
  ['2026-11-26 10:00:00.5Z INFO', Date.UTC(2026, 10, 26, 10, 0, 0, 500), 22],
  ['2026-11-26T10:00:00,123999999Z x', Date.UTC(2026, 10, 26, 10, 0, 0, 123), 30],
  ['2026-02-31T24:59:60Z', Date.UTC(2026, 1, 31, 24, 59, 60), 20],
])('%s is read the quick way', (text, timestamp, length) => {
  expect(plainIsoTime(text)).toEqual({ timestamp, length })
})

test.each([
  '2026-11-26T10:00:00',
  '2026-11-26T10:00:00.Z',
  '2026-11-26T10:00:00.1234567890Z',
  '2026-13-26T10:00:00Z',
  '2026-11-26T10:60:00Z',
  '2026-11-26T10:00:00Zulu',
  '2026-11-26T10:00:00Z]',
  '2026-1x-26T10:00:00Z',
])('%s is left to the patterns', (text) => {
  expect(plainIsoTime(text)).toBeNull()
})

test('a body and a checksum are as the runtime makes them', () => {
  let last: string | null = null
  for (const text of texts(2000)) {
    const body = {
      level: 'warn' as const,
      source: last ?? text,
      msg: text,
      ...(text.length % 2 === 0 ? {} : { fields: { [text]: last, n: -1.5e21, yes: true, ['__proto__']: text } }),
      origin: 'f3a9b2c1d0:1:2',
      ...(text.length % 3 === 0 ? { cut_chars: 7 } : {}),
      ...(text.length % 5 === 0 ? { before: [{ timestamp: 1, level: 'info' as const, msg: text }] } : {}),
    }
    expect(bodyJson(body)).toBe(JSON.stringify(body))
    const bytes = Buffer.from(`..${text.repeat(1 + (text.length % 40))}`)
    expect(crcOf(bytes, 2, bytes.length)).toBe(crc32(bytes.subarray(2)))
    last = text
  }
})
