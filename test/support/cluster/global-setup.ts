import type { TestProject } from 'vitest/node'
import { ensureClusterTools } from '../../../scripts/cluster-tools.ts'
import { type ClusterAddress, startCluster } from './cluster.ts'

declare module 'vitest' {
  /** What tests may `inject`. */
  interface ProvidedContext {
    readonly cluster: ClusterAddress
  }
}

/** Start the cluster that all tests of a run share; what is given back stops it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const say = (line: string): void => void process.stdout.write(`cluster: ${line}\n`)
  const programs = await ensureClusterTools(() => undefined)
  const { stop, ...address } = await startCluster(programs, say)
  project.provide('cluster', address)
  return stop
}
