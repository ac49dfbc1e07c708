import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import {
  InferenceService,
  type InferenceServiceOptions,
  type ServiceEvent,
} from '../../edge-daemon/inference/inference-service.ts'
import type { Kept, NewResult } from '../../edge-daemon/inference/keep.ts'
import { InferenceMeters } from '../../edge-daemon/inference/meters.ts'
import { InferenceServer, type InferenceServerOptions } from '../../edge-daemon/inference/server.ts'
import { pickModel, type ServedModel } from '../../edge-daemon/models/models.ts'

/** The digits model of the repository, verified. */
export function digitsModel(): Promise<ServedModel> {
  return pickModel(fileURLToPath(new URL('../../models', import.meta.url)), 'digits')
}

/** A service with a real child, and everything it told. */
export async function startService(
  options: Partial<InferenceServiceOptions> = {},
  model?: ServedModel,
): Promise<{ service: InferenceService; events: ServiceEvent[] }> {
  const events: ServiceEvent[] = []
  const service = new InferenceService({
    batchMax: 32,
    queueLimit: 512,
    timeoutMs: 60_000,
    pixelLimit: 40e6,
    onEvent: (event) => events.push(event),
    ...options,
  })
  await service.start(model ?? (await digitsModel()))
  return { service, events }
}

/** A listening inference server with a real child and a store in memory. */
export interface InferenceNode {
  readonly url: string
  readonly service: InferenceService
  readonly server: InferenceServer
  readonly meters: InferenceMeters
  /** What was handed to the filter and the store, in order. */
  readonly kept: NewResult[]
  stop(): Promise<void>
}

/** Epoch of the store in memory. */
export const TEST_EPOCH = 'ab'.repeat(16)

/** Start a node on a free port; `keep` may be replaced. */
export async function startInferenceNode(
  options: { service?: Partial<InferenceServiceOptions>; server?: Partial<InferenceServerOptions> } = {},
): Promise<InferenceNode> {
  const { service } = await startService(options.service)
  const kept: NewResult[] = []
  const meters = new InferenceMeters(50)
  const server = new InferenceServer({
    listen: { host: '127.0.0.1', port: 0 },
    nodeName: 'node-1',
    bodyLimitBytes: 10e6,
    service,
    meters,
    keep: async (result): Promise<Kept> => ({ stored: true, epoch: TEST_EPOCH, seq: kept.push(result) }),
    isReady: () => (service.isReady() ? { ready: true } : { ready: false, reason: 'the model is being started' }),
    metricsText: () => 'edge_up 1\n',
    ...options.server,
  })
  const { url } = await server.start()
  const stop = async (): Promise<void> => {
    await server.stop(5000)
    await service.stop()
  }
  return { url, service, server, meters, kept, stop }
}

/** Whether a process runs; a zombie that nobody has reaped does not. */
export async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return stat !== null && stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
}
