import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpus, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HostMeter, type HostMeterOptions } from '../../../edge-daemon/health/host.ts'

const FIXTURE = join(import.meta.dirname, '../../unit/health/fixtures/node-exporter-1.5.txt')

let dir: string
let meter: HostMeter | null = null
let exporter: Server | null = null

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-host-'))
})

afterEach(async () => {
  meter?.stop()
  exporter?.closeAllConnections()
  await new Promise((resolve) => (exporter === null ? resolve(null) : exporter.close(resolve)))
  exporter = null
  await rm(dir, { recursive: true, force: true })
})

async function start(options: Partial<HostMeterOptions>): Promise<HostMeter> {
  meter = new HostMeter({ nodeExporterUrl: null, intervalMs: 200, stateDir: dir, ...options })
  await meter.start()
  return meter
}

async function until(so: () => boolean, timeoutMs = 60_000): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!so()) {
    if (performance.now() > endMs) throw new Error(`not so after ${timeoutMs} ms: ${JSON.stringify(meter?.sample())}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function write(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), text)
  }
}

async function serve(answer: () => { status: number; text: string } | null): Promise<string> {
  exporter = createServer((_request, response) => {
    const given = answer()
    if (given !== null) response.writeHead(given.status).end(given.text)
  })
  await new Promise<void>((resolve) => exporter?.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(exporter.address() as AddressInfo).port}/metrics`
}

test('measures this host from the kernel', async () => {
  const host = await start({})
  expect(host.sample()).toMatchObject({ source: 'builtin', cpuPct: null, netRxBytesPerSec: null })
  await until(() => host.sample().cpuPct !== null)
  const sample = host.sample()
  expect(sample.cores).toBe(cpus().length)
  expect(sample.memTotalBytes).toBeLessThanOrEqual(totalmem())
  expect(sample.memUsedBytes).toBeGreaterThan(1e6)
  expect(sample.diskUsedBytes).toBeLessThanOrEqual(sample.diskTotalBytes ?? 0)
  expect(sample.cpuPct).toBeLessThanOrEqual(100)
})

const KERNEL = {
  'proc/stat': 'cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 50 0 50 350 50 0 0 0 0 0\ncpu1 50 0 50 350 50 0 0 0 0 0\n',
  'proc/loadavg': '0.50 0.40 0.30 1/100 1\n',
  'proc/meminfo': 'MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n',
  'proc/net/dev':
    'Inter-| x\n face |x\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  eth0: 1000 1 0 0 0 0 0 0 500 1 0 0 0 0 0 0\n veth1: 7000 1 0 0 0 0 0 0 7000 1 0 0 0 0 0 0\n',
  'sys/class/thermal/thermal_zone0/temp': '41500\n',
  'sys/class/hwmon/hwmon0/temp1_input': '200000\n',
}

test('counts busy time without waiting, physical traffic once, and the hottest plausible sensor', async () => {
  await write(KERNEL)
  let monotonicMs = 0
  const clock = { wallMs: () => 1, monotonicMs: () => monotonicMs }
  const host = await start({ procDir: join(dir, 'proc'), sysDir: join(dir, 'sys'), intervalMs: 60_000, clock })
  expect(host.sample()).toMatchObject({
    cores: 2,
    load1: 0.5,
    memUsedBytes: 614_400,
    memTotalBytes: 1_024_000,
    tempC: 41.5,
  })
  host.stop()
  await write({
    'proc/stat': 'cpu  130 0 100 750 120 0 0 0 60 0\ncpu0 1 0 0 0\ncpu1 1 0 0 0\n',
    'proc/net/dev': (KERNEL['proc/net/dev'] ?? '')
      .replace('1000', '5000')
      .replace(' 500 ', ' 1500 ')
      .replaceAll('7000', '9000'),
  })
  monotonicMs = 2000
  await host.start()
  expect(host.sample()).toMatchObject({ cpuPct: 30, netRxBytesPerSec: 2000, netTxBytesPerSec: 500 })
})

test('takes the memory limit of its own cgroup where it is lower', async () => {
  await write({
    ...KERNEL,
    'proc/self/cgroup': '0::/system.slice/edge.service\n',
    'sys/fs/cgroup/system.slice/edge.service/memory.max': '500000\n',
    'sys/fs/cgroup/system.slice/edge.service/memory.current': '300000\n',
    'sys/fs/cgroup/system.slice/edge.service/memory.stat': 'anon 1\ninactive_file 100000\n',
  })
  const host = await start({ procDir: join(dir, 'proc'), sysDir: join(dir, 'sys') })
  expect(host.sample()).toMatchObject({ memUsedBytes: 200_000, memTotalBytes: 500_000 })
  host.stop()
  await write({ 'sys/fs/cgroup/system.slice/edge.service/memory.max': 'max\n' })
  await host.start()
  expect(host.sample()).toMatchObject({ memTotalBytes: 1_024_000 })
})

test('says null for everything it cannot know', async () => {
  const host = await start({ procDir: join(dir, 'no'), sysDir: join(dir, 'no'), stateDir: join(dir, 'no') })
  const { source, cores, ...rest } = host.sample()
  expect({ source, cores }).toEqual({ source: 'builtin', cores: 0 })
  expect(Object.values(rest).every((value) => value === null)).toBe(true)
})

test('reads what a real node-exporter 1.5 says', async () => {
  const before = await readFile(FIXTURE, 'utf8')
  const busier = before
    .replace('{cpu="0",mode="user"} 71.45', '{cpu="0",mode="user"} 72.45')
    .replace('{cpu="0",mode="idle"} 1889.5', '{cpu="0",mode="idle"} 1892.5')
  expect(busier).not.toBe(before)
  let asked = 0
  const url = await serve(() => ({ status: 200, text: asked++ === 0 ? before : busier }))
  // An answer is waited for as long as there is time until the next.
  const host = await start({ nodeExporterUrl: url, intervalMs: 2000 })
  expect(host.sample()).toEqual({
    source: 'node-exporter',
    cpuPct: null,
    cores: 2,
    load1: 0.23,
    memUsedBytes: 25_276_063_744 - 24_791_707_648,
    memTotalBytes: 25_276_063_744,
    diskUsedBytes: 270_553_174_016 - 256_077_254_656,
    diskTotalBytes: 270_553_174_016 - 256_077_254_656 + 83_317_374_976,
    netRxBytesPerSec: null,
    netTxBytesPerSec: null,
    tempC: null,
  })
  await until(() => host.sample().cpuPct === 25)
  expect(host.sample()).toMatchObject({ netRxBytesPerSec: 0, netTxBytesPerSec: 0 })
})

test('picks the file system that holds the state directory and leaves NaN sensors out', async () => {
  const url = await serve(() => ({
    status: 200,
    text: [
      'node_cpu_seconds_total{cpu="0",mode="idle"} 1',
      ...['/', dir, `${dir}-other`].flatMap((mount, index) => [
        `node_filesystem_size_bytes{mountpoint="${mount}"} ${1000 * (index + 1)}`,
        `node_filesystem_free_bytes{mountpoint="${mount}"} 500`,
        `node_filesystem_avail_bytes{mountpoint="${mount}"} 400`,
      ]),
      'node_hwmon_temp_celsius{sensor="temp1"} NaN',
      'node_hwmon_temp_celsius{sensor="temp2"} 55.25',
      'node_thermal_zone_temp{zone="0"} 44',
    ].join('\n'),
  }))
  const host = await start({ nodeExporterUrl: url, intervalMs: 2000 })
  expect(host.sample()).toMatchObject({ diskUsedBytes: 1500, diskTotalBytes: 1900, tempC: 55.3 })
})

test('shows nulls and a condition while the node-exporter is away, and comes back by itself', async () => {
  const text = await readFile(FIXTURE, 'utf8')
  let mode: 'well' | 'error' | 'stranger' | 'hang' = 'well'
  const url = await serve(() => {
    if (mode === 'hang') return null
    if (mode === 'stranger') return { status: 200, text: 'other_metric 1\n' }
    return mode === 'error' ? { status: 503, text: 'busy' } : { status: 200, text }
  })
  const host = await start({ nodeExporterUrl: url.replace('http://', 'http://user:secret@') })
  await until(() => host.conditions().length === 0)
  for (const bad of ['error', 'stranger', 'hang'] as const) {
    mode = bad
    await until(() => host.conditions().length === 1)
    expect(host.sample()).toMatchObject({ source: 'node-exporter', load1: null, memTotalBytes: null, cpuPct: null })
    expect(host.conditions()[0]).toMatchObject({ code: 'node_exporter_unreachable', severity: 'warning' })
    expect(host.conditions()[0]?.msg).not.toContain('secret')
    mode = 'well'
    await until(() => host.conditions().length === 0)
    expect(host.sample().load1).toBe(0.23)
  }
})
