import { expect, test } from 'vitest'
import { Attention } from '../../../src/ui/attention.ts'
import type { ScreenName } from '../../../src/ui/console-store.ts'
import { ManualSchedule } from '../../support/manual-schedule.ts'

test('tells who is in sight once scrolling has settled, and of an open node alone', () => {
  const looked: string[][] = []
  const manual = new ManualSchedule()
  let screen: ScreenName = { name: 'fleet' }
  const attention = new Attention({
    screen: () => screen,
    look: (keys) => looked.push([...keys]),
    schedule: manual.schedule,
  })
  attention.rowsInSight(['a', 'b'])
  attention.rowsInSight(['b', 'c'])
  expect(looked).toEqual([])
  manual.advance(300)
  expect(looked).toEqual([['b', 'c']])
  // Rows that change places are the same rows.
  attention.rowsInSight(['c', 'b'])
  manual.advance(1000)
  expect(looked.length).toBe(1)
  screen = { name: 'node', key: 'a' }
  attention.settle()
  manual.advance(300)
  expect(looked.at(-1)).toEqual(['a'])
})
