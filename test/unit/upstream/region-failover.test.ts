import { expect, test } from 'vitest'
import { RegionFailover } from '../../../edge-daemon/upstream/region-failover.ts'
import { keptLog } from '../../support/uplink-bench.ts'

function regions(...names: string[]) {
  const told: string[] = []
  const up = new Set<string>()
  const connected = new Set<string>()
  let now = 0
  const failover = new RegionFailover({
    regions: names.map((name) => ({
      name,
      get isUp() {
        return connected.has(name) && up.has(name)
      },
      connect: () => connected.add(name),
      activate: ({ stat }) => told.push(`${name} from ${stat}`),
      standBy: () => {},
    })),
    syncedElsewhere: (name) => ({ stat: name === 'eu' ? 70 : 40 }),
    log: keptLog(),
    nowMs: () => now,
  })
  failover.start()
  failover.stop()
  return {
    failover,
    told,
    up,
    connected,
    pass: (sec: number) => {
      for (let step = 0; step < sec * 4; step += 1) {
        now += 250
        failover.look()
      }
    },
  }
}

test('connects the first region alone, and the others only when it is away for some seconds', () => {
  const { failover, told, up, connected, pass } = regions('eu', 'us', 'asia')
  up.add('eu').add('us').add('asia')
  pass(60)
  expect([...connected]).toEqual(['eu'])
  up.delete('eu')
  pass(4.5)
  expect(failover.active).toBe('eu')
  pass(2)
  expect(failover.active).toBe('us')
  expect(told).toEqual(['eu from 70', 'us from 40'])
})

test('a region that was dead from the start costs seconds', () => {
  const { failover, up, pass } = regions('eu', 'us')
  up.add('us')
  pass(6)
  expect(failover.active).toBe('us')
})

test('lets a preferred region take over again when it has been back for a while', () => {
  const { failover, up, pass } = regions('eu', 'us')
  up.add('us')
  pass(6)
  up.add('eu')
  pass(20)
  up.delete('eu')
  pass(1)
  up.add('eu')
  pass(25)
  expect(failover.active).toBe('us')
  pass(60)
  expect(failover.active).toBe('eu')
})

test('waits longer each time for one that comes back only to go again', () => {
  const { failover, told, up, pass } = regions('eu', 'us')
  up.add('us')
  pass(6)
  for (let round = 0; round < 2; round += 1) {
    up.add('eu')
    while (failover.active === 'us') pass(1)
    up.delete('eu')
    pass(6)
  }
  told.length = 0
  up.add('eu')
  pass(200)
  expect(told).toEqual([])
  pass(50)
  expect(failover.active).toBe('eu')
})

test('stays with the one that is active while none is reached, and takes the first that is', () => {
  const { failover, up, pass } = regions('eu', 'us', 'asia')
  pass(600)
  expect(failover.active).toBe('eu')
  up.add('asia')
  pass(1)
  expect(failover.active).toBe('asia')
})
