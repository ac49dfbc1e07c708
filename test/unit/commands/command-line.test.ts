import { describe, expect, it } from 'vitest'
import { newNatsKey } from '../../../identity/nats-key.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import type { BusRequest } from '../../../src/command-line/nats-bus-commands.ts'
import { logRowAsJson, logRowAsText, timeText, timeTexts } from '../../../src/commands/logs-text.ts'
import { printJson, printTable } from '../../../src/commands/output.ts'
import { LogBook } from '../../../src/fleet/log-book.ts'
import { logRecord } from '../../support/live-frames.ts'

const read = (line: string) => readCommandLine(line === '' ? [] : line.split(' '), '1.2.3')
function usage(line: string): string {
  try {
    read(line)
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'USAGE') return error.toLine()
    throw error
  }
  return ''
}

describe('the command line', () => {
  it('without a command asks for the screen, and takes nodes and the file before and after a command', () => {
    expect(read('')).toEqual({ kind: 'screen', node: [], cloud: [], config: null, context: null })
    expect(read('--node a=ws://a --node b=ws://b')).toMatchObject({ kind: 'screen', node: ['a=ws://a', 'b=ws://b'] })
    expect(read('--node a=ws://a nodes --node b=ws://b --config f')).toMatchObject({
      kind: 'nodes',
      node: ['a=ws://a', 'b=ws://b'],
      config: 'f',
    })
  })

  it('reads the commands that look at what was kept, with times as they are typed', () => {
    const nowMs = Date.parse('2026-11-25T10:40:00Z')
    const at = (line: string) => readCommandLine(line.split(' '), '1', nowMs)
    expect(at('replay n1')).toEqual({
      kind: 'replay',
      node: [],
      cloud: [],
      config: null,
      context: null,
      name: 'n1',
      fromMs: nowMs - 600_000,
      toMs: nowMs,
      kinds: ['results', 'alerts', 'logs', 'ledger'],
      source: 'auto',
      format: 'table',
      timeoutMs: 5000,
    })
    const ranged = '--from -4m --to 2026-11-25T10:38:00Z --cloud nats://hub'
    expect(at(`replay n1 ${ranged} --kind status,stats --source cloud -o ndjson`)).toMatchObject({
      fromMs: nowMs - 240_000,
      toMs: nowMs - 120_000,
      cloud: ['nats://hub'],
      kinds: ['status', 'stats'],
      source: 'cloud',
      format: 'ndjson',
    })
    expect(at(`compare plant/n1 ${ranged}`)).toMatchObject({ kind: 'compare', name: 'plant/n1', toMs: nowMs - 120_000 })
    expect(at('resend n1')).toMatchObject({ classes: null, target: null, again: false, wait: false, check: false })
    expect(at('resend n1 --classes alert,normal --target east --request-id r1 --check')).toMatchObject({
      kind: 'resend',
      classes: ['alert', 'normal'],
      target: 'east',
      requestId: 'r1',
      again: true,
      wait: true,
      check: true,
    })
    expect(at('picture n1 41 --save p.png')).toMatchObject({ kind: 'picture', name: 'n1', seq: 41, save: 'p.png' })
    const ids = [at('resend n1'), at('resend n1')].map((request) =>
      request.kind === 'resend' ? request.requestId : '',
    )
    expect(new Set(ids).size).toBe(2)
    expect(usage('replay')).toMatch(/missing required argument/)
    expect(usage('replay n1 --from -1m --to -2m')).toMatch(/--from is after --to/)
    expect(usage('replay n1 --kind pictures')).toMatch(/Expected some of results/)
    expect(usage('resend n1 --classes sample')).toMatch(/Expected some of ledger/)
    expect(usage('picture n1 0')).toMatch(/Expected the sequence/)
  })

  it('reads the options of each command with their units', () => {
    expect(read('nodes -o json --timeout 2s')).toMatchObject({ format: 'json', timeoutMs: 2000, watch: false })
    expect(read('logs -f --level warn --contains up --tail 7 --since 5m n1 n2 -o ndjson')).toMatchObject({
      kind: 'logs',
      names: ['n1', 'n2'],
      follow: true,
      filter: { level: 'warn', pattern: 'up', ignoreCase: true },
      tail: 7,
      toMs: null,
      style: { format: 'ndjson', fields: 'inline', time: 'utc' },
    })
    expect(read('demo --headless')).toMatchObject({ kind: 'demo', headless: true })
    expect(read('keys -o json')).toMatchObject({ kind: 'keys', format: 'json' })
  })

  it('reads what is asked of the authority, and refuses what would be signed wrongly', () => {
    const task = (line: string) => (read(line) as { task?: unknown }).task
    expect(task('pki operator mia --role operator --permission data --sites b,a')).toMatchObject({
      name: 'mia',
      rights: { role: 'operator', permissions: ['data'], sites: ['b', 'a'] },
    })
    expect(task('pki operator mia')).toMatchObject({ rights: { role: 'viewer', permissions: [], sites: '*' } })
    expect(task('pki service nats --dns hub,hub.example --ip ::1')).toMatchObject({
      dns: ['hub', 'hub.example'],
      ips: ['::1'],
    })
    expect(task('pki revoke node/a%2Fb/n1 --why lost')).toMatchObject({
      name: 'node/a%2Fb/n1',
      serial: null,
      why: 'lost',
    })
    expect(task('pki revoke --serial 4c:0f')).toMatchObject({ name: null, serial: '4C0F' })
    expect(read('pki status --dir /x')).toMatchObject({ kind: 'pki', dir: '/x', task: { what: 'status', all: false } })
    expect(usage('pki init --fleet Acme')).toContain('lower-case letters')
    expect(usage('pki operator mia --permission root')).toContain('they are data, shell')
    expect(usage('pki operator mia --role root')).toContain('viewer, operator, admin')
    expect(usage('pki operator mia --sites ,')).toContain('Expected sites')
    expect(usage('pki revoke mia')).toContain('write operator/NAME')
    expect(usage('pki revoke operator/mia --serial 4c')).toContain('say either whom')
    expect(usage('pki revoke')).toContain('say either whom')
    expect(usage('pki rotate leaf')).toContain('issuing or root')
    expect(usage('pki rotate root --distrust it')).toContain('--distrust is for the issuing')
  })

  it('prints version and help without complaint', () => {
    expect(read('-V')).toEqual({ kind: 'text', text: '1.2.3\n' })
    const help = read('--help')
    expect(help.kind === 'text' && help.text).toMatch(/Exit codes: .*edgedeck demo/s)
    const ofLogs = read('logs --help')
    expect(ofLogs.kind === 'text' && ofLogs.text).toContain('--node')
  })

  it('takes --version behind what packs for the version of the package, and not for a question about the program', () => {
    const config = 'config pack f.yaml --name plant'
    expect(read(`${config} --version 1.2`)).toEqual(read(`${config} --release 1.2`))
    expect(read(`--context a ${config} --version=1.2`)).toMatchObject({ task: { what: 'pack-config', version: '1.2' } })
    expect(read('labelled pack set --version 3 --name seen')).toMatchObject({ task: { name: 'seen', version: '3' } })
    expect(usage('model pack digits --version 1.2')).toMatch(/manifest\.json .*→ write it there/)
    expect(read('config --version')).toEqual({ kind: 'text', text: '1.2.3\n' })
    expect(read('config pack f.yaml -V')).toEqual({ kind: 'text', text: '1.2.3\n' })
  })

  it('answers a mistake with what to type instead', () => {
    expect(usage('nodez')).toBe('USAGE: there is no command "nodez" → did you mean edgedeck nodes?')
    expect(usage('nodes extra')).toContain('nodes takes no further words')
    expect(usage('--nodes a')).toContain("unknown option '--nodes'")
    expect(usage('-o json nodes')).toContain('→ write -o behind the command: edgedeck nodes … -o …')
    expect(usage('nodes --follow')).toContain('→ see edgedeck nodes --help')
    expect(usage('--follow')).toContain('→ see edgedeck --help')
    expect(usage('pki revoke x --wrong')).toContain('→ see edgedeck pki revoke --help')
    expect(usage('logs --filter field:camera=7')).toContain('for lines write --field camera=7')
    expect(usage('logs --level loud')).toContain('Allowed choices are debug')
    expect(usage('logs --since 5')).toContain('a duration such as 5m or 7d')
    expect(usage('logs --grep a(b')).toContain('"a(b" is no RE2 expression: ')
    expect(usage('logs --source=')).toContain('sources.0: ')
    expect(usage('logs --field camera')).toContain('name=value, name!=value or name~regex')
    expect(usage('logs -f --reverse')).toContain('--reverse and --follow do not go together')
    expect(usage('logs --tail many')).toContain('whole number')
    expect(usage('logs -f -o json')).toContain('use -o ndjson')
    expect(usage('nodes --filter cpu>')).toContain('wants a number')
  })
})

