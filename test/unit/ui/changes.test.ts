import { expect, test } from 'vitest'
import type { StatusChanges } from '../../../protocol/change.ts'
import { arrange } from '../../../src/fleet/arrange.ts'
import { cleanStatus } from '../../../src/fleet/clean.ts'
import { parseFilter } from '../../../src/fleet/filter.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { changeGroups } from '../../../src/ui/panes/change-facts.ts'
import { factLines } from '../../../src/ui/panes/facts.ts'
import { fleetTable } from '../../../src/ui/panes/fleet-table.ts'
import type { Line } from '../../../src/ui/terminal/line.ts'
import { widthOf } from '../../../src/ui/terminal/text.ts'
import { PLAIN_THEME } from '../../../src/ui/theme.ts'
import { changeStatus, changesWith, modelItem, shadowReport } from '../../support/change-status.ts'
import { arrived, statusFrame, welcomeFrame } from '../../support/live-frames.ts'

const AT = 1_793_000_000_000
const LOOK = { theme: PLAIN_THEME, ascii: false }
const textOf = (line: Line) => line.map((span) => span.text).join('')

function fleetOf(byNode: Readonly<Record<string, StatusChanges | undefined>>): Fleet {
  const fleet = new Fleet({ schedule: () => () => undefined })
  for (const [name, changes] of Object.entries(byNode)) {
    fleet.add(name, { url: 'ws://127.0.0.1:1', nowMs: AT })
    fleet.apply(name, { kind: 'opened' }, AT)
    fleet.apply(name, arrived(welcomeFrame({ name })), AT)
    const frame = statusFrame({ at: AT })
    fleet.apply(name, arrived(changes === undefined ? frame : { ...frame, changes }), AT)
  }
  return fleet
}

function tableOf(fleet: Fleet, columns: number): string[] {
  const rows = arrange(fleet.view('now', AT).nodes, { sort: 'name', reverse: false })
  const lines = fleetTable({ rows, cursorKey: null, marked: new Set(), sort: 'name' }, LOOK, { columns, rows: 12 })
  for (const line of lines) expect(widthOf(textOf(line))).toBe(columns)
  return lines.map(textOf)
}

function factsOf(changes: StatusChanges, columns = 44): string {
  const status = cleanStatus({ ...statusFrame({ at: AT }), changes })
  return factLines(changeGroups(status), LOOK, columns)
    .map((line) => textOf(line).trimEnd())
    .join('\n')
}

test('a row says in 80 columns what is changed on a node, and there is no column while nothing is', () => {
  const fault = { kind: 'slow', msg: '40 of 120 took over 50 ms' } as const
  const fleet = fleetOf({
    'node-1': changesWith(changeStatus('probation', AT)),
    'node-2': changesWith(changeStatus('staging', AT, { progress: { doneBytes: 50, totalBytes: 200 } })),
    'node-3': changesWith(changeStatus('reverted', AT, { fault, isLocked: false })),
    'node-4': changesWith(changeStatus('confirmed', AT, { isLocked: false })),
    'node-5': changesWith(null, { drift: ['filter.minConfidence: 0.5 instead of 0.6', 'alerts.latency'] }),
    'node-6': undefined,
    'node-7': changesWith(changeStatus('failed', AT, { fault: { kind: 'asked', msg: 'enough' }, isLocked: false })),
  })
  for (const columns of [80, 120]) {
    const [heading, ...rows] = tableOf(fleet, columns)
    expect(heading).toContain('CHANGE')
    expect(rows[0]).toContain(columns === 80 ? 'probation 42s, ' : 'probation 42s, 2.0.0')
    expect(rows[1]).toContain('staging 25 %, ')
    expect(rows[2]).toContain('reverted 2.0.0')
    expect(rows[3]).not.toContain('confirmed')
    expect(rows[4]).toContain('config drift: 2')
    expect(rows[5]).not.toContain('2.0.0')
    expect(rows[6]).toContain('dropped 2.0.0')
  }
  expect(tableOf(fleetOf({ 'node-1': changesWith(null), 'node-2': undefined }), 120)[0]).not.toContain('CHANGE')
})

