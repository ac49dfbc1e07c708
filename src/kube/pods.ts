import { z } from 'zod'
import { EdgeError } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { KubeApi } from './kube-api.ts'

/** What a container does now. Texts are safe to show. */
export type ContainerState =
  | { readonly is: 'running'; readonly sinceMs: number | null }
  | { readonly is: 'waiting'; readonly reason: string }
  | { readonly is: 'ended'; readonly code: number; readonly reason: string }

/** A container of a pod. Texts are safe to show. */
export interface PodContainer {
  readonly namespace: string
  readonly pod: string
  readonly name: string
  /** `init` runs before the others; a sidecar is an init container that goes on; `debug` was added to a running pod. */
  readonly kind: 'app' | 'init' | 'sidecar' | 'debug'
  readonly image: string
  readonly state: ContainerState
  readonly restarts: number
  /** Whether the pod has come to its end and starts nothing again. */
  readonly isOver: boolean
}

const PAGE = 250
/** A kubelet takes 110 pods unless it is told otherwise, and never thousands. */
const MAX_PAGES = 20

const time = z.string().transform((text) => Date.parse(text))
const state = z
  .object({
    running: z.object({ startedAt: time.nullish() }).optional(),
    waiting: z.object({ reason: z.string().optional() }).optional(),
    terminated: z.object({ exitCode: z.number(), reason: z.string().optional() }).optional(),
  })
  .optional()
const status = z.object({ name: z.string(), restartCount: z.number().default(0), state })
const spec = z.object({ name: z.string(), image: z.string().default(''), restartPolicy: z.string().optional() })
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? [])
const pod = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  spec: z.object({ initContainers: list(spec), containers: list(spec), ephemeralContainers: list(spec) }),
  status: z
    .object({
      initContainerStatuses: list(status),
      containerStatuses: list(status),
      ephemeralContainerStatuses: list(status),
      reason: z.string().optional(),
      phase: z.string().optional(),
    })
    .prefault({}),
})
const podList = z.object({ metadata: z.object({ continue: z.string().optional() }).default({}), items: list(pod) })

/**
 * The containers of the pods that are bound to a node, those that run first.
 * @param namespace null for all
 * @throws EdgeError as {@link KubeApi.json}
 */
export async function containersOfNode(
  api: KubeApi,
  node: string,
  namespace: string | null,
  signal: AbortSignal,
): Promise<PodContainer[]> {
  const path = namespace === null ? '/api/v1/pods' : `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`
  const found: PodContainer[] = []
  let after: string | undefined = ''
  for (let page = 0; after !== undefined && page < MAX_PAGES; page += 1) {
    const query = {
      fieldSelector: `spec.nodeName=${node}`,
      limit: String(PAGE),
      ...(after === '' ? {} : { continue: after }),
    }
    const asked = { verb: 'list', resource: 'pods', namespace, what: null } as const
    const read = readPodList(await api.json({ path, query, asked, signal }))
    found.push(...read.containers)
    after = read.continue || undefined
  }
  return found.sort(byUse)
}

/**
 * The containers of one pod.
 * @throws EdgeError as {@link KubeApi.json}
 */
export async function containersOfPod(
  api: KubeApi,
  { namespace, pod: name }: { readonly namespace: string; readonly pod: string },
  signal: AbortSignal,
): Promise<PodContainer[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`
  const asked = { verb: 'get', resource: 'pods', namespace, what: `${namespace}/${name}` } as const
  return containersOf(parsed(pod, await api.json({ path, asked, signal })))
}

/** A page of pods, as an API server answers. @throws EdgeError `KUBE_REFUSED` for what is none */
export function readPodList(answer: unknown): { readonly containers: PodContainer[]; readonly continue: string } {
  const { metadata, items } = parsed(podList, answer)
  return { containers: items.flatMap(containersOf), continue: metadata.continue ?? '' }
}

function parsed<T>(schema: z.ZodType<T>, answer: unknown): T {
  const read = schema.safeParse(answer)
  if (read.success) return read.data
  throw new EdgeError('KUBE_REFUSED', {
    message: 'the API server answered something else than pods',
    next: ['see that the address in the kubeconfig is that of an API server'],
  })
}

function containersOf({ metadata, spec: wanted, status: now }: z.output<typeof pod>): PodContainer[] {
  const isOver = now.phase === 'Succeeded' || now.phase === 'Failed'
  const where = { namespace: untrusted(metadata.namespace), pod: untrusted(metadata.name), isOver }
  const put = (kind: PodContainer['kind'], one: z.output<typeof spec>, all: readonly z.output<typeof status>[]) => {
    const found = all.find(({ name }) => name === one.name)
    const restarts = found?.restartCount ?? 0
    return {
      ...where,
      name: untrusted(one.name),
      kind,
      image: untrusted(one.image),
      state: stateOf(found, now.reason),
      restarts,
    }
  }
  return [
    ...wanted.containers.map((one) => put('app', one, now.containerStatuses)),
    ...wanted.ephemeralContainers.map((one) => put('debug', one, now.ephemeralContainerStatuses)),
    ...wanted.initContainers.map((one) =>
      put(one.restartPolicy === 'Always' ? 'sidecar' : 'init', one, now.initContainerStatuses),
    ),
  ]
}

function stateOf(found: z.output<typeof status> | undefined, podReason: string | undefined): ContainerState {
  const { running, terminated, waiting } = found?.state ?? {}
  if (running !== undefined) return { is: 'running', sinceMs: running.startedAt ?? null }
  if (terminated !== undefined) {
    return { is: 'ended', code: terminated.exitCode, reason: untrusted(terminated.reason ?? '') }
  }
  return { is: 'waiting', reason: untrusted(waiting?.reason ?? podReason ?? 'not started') }
}

const STATE_RANK = { running: 0, waiting: 1, ended: 2 } as const
const KIND_RANK = { app: 0, sidecar: 1, debug: 1, init: 2 } as const

/** What runs first, what the cluster itself runs behind what others do, then by name. */
function byUse(a: PodContainer, b: PodContainer): number {
  const isOwn = ({ namespace }: PodContainer): number => (namespace.startsWith('kube-') ? 1 : 0)
  return (
    STATE_RANK[a.state.is] - STATE_RANK[b.state.is] ||
    isOwn(a) - isOwn(b) ||
    a.namespace.localeCompare(b.namespace) ||
    a.pod.localeCompare(b.pod) ||
    KIND_RANK[a.kind] - KIND_RANK[b.kind] ||
    a.name.localeCompare(b.name)
  )
}

/** A container as it is chosen and written down: `vision/camera-7 (app)`. */
export function containerLabel({
  namespace,
  pod: name,
  name: container,
}: Pick<PodContainer, 'namespace' | 'pod' | 'name'>) {
  return `${namespace}/${name} (${container})`
}