describe('printed output', () => {
  it('aligns columns by what a terminal shows, 中文 included, and ends no line in blanks', () => {
    const columns = [
      { title: 'NAME', text: (row: string[]) => row[0] ?? '' },
      { title: 'N', align: 'right' as const, text: (row: string[]) => row[1] ?? '' },
      { title: 'X', text: (row: string[]) => row[2] ?? '' },
    ]
    const rows = [
      ['a', '1', ''],
      ['东边', '12345', 'x'],
    ]
    expect(printTable(columns, rows)).toBe('NAME      N  X\na         1\n东边  12345  x\n')
    expect(printTable(columns, [])).toBe('NAME  N  X\n')
  })

  it('is one JSON array or one value a line', () => {
    expect(JSON.parse(printJson([{ a: 1 }, { a: null }], 'json'))).toEqual([{ a: 1 }, { a: null }])
    expect(printJson([{ a: 1 }, { a: null }], 'ndjson')).toBe('{"a":1}\n{"a":null}\n')
    expect(printJson([], 'ndjson')).toBe('')
  })

  it('writes times of log lines the same one by one and in a row', () => {
    for (const zone of ['utc', 'local'] as const) {
      const quick = timeTexts(zone)
      for (const atMs of [1_793_000_000_000, 1_793_000_000_007, 1_793_000_000_999, 1_793_000_001_000, 12]) {
        expect(quick(atMs)).toBe(timeText(atMs, zone))
      }
    }
    expect(timeText(1_793_000_000_007, 'utc')).toBe('2026-10-26T07:33:20.007Z')
    expect(Date.parse(timeText(1_793_000_000_007, 'local'))).toBe(1_793_000_000_007)
  })

  it('shows a log line with its fields, hostile text made harmless, and a gap as a row', () => {
    const book = new LogBook({ maxRows: 10 })
    const origin = { key: 'n1', offsetMs: 0, receivedMs: 1e13 }
    const record = { ...logRecord(1, 1_793_000_000_000, 'bad \u001b[31mred', 'error'), fields: { target: 'nats' } }
    book.intake.addLines(origin, [record])
    book.intake.addGap(origin, { missed: 3, reason: 'no_credit', toMs: 1_793_000_000_001 })
    const [line, gap] = book.query({})
    if (line === undefined || gap === undefined) throw new Error('rows are missing')
    expect(logRowAsText(line)).toBe('2026-10-26T07:33:20.000Z n1 ERROR edge-daemon: bad ␛[31mred target=nats')
    expect(logRowAsText(gap)).toBe('2026-10-26T07:33:20.001Z n1 ----- 3 lines did not come: this console was too slow')
    expect(logRowAsJson(line)).toEqual({
      kind: 'line',
      node: 'n1',
      atMs: 1_793_000_000_000,
      level: 'error',
      source: 'edge-daemon',
      msg: 'bad ␛[31mred',
      fields: { target: 'nats' },
      nodeMs: 1_793_000_000_000,
      seq: 1,
      late: false,
      cutChars: 0,
      before: [],
    })
  })
})

