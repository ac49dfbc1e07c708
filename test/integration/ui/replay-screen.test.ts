import { afterEach, describe, expect, test } from 'vitest'
import type { DemoPanel } from '../../../src/ui/demo-panel.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { ConsoleScreen, type ConsoleScreenOptions, START_MS } from '../../support/console-screen.ts'
import { alertRecord, KeptNode, resultRecord, settled } from '../../support/kept-node.ts'

const screens: ConsoleScreen[] = []
afterEach(() => {
  for (const screen of screens.splice(0)) screen.dispose()
})

/** A console that was opened twelve seconds ago over two nodes that kept the last five minutes by the second and a day by the minute. */
async function open(options: Partial<ConsoleScreenOptions> = {}) {
  const kept = new KeptNode()
    .keepMinutes(START_MS - 1440 * 60_000, START_MS - 300_000)
    .keepSeconds(START_MS - 300_000, START_MS + 12_000)
    .keepLog(START_MS - 61_000, 'a minute before')
  kept.kept.alerts.push(alertRecord(1, START_MS - 120_000))
  kept.kept.results.push(
    resultRecord(1, START_MS - 61_500),
    resultRecord(2, START_MS - 61_200, { pred: 3, confidence: 0.41, reason: 'low_confidence' }),
    resultRecord(3, START_MS - 30_000, { code: 422, pred: null, confidence: null, reason: 'undecodable' }),
  )
  const nodes = [{}, { site: 'plant-b' }]
  const screen = new ConsoleScreen({ columns: 120, rows: 40, nodes, sources: [kept], ...options })
  screens.push(screen)
  await screen.pass(12)
  return { screen, kept }
}

/** Type, and let what is loaded for it come. */
async function type(screen: ConsoleScreen, keys: string): Promise<void> {
  await screen.type(keys)
  await loaded(screen)
}

async function loaded(screen: ConsoleScreen): Promise<void> {
  for (let turn = 0; turn < 80; turn += 1) {
    await settled()
    screen.advance(5)
  }
  await screen.emulator.settle()
}

function lineWith(screen: ConsoleScreen, text: string): string {
  const found = screen.emulator.text().find((line) => line.includes(text))
  if (found === undefined) throw new Error(`no line with "${text}":\n${screen.emulator.screen()}`)
  return found
}

const header = (screen: ConsoleScreen): string => screen.emulator.text()[0] ?? ''

