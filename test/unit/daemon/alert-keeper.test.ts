import { expect, test, vi } from 'vitest'
import { AlertKeeper } from '../../../edge-daemon/alert-keeper.ts'
import { AlertWatch } from '../../../edge-daemon/alert-watch.ts'
import { type AlertBody, type AlertInputs, AlertRules } from '../../../edge-daemon/health/alert-rules.ts'
import type { NewRecord, StoredRecord } from '../../../edge-daemon/store/store.ts'
import { EMPTY_HISTOGRAM } from '../../../protocol/histogram.ts'

const THRESHOLDS = { cpuPct: 80, latencyMs: 50, diskPct: 90, afterMs: 0, clearAfterMs: 0 }

/** A store that keeps alerts in memory and can refuse. */
class AlertStore {
  refuses = false
  /** Keeps what it says that it refuses. */
  dies = false
  readonly kept: StoredRecord[] = []

  async append(records: readonly NewRecord[]) {
    if (this.refuses) return { stored: false, code: 'STORE_FAILING', msg: 'full' } as const
    for (const { timestamp, body } of records) {
      const seq = this.kept.length + 1
      const line = JSON.stringify({ seq, node_id: 'n', timestamp, ...body })
      this.kept.push({ class: 'alert', seq, epoch: 'e', timestamp, line })
    }
    if (this.dies) return { stored: false, code: 'STORE_FAILING', msg: 'died' } as const
    return { stored: true, epoch: 'e', seqs: [] } as const
  }

  async read(): Promise<StoredRecord[]> {
    return this.kept.toReversed()
  }

  states(): string[] {
    return this.kept.map(({ line }) => JSON.parse(line) as AlertBody).map(({ rule, state }) => `${rule} ${state}`)
  }
}

function alert(rule: string, state: 'firing' | 'resolved'): AlertBody {
  return { timestamp: 1, rule, state, severity: 'warning', value: 1, threshold: 0, unit: '', since: 1, msg: rule }
}

function inputsWith(cpuPct: number): AlertInputs {
  const store = { state: 'ok', error: null } as const
  const unknown = { diskUsedBytes: null, diskTotalBytes: null, uplinks: [], certificate: null }
  return { at: 1, cpuPct, latency: EMPTY_HISTOGRAM, ...unknown, store }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('alerts that a dying store kept without a word are not kept again', async () => {
  const store = new AlertStore()
  const keeper = new AlertKeeper({ store, onRefused: () => undefined })
  store.dies = true
  keeper.keep(alert('disk_full', 'firing'))
  await vi.waitFor(() => expect(store.states()).toHaveLength(1), { timeout: 60_000 })
  store.dies = false
  keeper.keep(alert('store_failing', 'firing'))
  await vi.waitFor(() => expect(store.states()).toEqual(['disk_full firing', 'store_failing firing']), {
    timeout: 60_000,
  })
  keeper.retry()
  await settled()
  expect(store.states()).toHaveLength(2)
})

test('alerts that the disk refused are kept in their order once it takes them, and told of at once', async () => {
  const store = new AlertStore()
  const refused: string[] = []
  const keeper = new AlertKeeper({ store, onRefused: ({ rule }) => refused.push(rule) })
  store.refuses = true
  keeper.keep(alert('disk_full', 'firing'))
  keeper.keep(alert('store_failing', 'firing'))
  await settled()
  keeper.retry()
  await settled()
  expect(store.kept).toEqual([])
  expect(refused).toEqual(['disk_full', 'store_failing'])
  store.refuses = false
  keeper.keep(alert('store_failing', 'resolved'))
  await settled()
  keeper.retry()
  await settled()
  expect(store.states()).toEqual(['disk_full firing', 'store_failing firing', 'store_failing resolved'])
})

test('an alert that fired before a restart does not fire again, and resolves when its fault is gone', async () => {
  const store = new AlertStore()
  const keeper = new AlertKeeper({ store, onRefused: () => undefined })
  keeper.keep(alert('cpu_high', 'firing'))
  keeper.keep(alert('disk_full', 'firing'))
  keeper.keep(alert('disk_full', 'resolved'))
  await settled()
  await settled()
  const rules = new AlertRules(THRESHOLDS)
  rules.resume(await keeper.stillFiring())
  expect(rules.evaluate(inputsWith(95), 0)).toMatchObject({ fired: [], active: [{ rule: 'cpu_high' }] })
  expect(rules.evaluate(inputsWith(10), 1000).resolved).toMatchObject([{ rule: 'cpu_high', state: 'resolved' }])
})

test('a node with few requests is judged over as many seconds as hold enough of them', () => {
  const windows: number[] = []
  let count = 0
  const rules = { evaluate: (inputs: AlertInputs) => windows.push(inputs.latency.count) && NO_VERDICT }
  const watch = new AlertWatch({
    rules: rules as unknown as AlertRules,
    inputs: () => ({ ...inputsWith(1), latency: { count, sumMs: count, maxMs: 1, buckets: [[0, count]] } }),
    onLook: () => undefined,
    onChange: () => undefined,
  })
  for (let second = 0; second < 60; second += 1) {
    count += 1
    watch.look()
  }
  expect(windows.at(-1)).toBe(20)
})

const NO_VERDICT = { fired: [], resolved: [], active: [] }
