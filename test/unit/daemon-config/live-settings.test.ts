import { expect, test } from 'vitest'
import { LiveSettings, readOverlay } from '../../../edge-daemon/config/live-settings.ts'
import { loadConfig } from '../../../edge-daemon/config/load.ts'

const base = loadConfig({
  file: { name: 'own', text: 'filter: { minConfidence: 0.7, aggregateCount: 50 }' },
  env: {},
  flags: {},
})

test('only what a package names lies over what the node was set up with', () => {
  const settings = new LiveSettings(base.config)
  let changes = 0
  settings.onChange(() => {
    changes += 1
  })
  settings.use(readOverlay('filter: { minConfidence: 0.9 }\nalerts: { after: 5s }', 'settings.yaml'))
  expect(settings.filter).toEqual({ ...base.config.filter, minConfidence: 0.9 })
  expect(settings.alerts.after).toBe(5000)
  expect(settings.alerts.cpuPct).toBe(base.config.alerts.cpuPct)
  settings.use(null)
  expect(settings.filter).toEqual(base.config.filter)
  expect(changes).toBe(2)
})

test('what it says is told as a person would write it, and nothing that it does not say', () => {
  expect(readOverlay('filter: { minConfidence: 0.9 }', 'x').says).toEqual({ 'filter.minConfidence': '0.9' })
  expect(readOverlay('', 'x').says).toEqual({})
})

test.each([
  ['inference: { batchMax: 1 }', /inference/],
  ['alerts: { latency: 10ms }', /alerts\.latency/],
  ['filter: { minConfidence: 3 }', /x:1.*minConfidence/],
  ['filter: { abnormal: [{ name: a, when: "nothing.here > 1" }] }', /x:1/],
  ['filter: [', /x:1/],
])('%s is refused with its line and what may be set', (text, said) => {
  const reading = (): unknown => readOverlay(text, 'x')
  expect(reading).toThrow(said)
  expect(reading).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', next: [expect.stringContaining('filter.minConfidence')] }),
  )
})
