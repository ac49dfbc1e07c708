import { expect, test } from 'vitest'
import type { JournalEntry } from '../../src/rollout/contract.ts'
import { fold } from '../../src/rollout/fold.ts'
import { BusRolloutFleet } from '../support/bus-rollout-fleet.ts'
import { eventually } from '../support/edge-daemon.ts'

const CONTROLLERS = ['ctl-1', 'ctl-2'] as const

/** Terms with the first two words of who drove in them. */
function drivers(entries: readonly JournalEntry[]): { readonly term: number; readonly name: string }[] {
  return entries.flatMap(({ event }) =>
    event.type === 'driver.took' ? [{ term: event.term, name: event.holder.split(' at ')[0] ?? '' }] : [],
  )
}

/** Activations that each node was ordered. */
function activations(entries: readonly JournalEntry[]): Record<string, number> {
  const ids = new Map<string, Set<string | null>>()
  for (const { event } of entries) {
    if (event.type !== 'step.intended' || event.step !== 'activate') continue
    ids.set(event.node, (ids.get(event.node) ?? new Set()).add(event.activation))
  }
  return Object.fromEntries([...ids].map(([node, own]) => [node, own.size]))
}

test('a rollout whose console died is carried to its end by controllers, also when the one that drives is killed', {
  timeout: 900_000,
}, async () => {
  await using fleet = await BusRolloutFleet.create(['n1', 'n2'])
  for (const name of CONTROLLERS) await fleet.prepareController(name)
  const item = await fleet.shelve('2.0.0')
  await fleet.start()
  await using journal = await fleet.journal()
  const mia = fleet.roll('mia', item, '--set', 'soak=10s', '--set', 'maxSoak=120s')
  await mia.until(() => /"step":"activate"/.test(mia.stdout), 240_000)
  mia.child.kill('SIGKILL')

  // Two at once: one drives, the other waits for its lease.
  const running = new Map(
    await Promise.all(CONTROLLERS.map(async (name) => [name, await fleet.controller(name)] as const)),
  )
  let entries: readonly JournalEntry[] = []
  const waitFor = async (so: () => boolean, what: string): Promise<void> => {
    const look = async (): Promise<boolean> => {
      // A bus that is busy is asked again.
      entries = await journal.read().catch(() => entries)
      return so()
    }
    await eventually(look, { timeoutMs: 240_000, what }).catch((error: unknown) => {
      const said = [...running].map(([name, { stdout, stderr }]) => `${name}: ${stdout.slice(-2000)}${stderr}`)
      throw new Error([String(error), ...said, JSON.stringify(entries.slice(2)).slice(-4000)].join('\n'))
    })
  }
  const hasDriven = (term: number): boolean =>
    entries.some(({ event }) => event.term === term && event.type !== 'driver.took' && event.type !== 'person.decided')
  await waitFor(() => hasDriven(2), 'a controller drives')
  const first = drivers(entries).at(-1)?.name.replace('controller ', '') as (typeof CONTROLLERS)[number]
  expect(CONTROLLERS).toContain(first)
  expect(fold(null, entries)?.phase).toBe('running')
  const killed = running.get(first)
  killed?.child.kill('SIGKILL')
  await killed?.result
  running.set(first, await fleet.controller(first))

  await waitFor(() => entries.some(({ event }) => event.type === 'rollout.ended'), 'the rollout ends')
  const seen = JSON.stringify(entries.slice(2)).slice(0, 6000)
  expect(fold(null, entries)?.phase, seen).toBe('done')
  await fleet.untilServed('2.0.0')
  const terms = drivers(entries)
  expect(
    terms.map(({ term }) => term),
    seen,
  ).toEqual(terms.map((_, index) => index + 1))
  expect(terms.length).toBeGreaterThanOrEqual(3)
  expect(
    terms.map(({ name }) => name.split(' ')[0]),
    seen,
  ).toEqual(['mia', ...terms.slice(1).map(() => 'controller')])
  expect(activations(entries), seen).toEqual({ n1: 1, n2: 1 })
})
