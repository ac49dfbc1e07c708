import { expect, test } from 'vitest'
import { AddressLimits, networkOf } from '../../../src/controller/address-limits.ts'

test('an address may do its burst at once and then so much each second, and others are not touched', () => {
  const limits = new AddressLimits({ perSec: 2, burst: 3 })
  const taken = (address: string, nowMs: number) => limits.take(address, nowMs)
  expect([1, 2, 3, 4].map(() => taken('10.0.0.1', 0))).toEqual([true, true, true, false])
  expect(taken('10.0.0.2', 0)).toBe(true)
  expect([taken('10.0.0.1', 400), taken('10.0.0.1', 600), taken('10.0.0.1', 700)]).toEqual([false, true, false])
  expect([1, 2, 3, 4].map(() => taken('10.0.0.1', 60_000))).toEqual([true, true, true, false])
  expect(limits.isSpent('10.0.0.1', 60_000)).toBe(true)
  expect(limits.isSpent('10.0.0.9', 60_000)).toBe(false)
})

test('a host cannot be many by the addresses of its own network', () => {
  expect(networkOf('::ffff:10.0.0.1')).toBe('10.0.0.1')
  expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe(networkOf('2001:db8:1:2:ffff::1'))
  expect(networkOf('2001:db8:1:2::1')).toBe('2001:db8:1:2::/64')
  expect(networkOf('2001:db8:1:3::1')).not.toBe(networkOf('2001:db8:1:2::1'))
  expect(networkOf('1::2:3:4:5:6:7')).toBe('1:0:2:3::/64')
  expect(networkOf('::1')).toBe('0:0:0:0::/64')
})
