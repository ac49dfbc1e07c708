import { readdir, readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { countsAsNetwork, fullness, type HostReading, hottest } from './host-reading.ts'

/** Where the kernel tells about itself; tests put their own folders here. */
export interface BuiltinSources {
  readonly procDir: string
  readonly sysDir: string
  /** A path on the file system whose fullness counts. */
  readonly stateDir: string
}

/** Seconds a tick of `/proc/stat` lasts; USER_HZ is 100 on every Linux that Node runs on. */
const TICK_SEC = 0.01

/** Read the host from `/proc`, `/sys` and statfs. What is missing is null; never throws. */
export async function readBuiltin(sources: BuiltinSources): Promise<HostReading> {
  const [stat, load, memory, disk, network, tempC] = await Promise.all([
    textOf(join(sources.procDir, 'stat')),
    textOf(join(sources.procDir, 'loadavg')),
    readMemory(sources),
    readDisk(sources.stateDir),
    readNetwork(sources),
    readTemperature(sources.sysDir),
  ])
  const load1 = Number.parseFloat(load ?? '')
  return {
    cpu: cpuOf(stat ?? ''),
    cores: (stat ?? '').match(/^cpu\d+ /gm)?.length ?? 0,
    load1: Number.isFinite(load1) ? load1 : null,
    memUsedBytes: memory?.used ?? null,
    memTotalBytes: memory?.total ?? null,
    diskUsedBytes: disk?.used ?? null,
    diskTotalBytes: disk?.total ?? null,
    netRxBytes: network?.rx ?? null,
    netTxBytes: network?.tx ?? null,
    tempC,
  }
}

function cpuOf(stat: string): HostReading['cpu'] {
  // user nice system idle iowait irq softirq steal; guest time is part of user already (proc_stat(5)).
  const ticks = /^cpu +([\d ]+)$/m.exec(stat)?.[1]?.trim().split(/ +/).slice(0, 8).map(Number)
  if (ticks === undefined || ticks.length < 4) return null
  const total = ticks.reduce((sum, value) => sum + value, 0)
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0)
  return { busySec: (total - idle) * TICK_SEC, totalSec: total * TICK_SEC }
}

async function readMemory({ procDir, sysDir }: BuiltinSources): Promise<{ used: number; total: number } | null> {
  const info = (await textOf(join(procDir, 'meminfo'))) ?? ''
  const bytesOf = (key: string): number | null => {
    const match = new RegExp(`^${key}: +(\\d+) kB`, 'm').exec(info)
    return match?.[1] === undefined ? null : Number(match[1]) * 1024
  }
  const total = bytesOf('MemTotal')
  const available = bytesOf('MemAvailable')
  if (total === null || available === null) return null
  const limited = await readMemoryLimit(procDir, sysDir)
  return limited !== null && limited.total < total ? limited : { used: total - available, total }
}

/** Memory limit of our own cgroup (v2), when it has one. Page cache that can go at once is not counted as used. */
async function readMemoryLimit(procDir: string, sysDir: string): Promise<{ used: number; total: number } | null> {
  const path = /^0::(.*)$/m.exec((await textOf(join(procDir, 'self/cgroup'))) ?? '')?.[1]
  if (path === undefined) return null
  const folder = join(sysDir, 'fs/cgroup', path)
  const [max, current, stat] = await Promise.all(
    ['memory.max', 'memory.current', 'memory.stat'].map((name) => textOf(join(folder, name))),
  )
  const total = Number.parseInt(max ?? '', 10)
  const charged = Number.parseInt(current ?? '', 10)
  if (!Number.isFinite(total) || !Number.isFinite(charged)) return null
  const reclaimable = Number(/^inactive_file (\d+)/m.exec(stat ?? '')?.[1] ?? 0)
  return { used: Math.max(0, charged - reclaimable), total }
}

async function readDisk(path: string): Promise<{ used: number; total: number } | null> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(path)
    return fullness(blocks * bsize, bfree * bsize, bavail * bsize)
  } catch {
    return null
  }
}

async function readNetwork({ procDir, sysDir }: BuiltinSources): Promise<{ rx: number; tx: number } | null> {
  const table = (await textOf(join(procDir, 'net/dev'))) ?? ''
  const interfaces = [...table.matchAll(/^ *([^\s:]+): *(\d+)(?: +\d+){7} +(\d+)/gm)]
    .map((match) => ({ name: match[1] ?? '', rx: Number(match[2]), tx: Number(match[3]) }))
    .filter(({ name }) => name !== 'lo')
  const physical: typeof interfaces = []
  for (const entry of interfaces) {
    // Only hardware has a device behind it; in a container nothing has, and the name decides.
    if ((await namesIn(join(sysDir, 'class/net', entry.name, 'device'))).length > 0) physical.push(entry)
  }
  const counted = physical.length > 0 ? physical : interfaces.filter(({ name }) => countsAsNetwork(name))
  if (counted.length === 0) return null
  return counted.reduce((sum, { rx, tx }) => ({ rx: sum.rx + rx, tx: sum.tx + tx }), { rx: 0, tx: 0 })
}

async function readTemperature(sysDir: string): Promise<number | null> {
  const readings: number[] = []
  const take = async (path: string): Promise<void> => {
    const milli = Number.parseInt((await textOf(path)) ?? '', 10)
    if (Number.isFinite(milli)) readings.push(milli / 1000)
  }
  const zones = join(sysDir, 'class/thermal')
  for (const name of await namesIn(zones)) if (name.startsWith('thermal_zone')) await take(join(zones, name, 'temp'))
  const monitors = join(sysDir, 'class/hwmon')
  for (const monitor of await namesIn(monitors)) {
    for (const name of await namesIn(join(monitors, monitor))) {
      if (/^temp\d+_input$/.test(name)) await take(join(monitors, monitor, name))
    }
  }
  return hottest(readings)
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return null
  }
}

async function namesIn(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch {
    return []
  }
}
