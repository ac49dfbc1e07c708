import { describe, expect, test } from 'vitest'
import { parseTime } from '../../../src/fleet/time-text.ts'

/** Local time, as an operator reads it off a clock. */
const NOW = new Date(2026, 10, 25, 10, 36, 30).getTime()
const local = (...parts: [number, number, number, number?, number?, number?]): number =>
  new Date(parts[0], parts[1], parts[2], parts[3] ?? 0, parts[4] ?? 0, parts[5] ?? 0).getTime()

describe('a typed time', () => {
  test.each([
    ['10:32', local(2026, 10, 25, 10, 32)],
    ['10:32:07', local(2026, 10, 25, 10, 32, 7)],
    ['9:05', local(2026, 10, 25, 9, 5)],
    ['10:36:31', local(2026, 10, 24, 10, 36, 31)],
    ['23:59', local(2026, 10, 24, 23, 59)],
    ['-4m', NOW - 240_000],
    ['−4m', NOW - 240_000],
    ['-1h30m', NOW - 5_400_000],
    ['-1h 30m', NOW - 5_400_000],
    ['-90s', NOW - 90_000],
    ['2026-11-25 10:32', local(2026, 10, 25, 10, 32)],
    ['2026-11-25T10:32:07', local(2026, 10, 25, 10, 32, 7)],
    ['2026-11-24', local(2026, 10, 24)],
    ['2026-11-25T10:32:07Z', Date.UTC(2026, 10, 25, 10, 32, 7)],
    ['2026-11-25T10:32:07+08:00', Date.UTC(2026, 10, 25, 2, 32, 7)],
    [' now ', NOW],
  ])('%s is read', (text, atMs) => {
    expect(parseTime(text, NOW)).toEqual({ ok: true, atMs })
  })

  test.each([
    ['', 'type a time'],
    ['10', 'such as 10:32'],
    ['25:00', 'a day has 24 hours'],
    ['10:61', 'a day has 24 hours'],
    ['-', 'write -90s'],
    ['-4', 'write -90s'],
    ['-4m later', 'write -90s'],
    ['2026-02-30 10:00', 'there is no 2026-02-30'],
    ['2026-13-01', 'there is no 2026-13-01'],
    ['yesterday', 'such as 10:32'],
  ])('"%s" is refused with what to write', (text, message) => {
    const parsed = parseTime(text, NOW)
    expect(parsed.ok ? '' : parsed.message).toContain(message)
  })
})
