import { parseExposition, type Sample } from './exposition.ts'
import { countsAsNetwork, fullness, type HostReading, hottest } from './host-reading.ts'

const MAX_BODY_BYTES = 16 * 1024 * 1024
const WANTED =
  /^node_(cpu_seconds_total|load1|memory_Mem(Total|Available)_bytes|filesystem_(size|free|avail)_bytes|network_(receive|transmit)_bytes_total|hwmon_temp_celsius|thermal_zone_temp)$/

/**
 * Ask a node-exporter. `stateDir` says which of its file systems counts.
 * @throws Error when it cannot be reached, does not answer 200 in time, or its answer holds no host metric.
 */
export async function readExporter(url: string, stateDir: string, timeoutMs: number): Promise<HostReading> {
  const { address, headers } = requestOf(url)
  const response = await fetch(address, { headers, signal: AbortSignal.timeout(timeoutMs), redirect: 'error' })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`it answered ${response.status}`)
  }
  const reading = readingOf(await bodyOf(response), stateDir)
  if (reading === null) throw new Error('its answer holds no node_cpu_seconds_total')
  return reading
}

/** Credentials in an address are refused by fetch, which also repeats them in its error; they go as a header. */
function requestOf(url: string): { address: string; headers: Record<string, string> } {
  const address = new URL(url)
  const { username, password } = address
  address.username = ''
  address.password = ''
  if (username === '' && password === '') return { address: address.href, headers: {} }
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    address: address.href,
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  }
}

/** Turn node-exporter's text into a reading; null when it is some other exporter's. */
export function readingOf(text: string, stateDir: string): HostReading | null {
  const samples = parseExposition(text, (name) => WANTED.test(name)).filter(({ value }) => Number.isFinite(value))
  const of = (name: string): Sample[] => samples.filter((sample) => sample.name === `node_${name}`)
  const gauge = (name: string): number | null => of(name)[0]?.value ?? null
  const cpu = of('cpu_seconds_total')
  if (cpu.length === 0) return null
  const memTotalBytes = gauge('memory_MemTotal_bytes')
  const memAvailableBytes = gauge('memory_MemAvailable_bytes')
  const disk = diskOf(of, stateDir)
  return {
    cpu: cpuOf(cpu),
    cores: new Set(cpu.map((sample) => sample.labels.cpu)).size,
    load1: gauge('load1'),
    memUsedBytes: memTotalBytes === null || memAvailableBytes === null ? null : memTotalBytes - memAvailableBytes,
    memTotalBytes,
    diskUsedBytes: disk?.used ?? null,
    diskTotalBytes: disk?.total ?? null,
    netRxBytes: trafficOf(of('network_receive_bytes_total')),
    netTxBytes: trafficOf(of('network_transmit_bytes_total')),
    tempC: hottest([...of('hwmon_temp_celsius'), ...of('thermal_zone_temp')].map((sample) => sample.value)),
  }
}

function cpuOf(samples: readonly Sample[]): { busySec: number; totalSec: number } {
  let busySec = 0
  let totalSec = 0
  for (const { labels, value } of samples) {
    totalSec += value
    if (labels.mode !== 'idle' && labels.mode !== 'iowait') busySec += value
  }
  return { busySec, totalSec }
}

function diskOf(of: (name: string) => Sample[], stateDir: string): { used: number; total: number } | null {
  const sizes = of('filesystem_size_bytes').filter(({ labels }) => holds(labels.mountpoint ?? '', stateDir))
  const mount = sizes.sort((a, b) => (b.labels.mountpoint ?? '').length - (a.labels.mountpoint ?? '').length)[0]
  if (mount === undefined) return null
  const same = (name: string): number | undefined =>
    of(name).find(({ labels }) => labels.mountpoint === mount.labels.mountpoint)?.value
  const free = same('filesystem_free_bytes')
  const available = same('filesystem_avail_bytes')
  return free === undefined || available === undefined ? null : fullness(mount.value, free, available)
}

function holds(mountpoint: string, path: string): boolean {
  return mountpoint === '/' || path === mountpoint || path.startsWith(`${mountpoint}/`)
}

function trafficOf(samples: readonly Sample[]): number | null {
  const counted = samples.filter(({ labels }) => countsAsNetwork(labels.device ?? ''))
  return counted.length === 0 ? null : counted.reduce((sum, { value }) => sum + value, 0)
}

async function bodyOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BODY_BYTES) throw new Error(`its answer is over ${MAX_BODY_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
