import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NamedContext } from '../config/context.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { FoundPlaces, PlaceUse, RemotePlace } from '../remote/contract.ts'

/** A fleet whose nodes are to be reached beside their own listener. */
export interface RemotePlacesOptions {
  readonly context: NamedContext
  /** Our own configuration, for messages and for files beside it. */
  readonly configFile: string
}

/** How long containers may take to be found where there is another place, ms. */
const PODS_MS = 3000

const NO_KUBE = 'nothing says where its pods are: write "kube: {}" or "kube: {config: FILE}" into the configuration'

/** Find the places of a node. Never rejects: what goes wrong is a fault. */
export type FindPlacesOf = (node: NodeAddress, use: PlaceUse, signal: AbortSignal) => Promise<FoundPlaces>

/**
 * Finds the places of nodes: for shells the node over SSH first, then the containers on it where the context has a
 * section `kube`; for logs the containers alone. What it takes to connect is loaded when it is first used.
 */
export function remotePlaces({ context, configFile }: RemotePlacesOptions): FindPlacesOf {
  let loading: ReturnType<typeof loadSsh> | null = null
  let pods: ReturnType<typeof loadPods> | null = null
  return async (node, use, signal) => {
    if (context.kube !== null) pods ??= loadPods(context.kube, configFile)
    if (use === 'log') return (await pods)?.of(node, signal) ?? { places: [], faults: [NO_KUBE] }
    loading ??= loadSsh({ context, configFile })
    const { addresses, connectSsh } = await loading
    const places: RemotePlace[] = []
    const faults: string[] = []
    try {
      const target = addresses.targetOf(node)
      const through = target.via === null ? '' : ` through ${target.via.label}`
      places.push({
        how: 'ssh',
        label: target.label,
        detail: `the node over SSH${through}`,
        open: (prompter, signal) => connectSsh(target, { prompter, signal }),
      })
    } catch (error) {
      faults.push(untrusted(error instanceof EdgeError ? error.toLine() : messageOf(error)))
    }
    const asked = (await pods)?.of(node, signal)
    const inPods = places.length === 0 ? await asked : await soon(asked)
    return { places: [...places, ...(inPods?.places ?? [])], faults: [...faults, ...(inPods?.faults ?? [])] }
  }
}

/** Containers, unless they take long: a shell over SSH does not wait for an API server that is away. */
async function soon(asked: Promise<FoundPlaces> | undefined): Promise<FoundPlaces | undefined> {
  const late = { places: [], faults: [`Kubernetes has not answered in ${PODS_MS / 1000} s: no containers are offered`] }
  const { promise, resolve } = Promise.withResolvers<FoundPlaces>()
  const timer = setTimeout(() => resolve(late), PODS_MS)
  try {
    return await Promise.race([asked, promise])
  } finally {
    clearTimeout(timer)
  }
}

async function loadPods(access: NonNullable<NamedContext['kube']>, configFile: string) {
  const { PodPlaces } = await import('../kube/pod-places.ts')
  return new PodPlaces(access, { env: process.env, home: homedir(), baseDir: dirname(configFile) })
}

async function loadSsh(options: RemotePlacesOptions) {
  const [{ SshAddresses }, { connectSsh }] = await Promise.all([
    import('../ssh/addresses.ts'),
    import('../ssh/connect.ts'),
  ])
  return { addresses: new SshAddresses(options), connectSsh }
}
