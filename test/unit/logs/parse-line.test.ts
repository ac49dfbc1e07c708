import { expect, test } from 'vitest'
import { cleanLine, parseLine } from '../../../edge-daemon/logs/lines/parse-line.ts'

const NOW = Date.UTC(2026, 10, 26, 12, 0, 0)
/** A time without a zone is this machine's own. */
const local = (...parts: [number, number, number, number, number, number, number?]): number =>
  new Date(parts[0], parts[1] - 1, parts[2], parts[3], parts[4], parts[5], parts[6] ?? 0).getTime()
const parse = (text: string, format: Parameters<typeof parseLine>[1] = 'auto') => parseLine(text, format, NOW)

test.each([
  [
    'pino',
    '{"level":50,"time":1793000000123,"pid":7,"msg":"no route","err":{"type":"E","stack":"a\\nb"}}',
    {
      timestamp: 1793000000123,
      level: 'error',
      msg: 'no route',
      fields: { pid: 7, 'err.type': 'E', 'err.stack': 'a\nb' },
    },
  ],
  [
    'bunyan',
    '{"name":"app","hostname":"h","level":40,"msg":"slow","time":"2026-11-26T10:00:00.000Z","v":0}',
    { timestamp: Date.UTC(2026, 10, 26, 10), level: 'warn', msg: 'slow', fields: { name: 'app', hostname: 'h', v: 0 } },
  ],
  [
    'zap with seconds',
    '{"level":"info","ts":1793000000.5,"caller":"a.go:1","message":"up"}',
    { timestamp: 1793000000500, level: 'info', msg: 'up', fields: { caller: 'a.go:1' } },
  ],
  [
    'Elastic with a level that is no word',
    '{"@timestamp":"2026-11-26T10:00:00Z","log.level":"ERROR","message":"x","level":"what"}',
    { timestamp: Date.UTC(2026, 10, 26, 10), level: 'error', msg: 'x', fields: { level: 'what' } },
  ],
  [
    'logfmt',
    'time="2026-11-26T10:00:00Z" level=warning msg="disk \\"a\\" is full" free=12 ok=false',
    { timestamp: Date.UTC(2026, 10, 26, 10), level: 'warn', msg: 'disk "a" is full', fields: { free: 12, ok: false } },
  ],
  [
    'klog',
    'E1126 11:04:05.123456       1 reflector.go:138] watch of *v1.Node ended',
    {
      timestamp: local(2026, 11, 26, 11, 4, 5, 123),
      level: 'error',
      msg: 'watch of *v1.Node ended',
      fields: { caller: 'reflector.go:138' },
    },
  ],
  [
    'klog with structure, from last year',
    'I1231 23:59:59.000001 77 server.go:2] "Node is ready" node="n 1" took=3',
    {
      timestamp: local(2025, 12, 31, 23, 59, 59),
      level: 'info',
      msg: 'Node is ready',
      fields: { caller: 'server.go:2', node: 'n 1', took: 3 },
    },
  ],
  [
    'an error of nginx',
    '2026/11/26 10:00:00 [error] 12#12: *1 connect() failed',
    {
      timestamp: local(2026, 11, 26, 10, 0, 0),
      level: 'error',
      msg: '[error] 12#12: *1 connect() failed',
      fields: null,
    },
  ],
  [
    'an error of Apache',
    '[Thu Nov 26 10:00:00.250000 2026] [core:crit] [pid 7] no memory',
    {
      timestamp: local(2026, 11, 26, 10, 0, 0, 250),
      level: 'fatal',
      msg: '[core:crit] [pid 7] no memory',
      fields: null,
    },
  ],
  [
    'syslog',
    '<30>Nov 26 10:00:00 n1 sshd[812]: error: kex_exchange_identification',
    {
      timestamp: local(2026, 11, 26, 10, 0, 0),
      level: 'error',
      msg: 'error: kex_exchange_identification',
      fields: { host: 'n1', program: 'sshd', pid: 812 },
    },
  ],
  [
    'Python',
    '2026-11-26 10:00:00,250 WARNING app.db: retry',
    { timestamp: local(2026, 11, 26, 10, 0, 0, 250), level: 'warn', msg: 'WARNING app.db: retry', fields: null },
  ],
  [
    'a zone',
    '2026-11-26T10:00:00.5+02:00 INFO up',
    { timestamp: Date.UTC(2026, 10, 26, 8, 0, 0, 500), level: 'info', msg: 'INFO up', fields: null },
  ],
  ['Java without a time', 'FATAL no memory', { timestamp: null, level: 'fatal', msg: 'FATAL no memory', fields: null }],
  ['nothing', 'hello errors', { timestamp: null, level: null, msg: 'hello errors', fields: null }],
  ['', '', { timestamp: null, level: null, msg: '', fields: null }],
])('%s: %s', (_, line, parsed) => {
  expect(parse(line)).toEqual(parsed)
})

test('an access line tells its level by its status', () => {
  const line = (status: number): string =>
    `10.0.0.7 - - [26/Nov/2026:10:00:00 +0000] "POST /infer HTTP/1.1" ${status} 12 "-" "curl/8"`
  expect(parse(line(503))).toEqual({
    timestamp: Date.UTC(2026, 10, 26, 10),
    level: 'error',
    msg: line(503),
    fields: { client: '10.0.0.7', request: 'POST /infer HTTP/1.1', status: 503, bytes: 12 },
  })
  expect([200, 404].map((status) => parse(line(status)).level)).toEqual(['info', 'warn'])
})

test('a time that cannot be is not believed, and stays where it was written', () => {
  expect(parse('{"time":"1970-01-01T00:00:09Z","msg":"x"}')).toMatchObject({
    timestamp: null,
    fields: { time: '1970-01-01T00:00:09Z' },
  })
  expect(parse('2031-01-01T00:00:00Z INFO x')).toMatchObject({ timestamp: null, msg: '2031-01-01T00:00:00Z INFO x' })
})

test('a line that is not of the format it should be is text', () => {
  expect(parse('WARN starting', 'json')).toMatchObject({ level: 'warn', msg: 'WARN starting' })
  expect(parse('{"level":"error","msg":"cut sho', 'json')).toMatchObject({ level: 'error' })
  expect(parse('{"level":"error"}', 'plain')).toMatchObject({ level: 'error', msg: '{"level":"error"}', fields: null })
})

test('fields stay within bounds, and what has none is counted', () => {
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${n}`, n]))
  const { fields } = parse(JSON.stringify({ msg: 'x', ...many }))
  expect(Object.keys(fields ?? {})).toHaveLength(32)
  expect(fields).toMatchObject({ k30: 30, fields_cut: 69 })
  const long = parse(JSON.stringify({ msg: 'x', a: 'y'.repeat(90_000), ['n'.repeat(300)]: 1 })).fields
  expect(String(long?.a)).toHaveLength(4096)
  expect(parse('{"msg":"x","__proto__":{"a":1},"constructor":2}').fields).toMatchObject({
    constructor: 2,
    '__proto__.a': 1,
  })
})

test('colours, NULs and the carriage return are no part of a line', () => {
  expect(cleanLine('\u001b[1;31mERROR\u001b[0m \u001b]0;title\u0007no\0 route\r')).toBe('ERROR no route')
  expect(cleanLine('\u001b[31')).toBe('')
})
