import { expect, test } from 'vitest'
import type { StatusFrame } from '../../../protocol/frames.ts'
import { arrange } from '../../../src/fleet/arrange.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { factLines } from '../../../src/ui/panes/facts.ts'
import { fleetTable } from '../../../src/ui/panes/fleet-table.ts'
import { othersGroup } from '../../../src/ui/panes/others-facts.ts'
import type { Line } from '../../../src/ui/terminal/line.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { PLAIN_THEME } from '../../../src/ui/theme.ts'
import { arrived, statusFrame, welcomeFrame } from '../../support/live-frames.ts'

const AT = 1_793_000_000_000
const LOOK = { theme: PLAIN_THEME, ascii: false }
type Session = NonNullable<StatusFrame['sessions']>[number]

function session(key: number, who: string, changes: Partial<Session> = {}): Session {
  return { key, who, kind: 'operator', role: 'operator', route: 'direct', since: AT - 300_000, ...changes }
}

function fleetOf(byNode: Readonly<Record<string, readonly Session[]>>, more: Partial<StatusFrame> = {}): Fleet {
  const fleet = new Fleet({ schedule: () => () => undefined })
  for (const [name, sessions] of Object.entries(byNode)) {
    fleet.add(name, { url: 'ws://127.0.0.1:1', nowMs: AT })
    fleet.apply(name, { kind: 'opened' }, AT)
    fleet.apply(name, arrived(welcomeFrame({ name })), AT)
    const frame = statusFrame({ at: AT })
    const own = { ...frame.session, key: 1 }
    fleet.apply(name, arrived({ ...frame, ...more, session: own, sessions: [...sessions] }), AT)
  }
  return fleet
}

const textOf = (line: Line) => line.map((span) => span.text).join('')

function tableOf(fleet: Fleet, columns: number): string[] {
  const rows = arrange(fleet.view('now', AT).nodes, { sort: 'name', reverse: false })
  const lines = fleetTable({ rows, cursorKey: null, marked: new Set(), sort: 'name' }, LOOK, { columns, rows: 10 })
  for (const line of lines) expect(widthOf(textOf(line))).toBe(columns)
  return lines.map(textOf)
}

const me = session(1, 'ben')

test('a row says in 80 columns who else is there and what they did a moment ago, and there is no column while nobody is', () => {
  const acted = session(3, 'mia', { last: { verb: 'fault.slow', at: AT - 5000 } })
  const fleet = fleetOf({
    'node-1': [me, session(2, 'ann'), acted],
    'node-2': [me, session(2, '王小明', { kind: 'operator' })],
    'node-3': [me],
    'node-4': [me, session(4, 'eve', { last: { verb: 'resend', at: AT - 20_000 }, left: AT - 10_000 })],
    'node-5': [me, session(4, 'eve', { last: { verb: 'resend', at: AT - 200_000 }, left: AT - 100_000 })],
  })
  const [head, ...rows] = tableOf(fleet, 80)
  expect(head).toMatch(/NODE.*STATE +ALSO HERE/)
  expect(rows[0]).toContain('mia +1 fault.slow')
  expect(rows[1]).toContain('王小明')
  expect(rows[2]).not.toContain('ben')
  expect(rows[3]).toContain('eve resend')
  expect(rows[4]).not.toContain('eve')
  expect(tableOf(fleet, 60)[0]).toContain('ALSO HERE')
  expect(tableOf(fleetOf({ 'node-1': [me] }), 80)[0]).not.toContain('ALSO')
})

test('the node screen lists them, with a long 中文 name whole and what a terminal would execute harmless', () => {
  const long = '王小明·现场运维值班一组组长'
  const fleet = fleetOf(
    {
      n: [
        me,
        session(2, long, { last: { verb: 'resend', at: AT - 12_000 } }),
        session(3, 'hub\u001b[31m', { kind: 'controller', route: 'nats', last: { verb: 'resend', at: AT, by: 'mia' } }),
        session(4, 'local', { kind: 'local', role: 'admin' }),
      ],
    },
    { moreSessions: 7 },
  )
  const detail = fleet.nodeDetail('n', 'now', AT)
  if (detail === null) throw new Error('there is no such node')
  const lines = factLines(othersGroup(detail), LOOK, 60).map(textOf)
  for (const text of lines) expect(widthOf(text)).toBeLessThanOrEqual(60)
  const text = lines.join('\n')
  const said = text.replaceAll(/\s/g, '')
  expect(said).toContain(`${long},operator,resend12sago,here5m0s`)
  expect(said).toContain('controller,throughNATS,resendformia0sago,here5m0s')
  expect(text).toMatch(/more +7 sessions/)
  expect(text).not.toContain('\u001b')
})

test('who has a shell on a node is told before who did something, for as long as it is open', () => {
  const shell = session(2, 'mia', { shells: { open: 1, since: AT - 3_600_000 } })
  const fleet = fleetOf({
    'node-1': [me, session(3, 'ann', { last: { verb: 'fault.slow', at: AT - 5000 } }), shell],
    'node-2': [me, { ...shell, left: AT - 1000, last: { verb: 'shell.end', at: AT - 1000 } }],
  })
  const [, first, second] = tableOf(fleet, 80)
  expect(first).toContain('mia +1 shell')
  expect(second).toContain('mia shell.end')
  const detail = fleet.nodeDetail('node-1', 'now', AT)
  if (detail === null) throw new Error('the node is not known')
  const [group] = othersGroup(detail)
  expect(group?.facts.at(-1)?.value ?? '').toContain('shell for 1h')
})