it('reads a bus of its own by its folder, and users of it by kind and name', () => {
  const key = newNatsKey().publicKey
  const task = (line: string) => (readCommandLine(line.split(' '), '1') as BusRequest).task
  expect(
    task('nats setup --out /b --sites a,b --listen [::1]:4300 --servers tls://h:1,tls://i:1 --apply'),
  ).toMatchObject({
    what: 'set-up',
    out: '/b',
    sites: ['a', 'b'],
    listen: { host: '::1', port: 4300 },
    servers: ['tls://h:1', 'tls://i:1'],
    apply: true,
  })
  expect(task('nats setup --out /b')).toEqual({
    what: 'set-up',
    out: '/b',
    wishes: { blocks: {}, audit: {}, rollouts: {}, leases: {}, packages: {} },
    apply: false,
    timeoutMs: 5000,
  })
  expect(task(`nats user node plant/n1 --in /b --key ${key}`)).toMatchObject({
    user: { kind: 'node', site: 'plant', node: 'n1' },
    key,
  })
  expect(task('nats user operator mia --in /b --role admin --sites a')).toMatchObject({
    user: { kind: 'operator', name: 'mia', role: 'admin', sites: ['a'] },
  })
  expect(task(`nats revoke --in /b ${key} ${key}`)).toEqual({ what: 'revoke', dir: '/b', keys: [key, key] })
  expect(() => task('nats user node n1 --in /b')).toThrow('SITE/NODE')
  expect(() => task('nats user keeper k --in /b')).toThrow('keeper')
  expect(() => task('nats revoke --in /b UNO')).toThrow('public key')
  expect(() => task('nats setup --out /b --listen 4222')).toThrow('HOST:PORT')
})
