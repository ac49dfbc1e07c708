import { expect, test } from 'vitest'
import { runTrial } from '../../torture/logs/trial.ts'

/** Decides what is written and when it is turned over; `npm run torture -- --scenario logs --seed N` tries another. */
const SEED = 4

test('logs that are turned over in every way, followed by a process that is killed, are kept line by line, once and in order', async () => {
  const { written, turned, kills, faults } = await runTrial({
    seconds: 6,
    seed: SEED,
    linesPerSec: 300,
    killEveryMs: 1500,
  })
  expect(faults).toEqual([])
  expect(written).toBeGreaterThan(1000)
  expect(turned).toBeGreaterThan(10)
  expect(kills).toBeGreaterThan(1)
}, 240_000)