test('a change that came to nothing is told for an hour after it let the node go', () => {
  const of = (sinceMs: number) =>
    fleetOf({ n: changesWith(changeStatus('failed', AT, { since: AT - sinceMs, isLocked: false })) }).view('now', AT)
      .nodes[0]?.change
  expect(of(3_599_000)).toBe('failed 2.0.0')
  expect(of(3_601_000)).toBeNull()
})

test('the filter finds nodes by what is changed on them', () => {
  const fleet = fleetOf({
    a: changesWith(changeStatus('probation', AT)),
    b: changesWith(null, { drift: ['alerts.latency'] }),
    c: undefined,
  })
  const found = (text: string): string[] => {
    const parsed = parseFilter(text)
    return parsed.ok
      ? fleet
          .view('now', AT)
          .nodes.filter(parsed.filter.matches)
          .map(({ key }) => key)
      : []
  }
  expect(found('change:probation')).toEqual(['a'])
  expect(found('change:drift')).toEqual(['b'])
})

test('a node says when it goes back by itself, what it served, and how the new model compares', () => {
  const confusion = [
    [7, 1, 4],
    [4, 9, 6],
    [3, 8, 1],
    [5, 6, 1],
  ] as const
  const shown = factsOf(
    changesWith(
      changeStatus('probation', AT, {
        served: { requests: 412, failed: 3, slow: 0 },
        shadow: shadowReport(120, confusion, {
          errors: 2,
          labelled: { total: 200, currentRight: 195, candidateRight: 180 },
        }),
        uncleanStarts: 1,
      }),
    ),
  )
  expect(shown).toContain('digits 2.0.0')
  expect(shown).toContain('in 42s, unless it is confirmed')
  expect(shown).toMatch(/failed +0\.7 %, 3 ×/)
  expect(shown).toContain('Compared with the model before')
  expect(shown).toMatch(/agree +90 %, differ on 12/)
  expect(shown).toMatch(/now → new +4 → 9 6 ×, 7 → 1 4 ×/)
  expect(shown).not.toContain('5 → 6')
  expect(shown).toMatch(/only new fails +2 ×|only new fai/)
  expect(shown).toMatch(/labelled set +new 90 % right/)
  expect(shown).toContain('1 did not end well')
})

test('a node says which variants it measured, which serves and why, its class and what is on its disk', () => {
  const shown = factsOf(
    changesWith(null, {
      confirmed: [modelItem('1.0.0'), { ...modelItem('7', 'config'), name: 'filter' }],
      models: ['digits@1.0.0', 'digits@2.0.0'],
      variants: {
        fp32: { runMs: 4.2, isChosen: true, why: 'the fastest within 0.5 points' },
        int8: { runMs: 5.6, isChosen: false, why: 'slower here' },
      },
      drift: ['filter.minConfidence: 0.5 instead of 0.6'],
    }),
    60,
  )
  expect(shown).toMatch(/fp32 +4\.2 ms a picture, serves: the fastest/)
  expect(shown).toMatch(/int8 +5\.6 ms a picture: slower here/)
  expect(shown).toMatch(/node class +light/)
  expect(shown).toMatch(/goes back to +digits 1\.0\.0/)
  expect(shown).toMatch(/config now +filter 7/)
  expect(shown).toContain('digits@2.0.0')
  expect(shown).toContain('filter.minConfidence: 0.5 instead of 0.6')
})

test('what a hostile node says of its change is shown and never executed', () => {
  const fault = { kind: 'load', msg: 'no\u001b[2J\u202egnp' } as const
  const shown = factsOf(changesWith(changeStatus('failed', AT, { fault })))
  expect(shown).toContain('no␛[2J·gnp')
})
