import { expect, test } from 'vitest'
import type { Heartbeat } from '../../../protocol/presence.ts'
import { heardNodes } from '../../../src/commands/inventory.ts'
import type { NodeAddress } from '../../../src/config/node-address.ts'
import type { FleetBus, PresenceListener } from '../../../src/link/fleet-bus.ts'
import { FleetLinks } from '../../../src/link/fleet-links.ts'

const [A, B] = [
  { site: 'a', node: 'n1' },
  { site: 'b', node: 'n1' },
]

test('nodes of one name at two sites are both known, each with its site', () => {
  const other = { site: 'b', node: 'n2' }
  expect(heardNodes([], [A, B, other])).toEqual([
    { key: 'a/n1', url: null, site: 'a', node: 'n1' },
    { key: 'b/n1', url: null, site: 'b', node: 'n1' },
    { key: 'n2', url: null, site: 'b' },
  ])
})

test('a node that is listed is not heard twice, and its namesake elsewhere is still there', () => {
  const address: NodeAddress = { key: 'n1', url: 'wss://n1:5443/live', site: 'a' }
  expect(heardNodes([address], [A, B])).toEqual([{ key: 'b/n1', url: null, site: 'b', node: 'n1' }])
  expect(heardNodes([{ key: 'n1', url: 'wss://n1:5443/live' }], [A, B])).toEqual([])
})

test('heartbeats reach the link of their own site', () => {
  let hear: PresenceListener = () => undefined
  const bus = {
    onPresence: (listener: PresenceListener) => {
      hear = listener
      return () => undefined
    },
  } as unknown as FleetBus
  const told: string[] = []
  const found: string[] = []
  new FleetLinks({
    nodes: heardNodes([], [A, B]),
    access: { version: '0.0.0', bus },
    interest: { status: true, alertBacklog: null, logs: null },
    sink: (key) => told.push(key),
    onFound: (key) => found.push(key),
  })
  for (const origin of [B, A]) hear(origin, {} as Heartbeat, 1)
  expect({ told, found }).toEqual({ told: ['b/n1', 'a/n1'], found: [] })
})

test('a node that was only heard is known by its site and name, also where its name looks like another site', () => {
  let hear: PresenceListener = () => undefined
  const bus = {
    onPresence: (listener: PresenceListener) => {
      hear = listener
      return () => undefined
    },
    start: () => undefined,
  } as unknown as FleetBus
  const listed: NodeAddress = { key: 'n1', url: 'wss://n1:5443/live', site: 'a' }
  const links = new FleetLinks({
    nodes: [listed],
    access: { version: '0.0.0', bus },
    interest: { status: true, alertBacklog: null, logs: null },
    sink: () => undefined,
    onFound: () => undefined,
  })
  for (const origin of [B, { site: 'c', node: 'b/n1' }, { site: 'b', node: 'n2' }]) hear(origin, {} as Heartbeat, 1)
  expect(links.addressOf('n1')).toEqual(listed)
  expect(links.addressOf('b/n1')).toEqual({ key: 'b/n1', url: null, site: 'b', node: 'n1' })
  expect(links.addressOf('n2')).toEqual({ key: 'n2', url: null, site: 'b', node: 'n2' })
  expect(links.addressOf('n3')).toBeNull()
})
