import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { controlGroupsOf, removeControlGroup } from './control-groups.ts'

/** Folders and control groups of test clusters begin so, bridges with {@link bridgeOf}. */
export const CLUSTER_PREFIX = 'edgedeck-cluster-'
const BRIDGE_PREFIX = 'edk'

/** The bridge that the pods of a cluster are on; a name of the kernel's has at most 15 characters. */
export function bridgeOf(dir: string): string {
  return `${BRIDGE_PREFIX}${basename(dir).slice(CLUSTER_PREFIX.length)}`
}

/** Write down whose a cluster is: this process, as it was started. */
export function ownCluster(dir: string): void {
  writeFileSync(join(dir, 'owner'), `${process.pid} ${startOf(process.pid)}`)
}

/** Remove what a cluster leaves when its programs have ended: bridge, control groups, folder. */
export function removeCluster(dir: string): void {
  const bridge = bridgeOf(dir)
  if (existsSync(`/sys/class/net/${bridge}`)) spawnSync('ip', ['link', 'delete', bridge])
  removeControlGroup(basename(dir))
  rmSync(dir, { recursive: true, force: true })
}

/** Remove clusters whose owner is gone. The kernel ended their programs with it. */
export function removeLeftovers(): void {
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith(CLUSTER_PREFIX))
  // A folder may be gone while a group is not.
  for (const name of new Set([...folders, ...controlGroupsOf(CLUSTER_PREFIX)])) {
    const dir = join(tmpdir(), name)
    if (!isOwned(dir)) removeCluster(dir)
  }
}

function isOwned(dir: string): boolean {
  try {
    const [pid = '', start] = readFileSync(join(dir, 'owner'), 'utf8').split(' ')
    return startOf(Number(pid)) === start
  } catch {
    return false
  }
}

/** When a process began, in the kernel's count: a number that came again is another process. */
function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
