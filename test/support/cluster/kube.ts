import { inject } from 'vitest'
import { KubeApi } from '../../../src/kube/kube-api.ts'
import { loadKubeCluster } from '../../../src/kube/kube-config.ts'
import type { RemoteChannel } from '../../../src/remote/contract.ts'
import { AdminApi } from './api.ts'
import { type ClusterUser, userConfig } from './cluster.ts'

/** The cluster's administrator. */
export function admin(): AdminApi {
  const { server, caFile, admin: pair } = inject('cluster')
  return new AdminApi(server, caFile, pair)
}

/** The console's way to the cluster: as a user, or as the administrator; `server` to go another way. */
export function kubeApi(user: ClusterUser | 'admin' = 'admin', server?: string): KubeApi {
  const cluster = inject('cluster')
  const config = user === 'admin' ? cluster.adminConfig : userConfig(cluster, user)
  const loaded = loadKubeCluster(
    { config, context: null, namespace: null },
    { env: {}, home: '/nowhere', baseDir: '/' },
  )
  return new KubeApi(server === undefined ? loaded : { ...loaded, server })
}

/** Somebody at a shell: types, and waits for what comes. */
export class ShellReader {
  text = ''
  readonly #channel: RemoteChannel
  #wake: () => void = () => undefined

  constructor(channel: RemoteChannel) {
    this.#channel = channel
    channel.onOutput((chunk) => {
      this.text += chunk.toString('utf8')
      this.#wake()
    })
    void channel.ended.then(() => this.#wake())
  }

  type(text: string): void {
    this.#channel.write(Buffer.from(text))
  }

  /** Resolves when the pattern is in what came; then that is forgotten. @throws Error after a minute */
  async until(pattern: RegExp): Promise<string> {
    const deadline = AbortSignal.timeout(60_000)
    while (!pattern.test(this.text)) {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve
        const fail = (): void => reject(new Error(`${pattern} did not come; there is: ${this.text}`))
        deadline.addEventListener('abort', fail, { once: true })
      })
    }
    const seen = this.text
    this.text = ''
    return seen
  }
}
