import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import type { RemoteHost } from '../../../src/remote/contract.ts'
import { FanOut, type FanOutOptions } from '../../../src/shell/fan-out.ts'
import type { FanOutTarget } from '../../../src/shell/fan-out-node.ts'
import { summaryText } from '../../../src/shell/fan-out-outcome.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'
import { type ScriptedChannel, ScriptedHost } from '../../support/scripted-host.ts'

function fanOut(targets: readonly FanOutTarget[], options: Partial<FanOutOptions> = {}) {
  const time = new ManualSchedule()
  const lines: string[] = []
  const ended: string[] = []
  const engine = new FanOut({
    targets,
    command: 'uptime',
    parallel: 10,
    connectTimeoutMs: 5000,
    commandTimeoutMs: 60_000,
    deadlineMs: null,
    maxFailures: null,
    maxOutputBytes: 1000,
    input: new Uint8Array(),
    schedule: time.schedule,
    nowMs: () => time.nowMs,
    onLine: (key, line, output) => lines.push(`${key} ${output === 'stdout' ? '|' : '!'} ${line}`),
    onEnd: ({ key, end }) => ended.push(`${key} ${end.kind}`),
    ...options,
  })
  return { engine, time, lines, ended }
}

function target(key: string, host: ScriptedHost): FanOutTarget {
  return { key, open: async () => host }
}

/** A node whose program does this. */
function plays(key: string, play: (channel: ScriptedChannel) => void): FanOutTarget {
  return target(key, new ScriptedHost(key, play))
}

const NEVER: FanOutTarget['open'] = () => new Promise<RemoteHost>(() => undefined)

