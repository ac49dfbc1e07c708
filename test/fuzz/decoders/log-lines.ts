import { LINE_FORMATS } from '../../../edge-daemon/config/followed-logs.ts'
import { parseCheckpoint } from '../../../edge-daemon/logs/follow/checkpoint.ts'
import { openEnvelope } from '../../../edge-daemon/logs/follow/envelope.ts'
import { parseJournalLine } from '../../../edge-daemon/logs/journal/journal-line.ts'
import { cleanLine, parseLine } from '../../../edge-daemon/logs/lines/parse-line.ts'
import { Redactor } from '../../../edge-daemon/logs/lines/redact.ts'
import type { Decoder } from '../decoder.ts'

const NOW_MS = 1_793_000_000_000
const SAMPLES: Readonly<Record<(typeof LINE_FORMATS)[number], readonly string[]>> = {
  auto: ['\u001b[31mERROR\u001b[0m no route', 'Nov 26 10:00:00 n1 sshd[812]: error: x'],
  json: ['{"level":50,"time":1793000000123,"msg":"x","err":{"type":"E","at":[1,2]}}'],
  logfmt: ['time="2026-11-26T10:00:00Z" level=warning msg="a \\"b\\"" free=12'],
  klog: ['E1126 11:04:05.123456       1 reflector.go:138] "watch ended" node="n 1"'],
  plain: [
    '10.0.0.7 - - [26/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 503 12 "-" "curl"',
    '[Thu Nov 26 10:00:00.250000 2026] [core:error] [pid 7] x',
  ],
}
const CURSOR = `s=${'ab'.repeat(16)};i=1f;b=${'cd'.repeat(16)};m=1;t=64a8f3c0b2d40;x=1`
const CHECKPOINT = JSON.stringify({
  version: 1,
  seq: 5,
  forward: 'error',
  patterns: ['/a.log'],
  files: [
    {
      id: '0123456789',
      key: '1:2',
      series: '/a.log',
      path: '/a.log',
      from: { end: 100, check: 1 },
      marks: { 'E|log': { end: 300, check: 7 } },
      size: 500,
      mtimeMs: 1,
    },
  ],
  journal: { cursor: CURSOR, marks: { ab: 3 } },
})
const SECRETS = [
  'password="a \\" b" token=abc Authorization: Bearer abcdefghijklmnopqrst cookie: a=b',
  'https://a:b@c/ eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln sk-abcdefghijklmnopqrstuvwx --secret x',
  '-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY----- plc-1234',
]

/** Lines that programs on the node write, whoever makes them write what. */
export function logLineDecoders(): Decoder[] {
  return [
    ...LINE_FORMATS.map((format) => ({
      name: `log-line-${format}`,
      samples: SAMPLES[format],
      decode: (text: string) => parseLine(cleanLine(text), format, NOW_MS),
      isTaken: ({ level }: ReturnType<typeof parseLine>) => level !== null,
    })),
    {
      name: 'log-line-envelope',
      samples: [
        '2026-11-26T00:00:00.1Z stderr F no route',
        '{"log":"a\\n","stream":"stdout","time":"2026-11-26T00:00:00Z"}',
      ],
      decode: (text: string) => openEnvelope(text, 'auto'),
      isTaken: (opened: ReturnType<typeof openEnvelope>) => opened !== null,
    },
    {
      name: 'journal-line',
      samples: [JSON.stringify({ __CURSOR: CURSOR, PRIORITY: '3', _SYSTEMD_UNIT: 'a.service', MESSAGE: [104, 105] })],
      decode: parseJournalLine,
      isTaken: (entry: ReturnType<typeof parseJournalLine>) => entry !== null,
    },
    {
      name: 'followed-logs',
      samples: [CHECKPOINT],
      decode: parseCheckpoint,
      isTaken: ({ state }: ReturnType<typeof parseCheckpoint>) => state === 'found',
    },
    {
      name: 'log-line-secrets',
      samples: SECRETS,
      decode: (text: string) => new Redactor(['plc-[0-9]{4}']).text(text),
      isTaken: (text: string) => text.includes('[redacted]'),
    },
  ]
}
