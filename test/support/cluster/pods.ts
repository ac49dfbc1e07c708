import { type AdminApi, ApiFailure } from './api.ts'
import { IMAGES } from './images.ts'

/** A container of a pod to make. */
export interface TestContainer {
  readonly name: string
  /** Busybox where it is absent. */
  readonly image?: string
  /** The image's own where it is absent. */
  readonly command?: readonly string[]
}

/** A pod to make. */
export interface TestPod {
  readonly namespace: string
  readonly name: string
  readonly containers: readonly TestContainer[]
  readonly initContainers?: readonly TestContainer[]
}

const READY_TIMEOUT_MS = 180_000
const POLL_MS = 100

/** What tests look at in a pod. */
export interface PodObject {
  readonly status: {
    readonly phase: string
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

interface ContainerStatus {
  readonly name: string
  readonly restartCount: number
  readonly state: {
    readonly running?: object
    readonly waiting?: { readonly reason?: string }
    readonly terminated?: { readonly exitCode: number }
  }
}

/** Make a namespace and wait until it takes pods. */
export async function createNamespace(api: AdminApi, name: string): Promise<void> {
  await api.create('/api/v1/namespaces', { metadata: { name } })
  await until(`the account of ${name}`, () => api.answers(`/api/v1/namespaces/${name}/serviceaccounts/default`))
}

/** Make a pod that ends at once when it is removed. */
export async function createPod(api: AdminApi, pod: TestPod): Promise<void> {
  const container = ({ name, image = IMAGES.busybox, command }: TestContainer): object => ({
    name,
    image,
    imagePullPolicy: 'Never',
    ...(command === undefined ? {} : { command }),
  })
  const spec = {
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    containers: pod.containers.map(container),
    initContainers: (pod.initContainers ?? []).map(container),
  }
  await api.create(`/api/v1/namespaces/${pod.namespace}/pods`, { metadata: { name: pod.name }, spec })
}

/** Wait for a pod to be so; resolves with it. */
export async function podUntil(
  api: AdminApi,
  { namespace, name }: Pick<TestPod, 'namespace' | 'name'>,
  isSo: (pod: PodObject) => boolean,
): Promise<PodObject> {
  let last: PodObject | null = null
  await until(`the pod ${namespace}/${name} as wanted`, async () => {
    last = await api.get<PodObject>(`/api/v1/namespaces/${namespace}/pods/${name}`)
    return isSo(last)
  })
  if (last === null) throw new Error('no pod')
  return last
}

/** Every container runs. */
export function runs({ status }: PodObject): boolean {
  const containers = status.containerStatuses ?? []
  return containers.length > 0 && containers.every(({ state }) => state.running !== undefined)
}

/** Remove a pod and wait until it is gone. */
export async function removePod(
  api: AdminApi,
  { namespace, name }: Pick<TestPod, 'namespace' | 'name'>,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`
  await api.remove(path)
  await until(`the end of ${namespace}/${name}`, () =>
    api.get(path).then(
      () => false,
      (error) => error instanceof ApiFailure && error.status === 404,
    ),
  )
}

/** Allow a user something in a namespace: verbs by resource, such as `{ 'pods/exec': ['create'] }`. */
export async function allow(
  api: AdminApi,
  {
    namespace,
    user,
    may,
  }: { readonly namespace: string; readonly user: string; readonly may: Readonly<Record<string, readonly string[]>> },
): Promise<void> {
  const base = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
  const rules = Object.entries(may).map(([resource, verbs]) => ({ apiGroups: [''], resources: [resource], verbs }))
  await api.create(`${base}/roles`, { metadata: { name: user }, rules })
  await api.create(`${base}/rolebindings`, {
    metadata: { name: user },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: user },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
  })
}

/** Ask until it is so. @throws Error after a minute */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come in ${READY_TIMEOUT_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
