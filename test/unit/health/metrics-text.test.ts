import { expect, test } from 'vitest'
import { parseExposition } from '../../../edge-daemon/health/exposition.ts'
import { type MetricsSnapshot, renderMetrics } from '../../../edge-daemon/health/metrics-text.ts'
import { Histogram } from '../../../protocol/histogram.ts'
import { statusBody } from '../../support/live-node.ts'

const NODE = { name: 'n1', site: 's1', version: '0.1.0', startedAt: 1_700_000_000_000 }
const all = (): boolean => true

const FOLLOWED = { files: 2, lagBytes: 10, lines: 5, bytes: 900, redacted: 1, lostBytes: 0, faults: [{}] }

function render(total = new Histogram(), changes: Partial<MetricsSnapshot> = {}): string {
  return renderMetrics({ ...statusBody(total), node: NODE, transfer: {}, followed: FOLLOWED, ...changes })
}

test('writes an exposition whose every line is of the format, each family announced once', () => {
  const text = render()
  expect(text.endsWith('\n')).toBe(true)
  const lines = text.trimEnd().split('\n')
  const samples = lines.filter((line) => !line.startsWith('#'))
  expect(parseExposition(text, all).length).toBe(samples.length)
  const types = lines.filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' ')[2] ?? '')
  expect(new Set(types).size).toBe(types.length)
  for (const line of samples) {
    const name = /^[a-z0-9_]+/.exec(line)?.[0] ?? ''
    expect(types).toContain(name.replace(/_(bucket|sum|count)$/, (end) => (types.includes(name) ? end : '')))
  }
})

test('tells how long records take to be held by each target', () => {
  const transfer = new Histogram()
  for (const ms of [5, 12, 400]) transfer.record(ms)
  const text = render(new Histogram(), { transfer: { nats: transfer.snapshot() } })
  expect(text).toContain('edge_uplink_transfer_seconds_bucket{target="nats",le="0.025"} 2')
  expect(text).toContain('edge_uplink_transfer_seconds_count{target="nats"} 3')
})

test('never counts a slower request under a bound, and misses only what lies within 4.4 % of it', () => {
  const total = new Histogram()
  const values = Array.from({ length: 2000 }, (_, index) => 0.05 * 1.006 ** index).filter((value) => value < 20_000)
  for (const value of values) total.record(value)
  const buckets = parseExposition(render(total), (name) => name === 'edge_inference_stage_seconds_bucket').filter(
    ({ labels }) => labels.stage === 'total',
  )
  expect(buckets.map(({ labels }) => labels.le)).toContain('0.05')
  let before = 0
  for (const { labels, value } of buckets) {
    const boundMs = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le) * 1000
    expect(value).toBeLessThanOrEqual(values.filter((ms) => ms <= boundMs).length)
    expect(value).toBeGreaterThanOrEqual(values.filter((ms) => ms <= boundMs / 1.0443).length)
    expect(value).toBeGreaterThanOrEqual(before)
    before = value
  }
  expect(buckets.at(-1)?.value).toBe(values.length)
})

test('escapes names, leaves out what is unknown, and shows alerts as 0 and 1', () => {
  const body = statusBody()
  const alert = { rule: 'cpu_high', severity: 'warning', value: 1, threshold: 1, unit: '%', since: 1, msg: '' } as const
  const text = render(undefined, {
    node: { ...NODE, name: 'a"b\\c\nd' },
    host: { ...body.host, cpuPct: null },
    alerts: [alert],
  })
  const samples = parseExposition(text, all)
  expect(samples.find(({ name }) => name === 'edge_node_info')?.labels.node).toBe('a"b\\c\nd')
  expect(samples.some(({ name }) => name === 'edge_host_cpu_ratio')).toBe(false)
  const firing = samples.filter(({ name }) => name === 'edge_alert_firing')
  expect(Object.fromEntries(firing.map(({ labels, value }) => [labels.rule, value]))).toEqual({
    store_failing: 0,
    certificate_ending: 0,
    disk_full: 0,
    uplink_down: 0,
    latency_high: 0,
    cpu_high: 1,
  })
})

test('tells what the store promises and how far each class has got', () => {
  const { store, uplink } = statusBody(new Histogram())
  const kept = { records: 7, bytes: 900, oldestAt: 1, maxBytes: null, maxAgeMs: null, evicted: 3 }
  const target = { name: 'eu-1', kind: 'nats', state: 'up', since: 1, backlogRecords: 4, backlogBytes: 9, oldestAt: 1 }
  const text = render(new Histogram(), {
    store: {
      ...store,
      durability: 'async',
      encryption: { keyId: 2, keys: 2, missingKeys: 5 },
      reserve: 'spent',
      notStored: 11,
      byClass: { abnormal: kept },
    },
    uplink: {
      ...uplink,
      capBytesPerSec: 8000,
      targets: [
        {
          ...(target as (typeof uplink.targets)[number]),
          levels: { alert: { committed: 30, held: 20, synced: 10 } },
          drainSec: 12,
          maybeDuplicates: 1,
          guarantee: 'at_least_once',
        },
      ],
    },
  })
  for (const line of [
    'edge_store_durable 0',
    'edge_store_encrypted 1',
    'edge_store_missing_key_blocks 5',
    'edge_store_reserve 0',
    'edge_store_not_stored_records_total 11',
    'edge_store_class_evicted_records_total{class="abnormal"} 3',
    'edge_uplink_cap_bytes_per_second 8000',
    'edge_uplink_drain_seconds{target="eu-1",kind="nats"} 12',
    'edge_uplink_seq{target="eu-1",class="alert",level="held"} 20',
    'edge_uplink_exactly_once{target="eu-1",kind="nats"} 0',
    'edge_uplink_maybe_duplicate_blocks_total{target="eu-1",kind="nats"} 1',
  ])
    expect(text.split('\n')).toContain(line)
})

test('has no sample for what the store does not tell', () => {
  expect(render()).not.toMatch(/^edge_store_(durable|encrypted|reserve|missing_key_blocks) /m)
})
