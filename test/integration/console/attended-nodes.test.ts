import { expect, test } from 'vitest'
import { FleetLinks, type FleetLinksOptions } from '../../../src/link/fleet-links.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { LiveNode } from '../../support/live-node.ts'

/** Links to three nodes on loopback that nobody looks at; what each announced last. */
async function threeNodes({ onDemand }: { readonly onDemand?: FleetLinksOptions['onDemand'] } = {}) {
  const nodes = await Promise.all(['a', 'b', 'c'].map(async (key) => ({ key, live: await new LiveNode().start() })))
  const everyMs = new Map<string, number | undefined>()
  const links = new FleetLinks({
    nodes: nodes.map(({ key, live }) => ({ key, url: live.url })),
    access: { version: '0' },
    interest: { status: true, alertBacklog: null, logs: null },
    sink: (key, event) => {
      if (event.kind === 'frame' && event.frame.t === 'status') everyMs.set(key, event.frame.everyMs)
    },
    onFound: () => undefined,
    ...(onDemand === undefined ? {} : { onDemand }),
  })
  return {
    links,
    sessions: () => nodes.map(({ live }) => live.server.sessionCount),
    told: (key: string) => everyMs.get(key) !== undefined,
    announced: (...keys: string[]) => keys.map((key) => everyMs.get(key)),
    [Symbol.asyncDispose]: async () => {
      await links.stop()
      await Promise.all(nodes.map(({ live }) => live.server.stop()))
    },
  }
}

/** On these, all of which tell every second. */
function on(...keys: string[]) {
  return { needed: new Set(keys), often: new Set(keys) }
}

test('nodes of several rollouts tell every second until the last that depends on them is through', async () => {
  await using three = await threeNodes()
  const { links, announced } = three
  links.look(new Set())
  links.attend('r1', on('a', 'b'))
  links.attend('r2', on('b'))
  links.start()
  await eventually(() => String(announced('a', 'b', 'c')) === '1000,1000,10000')
  links.attend('r1', null)
  await eventually(() => String(announced('a')) === '10000')
  expect(announced('b', 'c')).toEqual([1000, 10_000])
  links.attend('r2', on('c'))
  await eventually(() => String(announced('b', 'c')) === '10000,1000')
  expect(announced('a')).toEqual([10_000])
})

test('where nobody looks at a fleet, what a rollout depends on tells every second and the others every ten', async () => {
  await using three = await threeNodes()
  const { links, announced } = three
  links.start()
  await eventually(() => !announced('a', 'b', 'c').includes(undefined))
  links.attend('r1', on('a'))
  await eventually(() => String(announced('a', 'b', 'c')) === '1000,10000,10000')
})

test('where nodes are reached on demand, each has a session as long as some rollout needs it', async () => {
  const left: string[] = []
  await using three = await threeNodes({ onDemand: { onLeft: (key) => void left.push(key) } })
  const { links, sessions, told, announced } = three
  links.start()
  links.attend('r1', { needed: new Set(['a', 'b']), often: new Set(['a']) })
  await eventually(() => told('a') && told('b'))
  expect([sessions(), announced('a', 'b')]).toEqual([
    [1, 1, 0],
    [1000, 10_000],
  ])
  links.attend('r2', on('b'))
  await eventually(() => String(announced('b')) === '1000')
  links.attend('r1', null)
  await eventually(() => String(sessions()) === '0,1,0')
  expect([left, [...links.byKey.keys()]]).toEqual([['a'], ['b']])
  // One that comes back at once gets a session of its own.
  links.attend('r2', on('c'))
  links.attend('r3', on('b'))
  await eventually(() => told('c') && String(sessions()) === '0,1,1')
  expect(left).toEqual(['a', 'b'])
  links.attend('r2', null)
  links.attend('r3', null)
  await eventually(() => String(sessions()) === '0,0,0')
})
