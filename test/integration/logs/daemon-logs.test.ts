import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openStore } from '../../../edge-daemon/store/store.ts'
import type { LogRecord } from '../../../protocol/records.ts'
import { DaemonHome, eventually } from '../../support/edge-daemon.ts'

/** `journalctl` as far as it is asked: entries of a file behind a cursor, then it waits. */
const JOURNALCTL = `#!/bin/sh
case "$*" in *--lines=1*) exit 0 ;; esac
case "$*" in *--after-cursor*) exec sleep 60 ;; esac
cat "$JOURNAL_ENTRIES"; exec sleep 60
`
const CURSOR = (number: number): string =>
  `s=${'ab'.repeat(16)};i=${number.toString(16)};b=${'cd'.repeat(16)};m=1;t=64a8f3c0b2d40;x=1`

async function recordsOf(stateDir: string): Promise<(LogRecord & { class: string })[]> {
  const store = await openStore({ dir: path.join(stateDir, 'store'), nodeName: 'n1', maxBytes: 1e9, segmentBytes: 1e6 })
  const records = await store.read({ classes: ['log', 'error'], limit: 10_000 })
  await store.close()
  return records.map(({ class: recordClass, line }) => ({ class: recordClass, ...(JSON.parse(line) as LogRecord) }))
}

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(url)).text()
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1] ?? Number.NaN)
}

test('what ships follows files, containers and the journal, cuts secrets out, sends errors up with what came before, and goes on where it was', async () => {
  await using home = new DaemonHome()
  const logs = path.join(home.dir, 'logs')
  const containers = path.join(home.dir, 'containers')
  const bin = path.join(home.dir, 'bin')
  for (const folder of [logs, containers, bin]) mkdirSync(folder)
  const app = path.join(logs, 'app.log')
  writeFileSync(path.join(bin, 'journalctl'), JOURNALCTL)
  chmodSync(path.join(bin, 'journalctl'), 0o755)
  const entries = path.join(home.dir, 'entries')
  const entry = (n: number, more: object): string => `${JSON.stringify({ __CURSOR: CURSOR(n), ...more })}\n`
  writeFileSync(
    entries,
    entry(1, { PRIORITY: '3', _SYSTEMD_UNIT: 'nginx.service', MESSAGE: 'no upstream' }) +
      entry(2, { PRIORITY: '6', SYSLOG_IDENTIFIER: 'kernel', MESSAGE: [...Buffer.from('bytes')] }),
  )
  home.configure({
    'logs.files': [{ path: `${logs}/*.log`, multiline: '^[A-Z]' }],
    'logs.containers.dir': containers,
    'logs.journald.units': ['nginx.service'],
    'logs.before': 2,
    'logs.from': 'start',
    'metrics.serve': 'both',
  })
  const env = { PATH: `${bin}:${process.env.PATH}`, JOURNAL_ENTRIES: entries }
  const first = await home.serve({ env })
  writeFileSync(
    app,
    `INFO one\nINFO two\nINFO three password=hunter2\nERROR four\n  at a.js:1\nINFO ${'x'.repeat(90_000)}\n`,
  )
  writeFileSync(
    path.join(containers, `web_plant_nginx-${'0a'.repeat(32)}.log`),
    '2026-11-26T00:00:00.5Z stdout P half \n2026-11-26T00:00:00.6Z stderr F {"level":"error","msg":"apart"}\n2026-11-26T00:00:00.7Z stdout F whole\n',
  )
  const url = `${first.inferUrl.replace(/\/infer$/, '')}/metrics`
  await eventually(async () => (await metric(url, 'edge_logs_lines_total')) >= 7, {
    timeoutMs: 90_000,
    what: 'lines are kept',
  })
  first.daemon.kill()
  await first.daemon.ended
  appendFileSync(app, 'INFO last\n')
  const second = await home.serve({ env })
  const again = `${second.inferUrl.replace(/\/infer$/, '')}/metrics`
  await eventually(async () => (await metric(again, 'edge_logs_lines_total')) >= 1, {
    timeoutMs: 90_000,
    what: 'the last line is kept',
  })
  await second.daemon.stop()

  const records = (await recordsOf(home.stateDir)).filter(({ origin }) => origin !== undefined)
  const of = (source: string) => records.filter((record) => record.source === source)
  expect(of('app').map(({ class: kept, msg }) => [kept, msg.slice(0, 40)])).toEqual([
    ['log', 'INFO one'],
    ['log', 'INFO two'],
    ['log', 'INFO three password=[redacted]'],
    ['error', 'ERROR four\n  at a.js:1'],
    ['log', `INFO ${'x'.repeat(35)}`],
    ['log', 'INFO last'],
  ])
  const [, , , error, long] = of('app')
  expect(error?.before?.map(({ msg }) => msg)).toEqual(['INFO two', 'INFO three password=[redacted]'])
  expect([long?.msg.length, long?.cut_chars]).toEqual([32_768, 90_005 - 32_768])
  expect(of('plant/web/nginx').map(({ level, msg, timestamp }) => [level, msg, timestamp])).toEqual([
    ['error', 'apart', Date.UTC(2026, 10, 26, 0, 0, 0, 600)],
    ['info', 'half whole', Date.UTC(2026, 10, 26, 0, 0, 0, 500)],
  ])
  expect(of('nginx.service').map(({ class: kept, level, msg }) => [kept, level, msg])).toEqual([
    ['error', 'error', 'no upstream'],
  ])
  expect(of('kernel').map(({ msg }) => msg)).toEqual(['bytes'])
}, 300_000)
