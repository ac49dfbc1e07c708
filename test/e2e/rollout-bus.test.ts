import { expect, test } from 'vitest'
import { BusRolloutFleet } from '../support/bus-rollout-fleet.ts'

test('an operator is killed at it, another carries her rollout on by her mandates; a later one is undone', {
  timeout: 900_000,
}, async () => {
  await using fleet = await BusRolloutFleet.create(['n1', 'n2'])
  const [second, third] = [await fleet.shelve('2.0.0'), await fleet.shelve('3.0.0')]
  await fleet.start()
  const mia = fleet.roll('mia', second)
  await mia.until(() => /"step":"activate"/.test(mia.stdout), 240_000)
  mia.child.kill('SIGKILL')
  await fleet.must('jo', 'rollout', 'drive')
  await fleet.untilServed('2.0.0')
  const { stdout } = await fleet.must('jo', 'rollout', 'explain', '-o', 'ndjson')
  const events = stdout
    .trim()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line) as {
          type: string
          term: number
          holder?: string
          by?: { name: string }
          plan?: { rollout: string }
        },
    )
  expect(events[0]).toMatchObject({ type: 'rollout.started', by: { name: 'mia' } })
  const drivers = events.filter(({ type }) => type === 'driver.took')
  expect(drivers.map(({ term, holder }) => `${term} ${holder?.split(' ')[0]}`)).toEqual(['1 mia', '2 jo'])

  const { code, stderr } = await fleet.roll('jo', third).result
  expect(code, stderr).toBe(0)
  await fleet.untilServed('3.0.0')
  const undone = await fleet.must('mia', 'rollout', 'undo', '--why', 'it was for a test')
  expect(undone.stdout).toMatch(/digits 2\.0\.0|digits@2\.0\.0/)
  await fleet.untilServed('2.0.0')

  // Mandates for what no package holds count as well.
  await fleet.must('jo', 'rollout', 'undo', events[0]?.plan?.rollout ?? '')
  await fleet.untilServed('1.0.0')
})
