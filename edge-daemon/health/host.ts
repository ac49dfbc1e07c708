import { resolve } from 'node:path'
import { messageOf } from '../../protocol/errors.ts'
import type { Condition, HostSample } from '../../protocol/status.ts'
import { readBuiltin } from './builtin-reading.ts'
import { readExporter } from './exporter-reading.ts'
import type { HostReading } from './host-reading.ts'

/** What the host is measured with. */
export interface HostMeterOptions {
  /** A node-exporter's address; null for the built-in meters. */
  readonly nodeExporterUrl: string | null
  readonly intervalMs: number
  /** A path on the file system whose fullness counts. */
  readonly stateDir: string
  readonly procDir?: string
  readonly sysDir?: string
  readonly clock?: { wallMs(): number; monotonicMs(): number }
}

const MAX_TIMEOUT_MS = 2000

const NOTHING: Omit<HostSample, 'source' | 'cores'> = {
  cpuPct: null,
  load1: null,
  memUsedBytes: null,
  memTotalBytes: null,
  diskUsedBytes: null,
  diskTotalBytes: null,
  netRxBytesPerSec: null,
  netTxBytesPerSec: null,
  tempC: null,
}

/**
 * Measures the host every `intervalMs` (requirement M1). Shares and rates are differences between two readings, so they are
 * null until there are two. When a node-exporter does not answer, everything is null and `conditions` says why: an old
 * number is never shown as a fresh one, and the built-in meters do not step in for what was configured.
 */
export class HostMeter {
  readonly #options: HostMeterOptions
  readonly #clock: { wallMs(): number; monotonicMs(): number }
  #sample: HostSample
  #last: { reading: HostReading; atMs: number } | null = null
  #condition: Condition | null = null
  #timer: NodeJS.Timeout | null = null
  #running = false

  constructor(options: HostMeterOptions) {
    this.#options = options
    this.#clock = options.clock ?? { wallMs: () => Date.now(), monotonicMs: () => performance.now() }
    this.#sample = { source: this.#source, cores: 0, ...NOTHING }
  }

  /** Measure now and from now on; resolves after the first reading, however it went. */
  async start(): Promise<void> {
    if (this.#running) return
    this.#running = true
    await this.#loop(this.#clock.monotonicMs())
  }

  /** Measure no more. */
  stop(): void {
    this.#running = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** The newest sample. */
  sample(): HostSample {
    return this.#sample
  }

  /** `node_exporter_unreachable`, or `host_unreadable` without one, while it is so; empty otherwise. */
  conditions(): readonly Condition[] {
    return this.#condition === null ? [] : [this.#condition]
  }

  get #source(): HostSample['source'] {
    return this.#options.nodeExporterUrl === null ? 'builtin' : 'node-exporter'
  }

  async #loop(dueMs: number): Promise<void> {
    await this.#measure()
    if (!this.#running) return
    const nowMs = this.#clock.monotonicMs()
    const { intervalMs } = this.#options
    const nextMs = dueMs + intervalMs * Math.max(1, Math.ceil((nowMs - dueMs) / intervalMs))
    this.#timer = setTimeout(() => void this.#loop(nextMs), nextMs - nowMs)
    this.#timer.unref()
  }

  async #measure(): Promise<void> {
    try {
      const reading = await this.#read()
      const atMs = this.#clock.monotonicMs()
      this.#sample = sampleOf(this.#source, reading, atMs, this.#last)
      this.#last = { reading, atMs }
      this.#condition = null
    } catch (error) {
      this.#sample = { source: this.#source, cores: this.#sample.cores, ...NOTHING }
      this.#last = null
      this.#condition = {
        code: this.#source === 'builtin' ? 'host_unreadable' : 'node_exporter_unreachable',
        severity: 'warning',
        msg: `${this.#source === 'builtin' ? '/proc' : addressOf(this.#options.nodeExporterUrl)} does not tell about the host: ${reasonOf(error)}`,
        since: this.#condition?.since ?? Math.round(this.#clock.wallMs()),
      }
    }
  }

  #read(): Promise<HostReading> {
    const { nodeExporterUrl, intervalMs, procDir = '/proc', sysDir = '/sys' } = this.#options
    const stateDir = resolve(this.#options.stateDir)
    if (nodeExporterUrl === null) return readBuiltin({ procDir, sysDir, stateDir })
    return readExporter(nodeExporterUrl, stateDir, Math.min(MAX_TIMEOUT_MS, Math.max(500, intervalMs)))
  }
}

function sampleOf(
  source: HostSample['source'],
  reading: HostReading,
  atMs: number,
  last: { reading: HostReading; atMs: number } | null,
): HostSample {
  const elapsedSec = last === null ? 0 : (atMs - last.atMs) / 1000
  const { cpu, netRxBytes, netTxBytes, ...gauges } = reading
  return {
    source,
    ...gauges,
    memUsedBytes: wholeOf(gauges.memUsedBytes),
    memTotalBytes: wholeOf(gauges.memTotalBytes),
    diskUsedBytes: wholeOf(gauges.diskUsedBytes),
    diskTotalBytes: wholeOf(gauges.diskTotalBytes),
    cpuPct: cpuPctOf(cpu, last?.reading.cpu ?? null),
    netRxBytesPerSec: rateOf(netRxBytes, last?.reading.netRxBytes ?? null, elapsedSec),
    netTxBytesPerSec: rateOf(netTxBytes, last?.reading.netTxBytes ?? null, elapsedSec),
  }
}

function cpuPctOf(now: HostReading['cpu'], before: HostReading['cpu']): number | null {
  if (now === null || before === null) return null
  const totalSec = now.totalSec - before.totalSec
  const busySec = now.busySec - before.busySec
  if (!(totalSec > 0) || busySec < 0) return null
  return Math.round(Math.min(100, (busySec / totalSec) * 100) * 10) / 10
}

function wholeOf(bytes: number | null): number | null {
  return bytes === null ? null : Math.max(0, Math.round(bytes))
}

/** Null when a counter went back, as after an interface was taken away. */
function rateOf(now: number | null, before: number | null, elapsedSec: number): number | null {
  if (now === null || before === null || !(elapsedSec > 0) || now < before) return null
  return Math.round((now - before) / elapsedSec)
}

/** The address without what may be secret in it. */
function addressOf(url: string | null): string {
  const parsed = url === null ? null : URL.parse(url)
  return parsed === null ? 'the node-exporter' : `${parsed.origin}${parsed.pathname}`
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Error) return 'code' in cause ? String(cause.code) : cause.message
  return messageOf(error)
}
