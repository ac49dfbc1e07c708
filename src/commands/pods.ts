import type { NodeAddress } from '../config/node-address.ts'
import { type PodPlaces, stateText } from '../kube/pod-places.ts'
import type { PodContainer } from '../kube/pods.ts'
import { formatAge, UNKNOWN } from '../ui/format.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What `edgedeck pods` was asked. */
export interface PodsRequest {
  readonly node: NodeAddress
  readonly pods: PodPlaces
  readonly format: OutputFormat
  readonly timeoutMs: number
  /** Unix ms. */
  readonly nowMs: number
}

/** Print the containers of a node's pods, those that run first. @throws EdgeError when they cannot be looked at */
export async function runPods({ node, pods, format, timeoutMs, nowMs }: PodsRequest, io: CommandIo): Promise<void> {
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(timeoutMs)])
  const { containers, faults } = await pods.containers(node, signal)
  for (const fault of faults) io.stderr.write(`edgedeck: ${fault}\n`)
  if (format !== 'table') io.stdout.write(printJson(containers, format))
  else if (containers.length === 0) io.stderr.write(`edgedeck: no pod that may be seen is on ${node.key}\n`)
  else io.stdout.write(printTable(columns(nowMs), containers))
}

function columns(nowMs: number): readonly PrintedColumn<PodContainer>[] {
  return [
    { title: 'POD', text: ({ namespace, pod }) => `${namespace}/${pod}` },
    { title: 'CONTAINER', text: ({ name }) => name },
    { title: 'KIND', text: ({ kind }) => kind },
    { title: 'STATE', text: (container) => stateText(container) },
    { title: 'AGE', align: 'right', text: ({ state }) => ageOf(state, nowMs) },
    { title: 'IMAGE', text: ({ image }) => image },
  ]
}

function ageOf(state: PodContainer['state'], nowMs: number): string {
  return state.is === 'running' && state.sinceMs !== null ? formatAge(nowMs - state.sinceMs) : UNKNOWN
}
