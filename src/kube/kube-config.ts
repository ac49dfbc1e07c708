import { existsSync } from 'node:fs'
import type { RequestOptions } from 'node:https'
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node/dist/config.js'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { KubeAccess } from '../config/kube-access.ts'

/** A cluster and who we are in it, as a context of a kubeconfig has them. */
export interface KubeCluster {
  /** Name of the kubeconfig's context, safe to show. */
  readonly context: string
  /** `https://host:6443`, as it is written. */
  readonly server: string
  /** The context's own; null where it names none. */
  readonly namespace: string | null
  /** Nobody looks whether it is the right server (`insecure-skip-tls-verify`): whoever is in between gets our credentials. */
  readonly isUnverified: boolean
  /**
   * Options of a request: TLS, proxy, headers that say who we are. May run the kubeconfig's program for credentials.
   * @throws EdgeError `KUBE_CONFIG_UNUSABLE`
   */
  requestOptions(): Promise<RequestOptions>
}

/** Where a kubeconfig is looked for. */
export interface KubePlace {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  /** Folder that a relative path of our configuration starts from. */
  readonly baseDir: string
}

/** A program for credentials that asks the operator something would wait for ever: nobody sees it. */
const CREDENTIALS_TIMEOUT_MS = 30_000
const IN_CLUSTER_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'

/**
 * Read the kubeconfig and take its context. Of several files the first that has a name is right, as for kubectl.
 * @throws EdgeError `KUBE_CONFIG_UNUSABLE`
 */
export function loadKubeCluster(access: KubeAccess, place: KubePlace): KubeCluster {
  const files = kubeconfigFiles(access, place)
  const config = files.length > 0 ? readFiles(files) : readInCluster(place)
  if (access.context !== null) config.setCurrentContext(access.context)
  const name = config.getCurrentContext() ?? ''
  const context = config.getContextObject(name)
  const cluster = config.getCurrentCluster()
  if (context === null || cluster === null) {
    const known = config.getContexts().map((one) => untrusted(one.name))
    throw unusable(
      name === ''
        ? `no context of ${listed(files)} is the current one`
        : `there is no context "${untrusted(name)}" with a cluster in ${listed(files)}`,
      [`write one of them as kube.context: ${known.join(', ')}`],
    )
  }
  tellPlugins(config, files)
  return {
    context: untrusted(name),
    server: cluster.server.replace(/\/+$/, ''),
    namespace: context.namespace ?? null,
    isUnverified: cluster.skipTLSVerify === true,
    requestOptions: () => requestOptions(config),
  }
}

function kubeconfigFiles(access: KubeAccess, { env, home, baseDir }: KubePlace): string[] {
  if (access.config !== null) {
    const file = access.config.startsWith('~/') ? join(home, access.config.slice(2)) : resolve(baseDir, access.config)
    if (!existsSync(file)) throw unusable(`${file}: there is no such file`, ['correct kube.config'])
    return [file]
  }
  const named = (env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '')
  if (named.length === 0) return [join(home, '.kube', 'config')].filter((file) => existsSync(file))
  const there = named.filter((file) => existsSync(file))
  if (there.length > 0) return there
  throw unusable(`KUBECONFIG names no file that exists: ${named.join(', ')}`, ['correct KUBECONFIG'])
}

function readFiles(files: readonly string[]): KubeConfig {
  const merged = new KubeConfig()
  const [clusters, users, contexts] = [new Map(), new Map(), new Map()]
  let current: string | undefined
  for (const file of files) {
    const read = new KubeConfig()
    try {
      read.loadFromFile(file)
    } catch (error) {
      // The rest of the message quotes the file, with the token that stands beside the fault.
      const [what = ''] = messageOf(error).split('\n')
      throw unusable(`${file} is no kubeconfig: ${untrusted(what).slice(0, 300)}`, ['correct the file'])
    }
    for (const [into, from] of [
      [clusters, read.clusters],
      [users, read.users],
      [contexts, read.contexts],
    ] as const) {
      for (const one of from) if (!into.has(one.name)) into.set(one.name, one)
    }
    current ||= read.getCurrentContext()
  }
  const lists = { clusters: [...clusters.values()], users: [...users.values()], contexts: [...contexts.values()] }
  merged.loadFromOptions({ ...lists, currentContext: current })
  return merged
}

function readInCluster({ env, home }: KubePlace): KubeConfig {
  if (!existsSync(IN_CLUSTER_TOKEN) || env.KUBERNETES_SERVICE_HOST === undefined) {
    throw unusable(`there is no kubeconfig: neither KUBECONFIG nor ${join(home, '.kube', 'config')}`, [
      'write its path as kube.config in the context, or set KUBECONFIG',
    ])
  }
  const config = new KubeConfig()
  config.loadFromCluster()
  return config
}

/** What programs for credentials are told by their protocol: its version, and that nobody is there to answer them. */
function tellPlugins(config: KubeConfig, files: readonly string[]): void {
  for (const user of config.getUsers()) {
    const plugin = user.exec
    if (typeof plugin?.command !== 'string') continue
    const info = { kind: 'ExecCredential', apiVersion: plugin.apiVersion, spec: { interactive: false } }
    plugin.env = [...(plugin.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }]
    // A path, unlike a name, is meant from where the file is.
    const [file] = files
    if (plugin.command.includes('/') && !isAbsolute(plugin.command) && file !== undefined) {
      plugin.command = join(dirname(file), plugin.command)
    }
  }
}

async function requestOptions(config: KubeConfig): Promise<RequestOptions> {
  const options: RequestOptions = {}
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('it did not end in 30 s')), CREDENTIALS_TIMEOUT_MS)
  })
  try {
    await Promise.race([config.applyToHTTPSOptions(options), late])
    return options
  } catch (error) {
    const command = config.getCurrentUser()?.exec?.command
    const what =
      command === undefined ? 'the credentials of the kubeconfig' : `the program ${untrusted(String(command))}`
    throw unusable(`${what} cannot be used: ${untrusted(credentialFault(error)).slice(0, 300)}`, [
      'see that kubectl works with this context: kubectl auth whoami',
    ])
  } finally {
    clearTimeout(timer)
  }
}

/** Why there are no credentials; a parser's own words quote them. */
function credentialFault(error: unknown): string {
  const isOurs = error instanceof SyntaxError || error instanceof TypeError
  return isOurs ? 'what it wrote is no ExecCredential' : messageOf(error)
}

function listed(files: readonly string[]): string {
  return files.length === 0 ? 'the pod we run in' : files.join(', ')
}

function unusable(message: string, next: readonly string[]): EdgeError {
  return new EdgeError('KUBE_CONFIG_UNUSABLE', { message, next })
}
