/** What was read of a host at one moment: counters since its boot, and gauges. Null is what could not be known. */
export interface HostReading {
  /** Seconds of all cores together; `total` includes idle. */
  readonly cpu: { readonly busySec: number; readonly totalSec: number } | null
  readonly cores: number
  readonly load1: number | null
  readonly memUsedBytes: number | null
  readonly memTotalBytes: number | null
  readonly diskUsedBytes: number | null
  readonly diskTotalBytes: number | null
  readonly netRxBytes: number | null
  readonly netTxBytes: number | null
  readonly tempC: number | null
}

/** Names of interfaces whose traffic is counted on another one too, or never leaves the host. */
const DUPLICATE_INTERFACE =
  /^(lo|veth|docker|br-|br\d|virbr|cni|flannel|cali|cilium|lxc|kube|tun|tap|ifb|dummy|wg|bond|team|vlan|macv|sit|gre|ip6tnl|nodelocal)|\.\d+$/

/** Whether an interface's traffic is the host's own, judged by its name alone. */
export function countsAsNetwork(name: string): boolean {
  return !DUPLICATE_INTERFACE.test(name)
}

/** The hottest plausible temperature in °C; sensors that are not connected report nonsense. */
export function hottest(readings: Iterable<number>): number | null {
  let max: number | null = null
  for (const value of readings) if (value > -40 && value < 150 && (max === null || value > max)) max = value
  return max === null ? null : Math.round(max * 10) / 10
}

/**
 * How full a file system is as `df` counts it: what only root may use belongs to neither side, so that 100 % is where the
 * daemon's own writes fail.
 */
export function fullness(
  sizeBytes: number,
  freeBytes: number,
  availableBytes: number,
): { used: number; total: number } {
  const used = Math.max(0, sizeBytes - freeBytes)
  return { used, total: used + Math.max(0, availableBytes) }
}
