import { homedir } from 'node:os'
import { dirname } from 'node:path'
import type { PodsCommandRequest } from '../command-line/pods-commands.ts'
import type { CommandIo } from '../commands/output.ts'
import { runPodLogs } from '../commands/pod-logs.ts'
import { runPods } from '../commands/pods.ts'
import { PodPlaces } from '../kube/pod-places.ts'
import type { ChosenFleet } from './chosen-fleet.ts'

/** Carry out what goes to pods by their own names. @throws EdgeError when they cannot be looked at */
export async function runPodsRequest(
  request: PodsCommandRequest,
  { context, configFile, nodes }: Pick<ChosenFleet, 'context' | 'configFile' | 'nodes'>,
  io: CommandIo,
): Promise<void> {
  const access = context.kube ?? { config: null, context: null, namespace: null }
  const pods = new PodPlaces(access, { env: process.env, home: homedir(), baseDir: dirname(configFile) })
  if (request.kind === 'pod-logs') return runPodLogs(request, pods, io)
  const { name, format, timeoutMs } = request
  // Kubernetes has nodes on which no daemon runs.
  const node = nodes.find(({ key }) => key === name) ?? { key: name, url: null }
  return runPods({ node, pods, format, timeoutMs, nowMs: Date.now() }, io)
}
