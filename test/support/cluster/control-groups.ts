import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = '/sys/fs/cgroup'
/** What version 2 has to hand down, where the machine has it. */
const CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'pids', 'hugetlb']

/** Make a group in every hierarchy of the machine, for the pods of a kubelet to be in. */
export function makeControlGroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    if (hierarchy === ROOT) handDown(ROOT)
    mkdirSync(join(hierarchy, name), { recursive: true })
    if (hierarchy === ROOT) handDown(join(ROOT, name))
    // A group of the first version takes no process before it knows which processors it has.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const above = join(hierarchy, file)
      if (existsSync(above)) writeFileSync(join(hierarchy, name, file), readFileSync(above))
    }
  }
}

/** Remove a group and those in it; what still holds processes stays. */
export function removeControlGroup(name: string): void {
  for (const hierarchy of everyHierarchy()) removeTree(join(hierarchy, name))
}

/** Names of groups that begin so. */
export function controlGroupsOf(prefix: string): string[] {
  const names = everyHierarchy().flatMap((hierarchy) =>
    readdirSync(hierarchy).filter((name) => name.startsWith(prefix)),
  )
  return [...new Set(names)]
}

/** Where groups of pods are made: in each hierarchy of the first version, else in the one of the second. */
function hierarchies(): string[] {
  const first = mountsOf('cgroup')
  return first.length > 0 ? first : [ROOT]
}

/** A machine with the first version may have the second beside it, and groups are made there too. */
function everyHierarchy(): string[] {
  return [...mountsOf('cgroup'), ...mountsOf('cgroup2')]
}

function mountsOf(kind: 'cgroup' | 'cgroup2'): string[] {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  return mounts.flatMap(([, place, type]) => (type === kind && place !== undefined ? [place] : []))
}

function handDown(folder: string): void {
  const offered = readFileSync(join(folder, 'cgroup.controllers'), 'utf8').trim().split(' ')
  for (const controller of CONTROLLERS) {
    if (!offered.includes(controller)) continue
    writeFileSync(join(folder, 'cgroup.subtree_control'), `+${controller}`)
  }
}

function removeTree(folder: string): void {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name))
  }
  try {
    rmdirSync(folder)
  } catch {
    // Somebody is in it still, or it is gone.
  }
}
