import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NamedContext } from '../config/context.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { FindPlaces, RemotePlace } from '../remote/contract.ts'

/** A fleet whose nodes are to be reached beside their own listener. */
export interface RemotePlacesOptions {
  readonly context: NamedContext
  /** Our own configuration, for messages and for files beside it. */
  readonly configFile: string
  /** A node by the operator's name for it. */
  readonly node: (key: string) => NodeAddress
}

/**
 * Finds the places of nodes that take shells: the node over SSH first, then the containers on it where the context has a
 * section `kube`. What it takes to connect is loaded when it is first used.
 */
export function remotePlaces({ context, configFile, node }: RemotePlacesOptions): FindPlaces {
  let loading: ReturnType<typeof loadSsh> | null = null
  let pods: ReturnType<typeof loadPods> | null = null
  return async (key, signal) => {
    loading ??= loadSsh({ context, configFile })
    if (context.kube !== null) pods ??= loadPods(context.kube, configFile)
    const { addresses, connectSsh } = await loading
    const places: RemotePlace[] = []
    const faults: string[] = []
    try {
      const target = addresses.targetOf(node(key))
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
    const inPods = await (await pods)?.of(node(key), signal)
    return { places: [...places, ...(inPods?.places ?? [])], faults: [...faults, ...(inPods?.faults ?? [])] }
  }
}

async function loadPods(access: NonNullable<NamedContext['kube']>, configFile: string) {
  const { PodPlaces } = await import('../kube/pod-places.ts')
  return new PodPlaces(access, { env: process.env, home: homedir(), baseDir: dirname(configFile) })
}

async function loadSsh(options: Pick<RemotePlacesOptions, 'context' | 'configFile'>) {
  const [{ SshAddresses }, { connectSsh }] = await Promise.all([
    import('../ssh/addresses.ts'),
    import('../ssh/connect.ts'),
  ])
  return { addresses: new SshAddresses(options), connectSsh }
}

/** A node by its name: as the operator lists it, else one that is heard on the bus and has nothing but a name and a site. */
export function nodeByName(listed: readonly NodeAddress[], key: string): NodeAddress {
  const found = listed.find((address) => address.key === key)
  if (found !== undefined) return found
  const [site, name] = key.includes('/')
    ? [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)]
    : [null, key]
  return site === null ? { key, url: null } : { key, url: null, site, node: name }
}
