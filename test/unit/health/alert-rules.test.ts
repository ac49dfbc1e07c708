import { expect, test } from 'vitest'
import {
  type AlertInputs,
  AlertRules,
  type AlertVerdict,
  MIN_LATENCY_SAMPLES,
} from '../../../edge-daemon/health/alert-rules.ts'
import { EMPTY_HISTOGRAM, Histogram, type HistogramData } from '../../../protocol/histogram.ts'
import { alertRecordSchema } from '../../../protocol/records.ts'

const THRESHOLDS = { cpuPct: 80, latencyMs: 50, diskPct: 90, afterMs: 30_000, clearAfterMs: 60_000 }
const CALM: AlertInputs = {
  at: 0,
  cpuPct: 10,
  latency: EMPTY_HISTOGRAM,
  diskUsedBytes: 10,
  diskTotalBytes: 100,
  uplinks: [{ name: 'nats', state: 'up' }],
  store: { state: 'ok', error: null },
  certificate: null,
}
const WALL = 1_793_000_000_000

/** Looks at the rules once a second of a clock of its own. */
class Watch {
  readonly rules = new AlertRules(THRESHOLDS)
  readonly log: string[] = []
  last: AlertVerdict = { fired: [], resolved: [], active: [] }
  sec = 0

  run(forSec: number, inputs: Partial<AlertInputs>): this {
    for (const endSec = this.sec + forSec; this.sec < endSec; this.sec += 1) {
      this.last = this.rules.evaluate({ ...CALM, ...inputs, at: WALL + this.sec * 1000 }, this.sec * 1000)
      for (const alert of [...this.last.fired, ...this.last.resolved]) {
        alertRecordSchema.parse({ seq: 1, node_id: 'n1', ...alert })
        this.log.push(`${this.sec} ${alert.rule} ${alert.state}: ${alert.msg}`)
      }
    }
    return this
  }
}

function latencyOf(valueMs: number, count = MIN_LATENCY_SAMPLES): HistogramData {
  const histogram = new Histogram()
  for (let i = 0; i < count; i += 1) histogram.record(valueMs)
  return histogram.snapshot()
}

test('fires once after a fault lasted and resolves once after it is gone, with values and units', () => {
  const watch = new Watch().run(5, {}).run(90, { cpuPct: 91.46 })
  expect(watch.last.active).toEqual([
    {
      rule: 'cpu_high',
      severity: 'warning',
      value: 91.5,
      threshold: 80,
      unit: '%',
      since: WALL + 5000,
      msg: 'CPU 91.5 % is over 80 %',
    },
  ])
  watch.run(200, { cpuPct: 41 })
  expect(watch.log).toEqual([
    '35 cpu_high firing: CPU 91.5 % is over 80 % for 30 s',
    '155 cpu_high resolved: CPU 41 % is under 80 % for 60 s',
  ])
  expect(watch.last.active).toEqual([])
})

test('does not fire for a fault that comes and goes', () => {
  const watch = new Watch()
  for (let i = 0; i < 20; i += 1) watch.run(29, { cpuPct: 95 }).run(1, { cpuPct: 20 })
  expect(watch.log).toEqual([])
})

test('does not resolve while the value hangs about its threshold', () => {
  const watch = new Watch().run(40, { cpuPct: 85 }).run(300, { cpuPct: 78 })
  expect(watch.last.active.map(({ msg }) => msg)).toEqual(['CPU 78 % is only just under 80 %'])
  watch.run(61, { cpuPct: 75 })
  expect(watch.last.active).toEqual([])
})

test('takes no data for neither good nor bad', () => {
  const never = new Watch().run(20, { cpuPct: 95 }).run(100, { cpuPct: null })
  expect(never.log).toEqual([])
  never.run(12, { cpuPct: 95 })
  expect(never.log.length).toBe(1)
  expect(never.log[0]).toMatch(/^130 /)
  never.run(500, { cpuPct: null })
  expect(never.last.active.map(({ rule }) => rule)).toEqual(['cpu_high'])
  const unknown = new Watch().run(100, { diskUsedBytes: null, diskTotalBytes: null, uplinks: [] })
  expect(unknown.log).toEqual([])
})

test('judges latency by the 99th percentile of enough samples', () => {
  expect(new Watch().run(40, { latency: latencyOf(200, MIN_LATENCY_SAMPLES - 1) }).log).toEqual([])
  expect(new Watch().run(40, { latency: latencyOf(49) }).log).toEqual([])
  const watch = new Watch().run(40, { latency: latencyOf(200) })
  expect(watch.log).toEqual(['30 latency_high firing: p99 latency 200 ms is over 50 ms for 30 s'])
})

test('fires for a store that fails at once, but not for a moment of it twice', () => {
  const failing = { store: { state: 'failing', error: 'ENOSPC' } } as const
  const watch = new Watch().run(1, {}).run(1, failing).run(10, {}).run(1, failing).run(100, {})
  expect(watch.log).toEqual([
    '1 store_failing firing: the store refuses writes: ENOSPC; results are not kept',
    '73 store_failing resolved: the store takes writes for 60 s',
  ])
})

test('fires when any uplink stays away, also one that never came up', () => {
  const half = {
    uplinks: [
      { name: 'nats', state: 'up' },
      { name: 'http', state: 'connecting' },
    ],
  } as const
  expect(new Watch().run(40, half).log).toEqual([
    '30 uplink_down firing: no uplink to http; records wait in the outbox for 30 s',
  ])
})

test('tells a full disk from what is usable of it', () => {
  const watch = new Watch().run(40, { diskUsedBytes: 95, diskTotalBytes: 100 })
  expect(watch.log).toEqual(['30 disk_full firing: disk 95 % is over 90 % for 30 s'])
  expect(watch.last.active[0]?.severity).toBe('critical')
})
