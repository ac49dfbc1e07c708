import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openStore } from '../../../edge-daemon/store/store.ts'
import type { LogRecord } from '../../../protocol/records.ts'
import { DaemonHome, eventually } from '../../support/edge-daemon.ts'
import { Journald } from '../../support/journald.ts'
import { descendants } from '../../support/process-tree.ts'

const LINES = 400
const UNIT = 'plant.service'
const WAIT = { timeoutMs: 60_000 }

/** Lines with a number and every priority in turn. */
function numbered(from: number): string[] {
  return Array.from({ length: LINES }, (_, n) => `<${(from + n) % 8}>step ${from + n}`)
}

type Kept = LogRecord & { readonly class: string }

async function keptIn(stateDir: string): Promise<Kept[]> {
  const store = await openStore({ dir: path.join(stateDir, 'store'), nodeName: 'n1', maxBytes: 1e9, segmentBytes: 1e6 })
  const records = await store.read({ classes: ['log', 'error'], limit: 10_000 })
  await store.close()
  const kept = records.map(({ class: kept, line }): Kept => ({ class: kept, ...(JSON.parse(line) as LogRecord) }))
  return kept.filter(({ origin }) => origin !== undefined)
}

/** The `journalctl` that a daemon follows with; null while there is none. */
function followingPid(daemonPid: number): number | null {
  const follows = (pid: number): boolean => {
    try {
      const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return program.endsWith('journalctl') && args.includes('--follow')
    } catch {
      return false
    }
  }
  return descendants(daemonPid).find(follows) ?? null
}

async function linesOf(inferUrl: string): Promise<number> {
  const text = await (await fetch(`${inferUrl.replace(/\/infer$/, '')}/metrics`)).text()
  return Number(/^edge_logs_lines_total (.*)$/m.exec(text)?.[1] ?? Number.NaN)
}

test('a real journal is kept from the first start on, each entry once and in order, over the death of the daemon and of its journalctl', async () => {
  await using journald = await Journald.start()
  await using home = new DaemonHome()
  const settings = { 'logs.journald.units': ['*'], 'logs.before': 0, 'metrics.serve': 'both' }
  home.configure(settings)
  journald.print('app', ['<3>before the first start'])
  await eventually(() => journald.entries().some(({ SYSLOG_IDENTIFIER: name }) => name === 'app'), WAIT)
  const old = journald.entries().length
  const first = await home.serve({ under: journald.within })
  await eventually(() => followingPid(first.pid) !== null, { ...WAIT, what: 'the journal is followed' })

  journald.print('app', numbered(0))
  await eventually(async () => (await linesOf(first.inferUrl)) > 0, { ...WAIT, what: 'the first line is read' })
  journald.print('app', numbered(LINES))
  first.daemon.kill()
  await first.daemon.ended
  journald.print('app', numbered(2 * LINES))
  const early = (await keptIn(home.stateDir)).length

  const second = await home.serve({ under: journald.within })
  await eventually(() => followingPid(second.pid) !== null, { ...WAIT, what: 'the journal is followed again' })
  const follower = followingPid(second.pid) as number
  journald.print('app', numbered(3 * LINES))
  process.kill(follower, 'SIGKILL')
  journald.syslog('bytes', 'user.err', Buffer.from('half \u0001 k\u00e4se'))
  journald.send({ MESSAGE: 'of a unit', PRIORITY: '4', SYSLOG_IDENTIFIER: 'plant', OBJECT_SYSTEMD_UNIT: UNIT })
  const written = 4 * LINES + 2
  await eventually(() => journald.entries().length === old + written, { ...WAIT, what: 'the journal has it all' })
  await eventually(async () => (await linesOf(second.inferUrl)) >= written - early, { ...WAIT, what: 'all is read' })
  expect(followingPid(second.pid)).not.toBe(follower)
  await second.daemon.stop()

  const entries = journald.entries().slice(old)
  const kept = await keptIn(home.stateDir)
  for (const [recordClass, priorities] of [
    ['error', '0123'],
    ['log', '4567'],
  ] as const) {
    const origins = kept.filter((record) => record.class === recordClass).map(({ origin }) => origin)
    const expected = entries.filter(({ PRIORITY }) => priorities.includes(String(PRIORITY)))
    expect(origins).toEqual(expected.map(({ __CURSOR }) => __CURSOR))
  }
  const levels = ['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug']
  const steps = kept.filter(({ source }) => source === 'app')
  expect(steps.length).toBe(4 * LINES)
  for (const { msg, level } of steps) expect([msg, level]).toEqual([msg, levels[Number(msg.slice(5)) % 8]])
  const others = kept.filter(({ source }) => source !== 'app').map(({ source, level, msg }) => [source, level, msg])
  expect(entries.find(({ SYSLOG_IDENTIFIER: name }) => name === 'bytes')?.MESSAGE).toBeInstanceOf(Array)
  expect(others).toEqual([
    ['bytes', 'error', 'half \u0001 k\u00e4se'],
    ['plant', 'warn', 'of a unit'],
  ])

  home.configure({ ...settings, 'logs.journald.units': [UNIT] })
  const third = await home.serve({ under: journald.within })
  journald.print('app', ['<4>of no unit'])
  journald.send({ MESSAGE: 'of the unit', PRIORITY: '4', SYSLOG_IDENTIFIER: 'plant', OBJECT_SYSTEMD_UNIT: UNIT })
  await eventually(async () => (await linesOf(third.inferUrl)) > 0, { ...WAIT, what: 'the line of the unit is read' })
  await third.daemon.stop()
  const later = (await keptIn(home.stateDir)).filter(({ origin }) => !kept.some((record) => record.origin === origin))
  expect(later.map(({ msg }) => msg)).toEqual(['of the unit'])
}, 240_000)