describe('FanOut', () => {
  it('tells how each node ended, whatever the others do', async () => {
    const refused = new EdgeError('NODE_UNREACHABLE', { message: 'no \x1b[31mroute', next: ['see the cable'] })
    const { engine, time, lines } = fanOut([
      plays('a', (channel) => void channel.say('one\ntwo\n').exit(0)),
      plays('b', (channel) => void channel.say('bad\n', 'stderr').exit(3)),
      { key: 'c', open: () => Promise.reject(refused) },
      plays('d', (channel) => channel.say('half').drop('the link broke')),
      { key: 'e', open: NEVER },
      plays('f', () => undefined),
    ])
    const done = engine.run()
    await vi.waitFor(() => expect(engine.running).toEqual(['e', 'f']), { timeout: 60_000 })
    time.advance(5000)
    await vi.waitFor(() => expect(engine.running).toEqual(['f']), { timeout: 60_000 })
    time.advance(55_000)
    const outcomes = await done
    expect(outcomes.map(({ key, end }) => [key, end])).toEqual([
      ['a', { kind: 'exited', code: 0, signal: null }],
      ['b', { kind: 'exited', code: 3, signal: null }],
      ['c', { kind: 'unreachable', code: 'NODE_UNREACHABLE', msg: 'no ␛[31mroute', next: ['see the cable'] }],
      ['d', { kind: 'dropped', reason: 'the link broke' }],
      ['e', { kind: 'unreachable', code: 'NODE_UNREACHABLE', msg: 'no connection in 5 s', next: [] }],
      ['f', { kind: 'timeout', limit: 'command', seen: true }],
    ])
    expect(lines).toEqual(['a | one', 'a | two', 'b ! bad', 'd | half'])
    expect(summaryText(outcomes, 12_340)).toBe(
      '1 of 6 ok, 1 failed (exit 3), 2 unreachable, 1 timed out, 1 lost, 12.3 s',
    )
  })

  it('runs so many at a time and never more', async () => {
    let now = 0
    let most = 0
    const targets = Array.from({ length: 30 }, (_, index): FanOutTarget => {
      const host = new ScriptedHost(`n${index}`, (channel) => {
        now += 1
        most = Math.max(most, now)
        setImmediate(() => {
          now -= 1
          channel.exit(0)
        })
      })
      return target(`n${index}`, host)
    })
    const { engine } = fanOut(targets, { parallel: 4 })
    const outcomes = await engine.run()
    expect(outcomes).toHaveLength(30)
    expect(most).toBe(4)
  })

  it('begins no more once too many failed', async () => {
    const targets = ['a', 'b', 'c', 'd'].map((key) => plays(key, (channel) => channel.exit(key === 'a' ? 0 : 1)))
    const { engine, ended } = fanOut(targets, { parallel: 1, maxFailures: 2 })
    const outcomes = await engine.run()
    expect(outcomes.at(-1)?.end).toEqual({ kind: 'skipped', why: 'failures' })
    expect(ended).toEqual(['a exited', 'b exited', 'c exited', 'd skipped'])
  })

  it('asks the program to stop, and closes what does not', async () => {
    const obeying = new ScriptedHost('a')
    const stubborn = new ScriptedHost('b', (channel) => {
      channel.obeys = false
    })
    const { engine, time } = fanOut([target('a', obeying), target('b', stubborn), { key: 'c', open: NEVER }], {
      parallel: 3,
    })
    const done = engine.run()
    await vi.waitFor(() => expect(stubborn.channels[0]?.obeys).toBe(false), { timeout: 60_000 })
    await vi.waitFor(() => expect(obeying.channels).toHaveLength(1), { timeout: 60_000 })
    await turn()
    engine.stop()
    expect(obeying.channels[0]?.signals).toEqual(['INT'])
    expect(stubborn.channels[0]?.isClosed).toBe(false)
    time.advance(2000)
    expect(stubborn.channels[0]?.isClosed).toBe(true)
    const outcomes = await done
    expect(outcomes.map(({ end }) => [end.kind, 'seen' in end && end.seen])).toEqual([
      ['interrupted', true],
      ['interrupted', false],
      ['interrupted', true],
    ])
    expect(obeying.isClosed && stubborn.isClosed).toBe(true)
  })

  it('breaks off at once on the second word, and leaves out what never began', async () => {
    const stubborn = new ScriptedHost('a', (channel) => {
      channel.obeys = false
    })
    const { engine } = fanOut([target('a', stubborn), plays('b', () => undefined)], { parallel: 1 })
    const done = engine.run()
    await vi.waitFor(() => expect(stubborn.channels[0]?.obeys).toBe(false), { timeout: 60_000 })
    engine.stop()
    engine.kill()
    const outcomes = await done
    expect(outcomes.map(({ end }) => end)).toEqual([
      { kind: 'interrupted', seen: false },
      { kind: 'skipped', why: 'interrupted' },
    ])
  })

  it('ends all at the deadline of all', async () => {
    const { engine, time } = fanOut([plays('a', () => undefined), plays('b', () => undefined)], {
      parallel: 1,
      deadlineMs: 10_000,
      commandTimeoutMs: null,
    })
    const done = engine.run()
    await vi.waitFor(() => expect(engine.running).toEqual(['a']), { timeout: 60_000 })
    await turn()
    time.advance(10_000)
    const outcomes = await done
    expect(outcomes.map(({ end }) => end)).toEqual([
      { kind: 'timeout', limit: 'deadline', seen: true },
      { kind: 'skipped', why: 'deadline' },
    ])
  })

  it('keeps what fits and counts the rest, without half a character', async () => {
    const { engine } = fanOut([plays('a', (channel) => void channel.say('x'.repeat(998)).say('中文').exit(0))])
    const [outcome] = await engine.run()
    expect(outcome?.stdout).toMatchObject({ text: 'x'.repeat(998), keptBytes: 1000, totalBytes: 1004 })
  })

  it('gives the input to each program and ends it', async () => {
    const host = new ScriptedHost('a')
    const { engine } = fanOut([target('a', host)], { input: Buffer.alloc(100_000, 'i') })
    const done = engine.run()
    await vi.waitFor(() => expect(host.channels[0]?.isInputEnded).toBe(true), { timeout: 60_000 })
    expect(host.channels[0]?.received).toHaveLength(100_000)
    host.channels[0]?.exit(0)
    await done
  })

  it('lets programs wait while nobody takes their lines', async () => {
    const host = new ScriptedHost('a')
    const { engine } = fanOut([target('a', host)])
    engine.hold('a slow pipe')
    engine.hold('a slow disk')
    const done = engine.run()
    await vi.waitFor(() => expect(host.channels[0]?.isPaused).toBe(true), { timeout: 60_000 })
    engine.release('a slow pipe')
    expect(host.channels[0]?.isPaused).toBe(true)
    engine.release('a slow disk')
    expect(host.channels[0]?.isPaused).toBe(false)
    host.channels[0]?.exit(0)
    await done
  })
})
