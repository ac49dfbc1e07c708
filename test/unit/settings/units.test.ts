import { expect, test } from 'vitest'
import { parseDurationMs, parseSizeBytes } from '../../../settings/units.ts'

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5h', 5_400_000],
  ['7d', 604_800_000],
])('%s is %i ms', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms)
})

test.each([
  ['512B', 512],
  ['10MB', 10_000_000],
  ['10MiB', 10_485_760],
  ['2 GB', 2_000_000_000],
])('%s is %i bytes', (text, bytes) => {
  expect(parseSizeBytes(text)).toBe(bytes)
})

test.each(['30', '', 's', '-1s', '1e3s', '10 seconds', '10mb', '1k'])('%j has no unit that we know', (text) => {
  expect(parseDurationMs(text)).toBeNull()
  expect(parseSizeBytes(text)).toBeNull()
})
