import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { isKubeName, type KubeAccess } from '../config/kube-access.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { FoundPlaces, RemotePlace } from '../remote/contract.ts'
import { containerLog } from './container-log.ts'
import { KubeApi } from './kube-api.ts'
import { type KubePlace, loadKubeCluster } from './kube-config.ts'
import { PodHost } from './pod-host.ts'
import { containerLabel, containersOfNode, containersOfPod, type PodContainer } from './pods.ts'

/** The containers of a node's pods as places for shells; the kubeconfig is read when the first is asked for. */
export class PodPlaces {
  readonly #access: KubeAccess
  readonly #place: KubePlace
  #api: KubeApi | null = null

  constructor(access: KubeAccess, place: KubePlace) {
    this.#access = access
    this.#place = place
  }

  /** The cluster. @throws EdgeError `KUBE_CONFIG_UNUSABLE` */
  api(): KubeApi {
    this.#api ??= new KubeApi(loadKubeCluster(this.#access, this.#place))
    return this.#api
  }

  /** What may be looked at of a node. Never rejects: what goes wrong is a fault. */
  async of(node: NodeAddress, signal: AbortSignal): Promise<FoundPlaces> {
    try {
      const { containers, faults } = await this.containers(node, signal)
      return { places: containers.map((container) => podPlace(this.api(), container)), faults }
    } catch (error) {
      return { places: [], faults: [untrusted(error instanceof EdgeError ? error.toLine() : messageOf(error))] }
    }
  }

  /**
   * The container that is named.
   * @throws EdgeError `POD_UNUSABLE` when there is none of that name, or several and none is named
   */
  async find({ pod: named, container }: WantedPod, signal: AbortSignal): Promise<PodContainer> {
    const api = this.api()
    const slash = named.indexOf('/')
    const namespace =
      slash === -1 ? (this.#access.namespace ?? api.cluster.namespace ?? 'default') : named.slice(0, slash)
    const pod = named.slice(slash + 1)
    if (!isKubeName(namespace) || !isKubeName(pod)) {
      throw new EdgeError('USAGE', {
        message: `${untrusted(named)} is no name of a pod`,
        next: ['write NAMESPACE/POD, as edgedeck pods NODE lists them'],
      })
    }
    const all = await containersOfPod(api, { namespace, pod }, signal)
    const found =
      container === null ? all.filter(({ kind }) => kind === 'app') : all.filter(({ name }) => name === container)
    const [only] = found
    if (only !== undefined && found.length === 1) return only
    throw new EdgeError('POD_UNUSABLE', {
      message:
        container === null
          ? `${namespace}/${pod} has several containers`
          : `${namespace}/${pod} has no container "${untrusted(container)}"`,
      next: [`name one with -c: ${all.map(({ name }) => name).join(', ')}`],
    })
  }

  /** The container that is named, as a place. @throws EdgeError as {@link find} */
  async place(wanted: WantedPod, signal: AbortSignal): Promise<RemotePlace> {
    return podPlace(this.api(), await this.find(wanted, signal))
  }

  /**
   * The containers on a node. Whoever may not look at every namespace sees that of the kubeconfig's context, and is told.
   * @throws EdgeError
   */
  async containers(
    node: NodeAddress,
    signal: AbortSignal,
  ): Promise<{ readonly containers: readonly PodContainer[]; readonly faults: readonly string[] }> {
    const name = kubeNodeName(node)
    const api = this.api()
    const { namespace } = this.#access
    const unverified = unverifiedText(api)
    try {
      return { containers: await containersOfNode(api, name, namespace, signal), faults: unverified }
    } catch (error) {
      const own = api.cluster.namespace
      const isRefused = error instanceof EdgeError && error.code === 'RIGHT_MISSING'
      if (!isRefused || namespace !== null || own === null) throw error
      const containers = await containersOfNode(api, name, own, signal)
      return { containers, faults: [...unverified, `only the namespace ${own} is looked at: ${error.toLine()}`] }
    }
  }
}

/** A pod as it is named on the command line, and which of its containers; null for its only one. */
export interface WantedPod {
  /** `NAMESPACE/POD`, or `POD` in the namespace of the context. */
  readonly pod: string
  readonly container: string | null
}

/** What Kubernetes calls a node. @throws EdgeError `USAGE` when that can be no name there */
export function kubeNodeName({ key, node, kubeNode }: NodeAddress): string {
  const name = kubeNode ?? node ?? key
  if (isKubeName(name)) return name
  throw new EdgeError('USAGE', {
    message: `Kubernetes can have no node called ${untrusted(name)}`,
    next: ['write its name there as "kubeNode:" beside the node'],
  })
}

/** A container as a place. One that does not run can still be read. */
function podPlace(api: KubeApi, container: PodContainer): RemotePlace {
  const label = containerLabel(container)
  return {
    how: 'pod',
    label,
    isAside: container.kind !== 'app',
    detail: `${container.kind === 'app' ? 'container' : container.kind}, ${stateText(container)}, ${container.image}`,
    open: async (prompter) => {
      mustRun(container)
      for (const text of unverifiedText(api)) prompter.tell(text)
      return new PodHost(api, container, prompter)
    },
    log: containerLog(api, container),
  }
}

/** That nobody looks who the API server is, where that is so. */
function unverifiedText({ cluster }: KubeApi): string[] {
  if (!cluster.isUnverified) return []
  return [
    `the kubeconfig's context ${cluster.context} does not look who the API server is (insecure-skip-tls-verify): what is sent may be read and changed`,
  ]
}

/** What a container does, in words. */
export function stateText({ state, restarts }: Pick<PodContainer, 'state' | 'restarts'>): string {
  const often = restarts === 0 ? '' : `, ${restarts} restart${restarts === 1 ? '' : 's'}`
  if (state.is === 'running') return `running${often}`
  if (state.is === 'waiting') return `waiting: ${state.reason}${often}`
  return `ended with ${state.code}${state.reason === '' ? '' : ` (${state.reason})`}${often}`
}

/** @throws EdgeError `POD_UNUSABLE` for a container in which nothing can be run now */
export function mustRun(container: PodContainer): void {
  if (container.state.is === 'running') return
  const { namespace, pod, name } = container
  throw new EdgeError('POD_UNUSABLE', {
    message: `${containerLabel(container)} does not run: ${stateText(container)}`,
    next: [`read what it wrote: edgedeck logs --pod ${namespace}/${pod} -c ${name} --previous`],
  })
}