describe('the past on the screen', () => {
  test.each([
    [80, 24],
    [120, 40],
    [200, 60],
  ])('looks as it was agreed at %i×%i', async (columns, rows) => {
    const { screen } = await open({ columns, rows })
    await type(screen, '{')
    await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/replay-fleet-${columns}x${rows}.txt`)
    await type(screen, 'g\r')
    await expect(screen.emulator.screen()).toMatchFileSnapshot(`../../golden/replay-node-${columns}x${rows}.txt`)
    for (const line of screen.emulator.text()) expect(widthOf(line)).toBeLessThanOrEqual(columns)
  })

  test('is unmistakable: a banner over the header, and double rules', async () => {
    const { screen } = await open()
    expect(header(screen)).not.toContain('REPLAY')
    await type(screen, '[')
    expect(header(screen)).toMatch(/^ REPLAY 10:00:0\d −1\ds held .* now 10:00:\d\d $/)
    expect(screen.emulator.screen()).toContain('═ nodes')
    expect(screen.emulator.screen()).not.toContain('─ nodes')
    await type(screen, '.')
    expect(header(screen)).not.toContain('REPLAY')
    expect(screen.emulator.screen()).not.toContain('═')
  })

  test('is told without colours and in ASCII alone', async () => {
    const { screen } = await open({ depth: 'none', ascii: true })
    await type(screen, '{')
    expect(screen.emulator.screen()).toMatch(/^[\x20-\x7e\n]*$/)
    expect(header(screen)).toMatch(/^ REPLAY 09:59:\d\d -1m \ds held/)
    expect(screen.emulator.screen()).toContain('= nodes')
    const parameters = [...screen.emulator.output.matchAll(/\u001b\[([0-9;]*)m/g)].flatMap((m) =>
      (m[1] ?? '').split(';'),
    )
    expect(parameters.filter((parameter) => Number(parameter) >= 30)).toEqual([])
    expect(parameters).toContain('7')
  })

  test('steps, plays, gears and comes back to live by itself', async () => {
    const { screen } = await open()
    await type(screen, '{')
    const before = Number(/REPLAY 09:59:(\d\d)/.exec(header(screen))?.[1])
    await type(screen, ']')
    expect(Number(/REPLAY 09:59:(\d\d)/.exec(header(screen))?.[1])).toBe(before + 10)
    await type(screen, 'p')
    expect(header(screen)).toContain('×1 playing')
    await type(screen, '>>')
    expect(header(screen)).toContain('×5 playing')
    await screen.pass(4)
    await loaded(screen)
    expect(header(screen)).toMatch(/REPLAY (09:59:[345]|10:00)/)
    await type(screen, 'T-5m\r')
    await type(screen, '>>>>>')
    expect(header(screen)).toContain('×60 playing')
    for (let turn = 0; turn < 12 && header(screen).includes('REPLAY'); turn += 1) {
      await screen.pass(1)
      await loaded(screen)
    }
    expect(header(screen)).not.toContain('REPLAY')
    expect(screen.emulator.screen()).toContain('caught up with now')
  })

  test('is gone to by a typed time, and a wrong one says what to write', async () => {
    const { screen } = await open()
    await type(screen, 'T')
    expect(screen.emulator.screen()).toContain('look at')
    await type(screen, 'noon\r')
    expect(lineWith(screen, 'look at')).toContain('such as 10:32')
    await type(screen, '\u0015-4m\r')
    expect(header(screen)).toMatch(/REPLAY 09:56:\d\d −4m 0s/)
    await type(screen, 'T2026-11-22 09:00\r')
    await type(screen, 'T\u0015\r')
    expect(screen.emulator.screen()).not.toContain('look at')
  })

  test('shows figures, alerts and log of that time, with ages from then', async () => {
    const { screen } = await open()
    await type(screen, '{')
    expect(lineWith(screen, 'node-1')).toMatch(/● up/)
    expect(lineWith(screen, 'a minute before')).toMatch(/^09:58:59/)
    await type(screen, '}')
    expect(header(screen)).not.toContain('REPLAY')
  })

  test('goes from alert to alert', async () => {
    const { screen } = await open()
    await type(screen, '[')
    await type(screen, '(')
    expect(header(screen)).toContain('REPLAY 09:58:01')
    await type(screen, '(')
    expect(screen.emulator.screen()).toContain('no earlier alert is known')
  })

  test('says what nobody kept, and makes nothing up', async () => {
    const { screen } = await open({ sources: [new KeptNode()] })
    await type(screen, '{{')
    expect(lineWith(screen, 'node-1')).toMatch(/╱ unknown/)
    expect(lineWith(screen, 'node-1')).not.toMatch(/\d %/)
    expect(screen.emulator.text()[0]).toContain('2 unknown')
    await type(screen, '\r')
    expect(screen.emulator.screen()).toContain('no data kept of this time')
  })

  test('says that it is on its way', async () => {
    const { screen, kept } = await open()
    kept.hold()
    await type(screen, '{')
    expect(header(screen)).toContain('loading')
    await kept.release()
    await loaded(screen)
    await screen.pass(1)
    expect(header(screen)).toContain('held')
  })
})

describe('while the past is looked at', () => {
  test('nothing can be changed, and the refusal says how to get back', async () => {
    const done: string[] = []
    const act = (verb: string) => (): Promise<void> => {
      done.push(verb)
      return Promise.resolve()
    }
    const node = { name: 'node-1', pid: 1, uplink: 'up', slowMs: 0, garbage: false }
    const demo: DemoPanel = {
      state: () => ({ nodes: [node, { ...node, name: 'node-2' }], cloud: { kind: 'nats', up: true } }),
      kill: act('kill'),
      revive: act('revive'),
      cut: act('cut'),
      restore: act('restore'),
      slow: act('slow'),
      garbage: act('garbage'),
    }
    const { screen } = await open({ demo })
    await type(screen, '[')
    for (const key of ['K', 'C', 'L', 'X']) {
      await type(screen, key)
      expect(screen.emulator.screen()).toMatch(/is locked in the past; \. is live again/)
    }
    expect(done).toEqual([])
    expect(screen.emulator.screen()).toContain('is locked while you look at the past')
    await type(screen, '.K')
    expect(done).toEqual(['kill'])
  })

  test('the last line tells first how to move and how to leave', async () => {
    const { screen } = await open({ columns: 80, rows: 24 })
    await type(screen, '[')
    expect(screen.emulator.text().at(-1)).toMatch(/^ \. Back to live {2}\[ Back 10 s {2}p Play \/ hold {2}T Go to time/)
  })

  test('results of that time are listed, abnormal ones alone or all', async () => {
    const { screen } = await open()
    await type(screen, '{')
    await type(screen, 'g\r')
    expect(lineWith(screen, 'low confidence')).toMatch(/▲ 09:58:58\.800 +3 +41 %/)
    await type(screen, 'r')
    expect(screen.emulator.screen()).toContain('abnormal alone, 1 rows')
    await type(screen, 'a')
    expect(screen.emulator.screen()).toContain('all, 2 rows')
    expect(screen.emulator.screen()).not.toContain('undecodable')
    await type(screen, '}')
    await type(screen, 'a')
    expect(header(screen)).not.toContain('REPLAY')
  })

  test('esc on the fleet goes back to live when nothing else is to be closed', async () => {
    const { screen } = await open()
    await type(screen, '[')
    await screen.type('\u001b')
    await screen.until(/^(?!.*REPLAY)/s)
  })
})
