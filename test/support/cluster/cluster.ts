import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClusterPrograms } from '../../../scripts/cluster-tools.ts'
import { AdminApi } from './api.ts'
import { ClusterAuthority, type KeyPair } from './authority.ts'
import { ClusterChild } from './child.ts'
import { CLUSTER_PREFIX, ownCluster, removeCluster, removeLeftovers } from './leftovers.ts'
import { prepareNode } from './node.ts'

/** How tests reach the cluster; can be sent to another process. */
export interface ClusterAddress {
  /** `https://127.0.0.1:PORT` */
  readonly server: string
  readonly caFile: string
  /** The administrator's certificate and a kubeconfig with it. */
  readonly admin: KeyPair
  readonly adminConfig: string
  /** The one node, with a real kubelet. */
  readonly node: string
  /** Folder for further kubeconfigs. */
  readonly dir: string
}

/** A running cluster. */
export interface Cluster extends ClusterAddress {
  /** End every program and remove everything. */
  stop(): Promise<void>
}

/** Users without a certificate, by the token that each shows; who may what is for tests to say. */
export const USERS = ['mia', 'noah', 'ola', 'pia'] as const
export type ClusterUser = (typeof USERS)[number]

const NODE = 'press-1'
const READY_TIMEOUT_MS = 120_000
const SERVICE_NETWORK = '10.96.0.0/16'
const ADMINISTRATORS = 'system:masters'

/**
 * Start etcd, the control plane and one node on loopback, and wait until pods can run. Needs root. What earlier, killed
 * runs left is removed first.
 * @throws Error with the last words of what did not start
 */
export async function startCluster(programs: ClusterPrograms, say: (line: string) => void): Promise<Cluster> {
  removeLeftovers()
  const dir = mkdtempSync(join(tmpdir(), CLUSTER_PREFIX))
  ownCluster(dir)
  mkdirSync(join(dir, 'log'))
  const children: ClusterChild[] = []
  const begin = (name: string, command: readonly [string, ...string[]]): ClusterChild => {
    const child = new ClusterChild(name, join(dir, 'log', `${name}.log`), command)
    children.push(child)
    return child
  }
  const stop = async (): Promise<void> => {
    // The kubelet first: it would mourn the others in its log for long.
    for (const child of children.splice(0).reverse()) await child.stop()
    removeCluster(dir)
  }
  try {
    const address = await startParts(dir, programs, begin, say)
    return { ...address, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Begin = (name: string, command: readonly [string, ...string[]]) => ClusterChild

async function startParts(
  dir: string,
  programs: ClusterPrograms,
  begin: Begin,
  say: (line: string) => void,
): Promise<ClusterAddress> {
  const [etcdPort, peerPort, apiPort, kubeletPort] = await freePorts()
  const authority = new ClusterAuthority(join(dir, 'pki'))
  const server = `https://127.0.0.1:${apiPort}`
  const access = (name: string, group: string): string =>
    writeKubeconfig(dir, { name, server, caFile: authority.caFile, pair: authority.issue(name, group) })

  const store = `http://127.0.0.1:${etcdPort}`
  const peer = `http://127.0.0.1:${peerPort}`
  const etcd = begin('etcd', [
    programs.etcd,
    `--data-dir=${join(dir, 'etcd')}`,
    `--listen-client-urls=${store}`,
    `--advertise-client-urls=${store}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ])
  await etcd.until('the health of etcd', () => isHealthy(`${store}/health`), READY_TIMEOUT_MS)

  const accounts = authority.issue('service-accounts', 'edgedeck')
  const admin = authority.issue('admin', ADMINISTRATORS)
  const apiserver = begin('kube-apiserver', [
    programs.apiserver,
    ...apiserverFlags(dir, authority, { store, port: apiPort, accounts }),
  ])
  const api = new AdminApi(server, authority.caFile, admin)
  await apiserver.until('the API server', () => api.answers('/readyz'), READY_TIMEOUT_MS)
  say(`API server ready on ${server}`)

  const quiet = ['--leader-elect=false', '--bind-address=127.0.0.1', '--profiling=false', '--secure-port=0']
  begin('kube-controller-manager', [
    programs.controllerManager,
    `--kubeconfig=${access('system:kube-controller-manager', 'edgedeck')}`,
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${accounts.keyFile}`,
    `--root-ca-file=${authority.caFile}`,
    ...quiet,
  ])
  begin('kube-scheduler', [programs.scheduler, `--kubeconfig=${access('system:kube-scheduler', 'edgedeck')}`, ...quiet])
  const kubeconfig = access(`system:node:${NODE}`, 'system:nodes')
  const parts = { dir, name: NODE, authority, kubeconfig, port: kubeletPort, kubelet: programs.kubelet }
  const machine = begin('node', prepareNode(parts))
  await machine.until(`the node ${NODE}`, () => api.answers(`/api/v1/nodes/${NODE}`), READY_TIMEOUT_MS)
  await settleNode(api)
  await machine.until(`a node ${NODE} that takes pods`, () => takesPods(api), READY_TIMEOUT_MS)
  say(`node ${NODE} takes pods`)

  const { caFile } = authority
  const adminConfig = writeKubeconfig(dir, { name: 'admin', server, caFile, pair: admin })
  return { server, caFile, admin, adminConfig, node: NODE, dir }
}

function apiserverFlags(
  dir: string,
  authority: ClusterAuthority,
  { store, port, accounts }: { readonly store: string; readonly port: number; readonly accounts: KeyPair },
): string[] {
  const own = authority.issue('kube-apiserver', 'edgedeck', [
    'IP:127.0.0.1',
    'IP:10.96.0.1',
    'DNS:kubernetes.default.svc',
  ])
  const toKubelet = authority.issue('kube-apiserver-kubelet-client', ADMINISTRATORS)
  const tokens = join(dir, 'tokens.csv')
  writeFileSync(tokens, USERS.map((user) => `${tokenOf(user)},${user},${user}\n`).join(''))
  return [
    `--etcd-servers=${store}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    '--endpoint-reconciler-type=none',
    `--service-cluster-ip-range=${SERVICE_NETWORK}`,
    '--authorization-mode=Node,RBAC',
    `--client-ca-file=${authority.caFile}`,
    `--tls-cert-file=${own.certFile}`,
    `--tls-private-key-file=${own.keyFile}`,
    `--token-auth-file=${tokens}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${accounts.certFile}`,
    `--service-account-signing-key-file=${accounts.keyFile}`,
    `--kubelet-certificate-authority=${authority.caFile}`,
    `--kubelet-client-certificate=${toKubelet.certFile}`,
    `--kubelet-client-key=${toKubelet.keyFile}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--profiling=false',
  ]
}

/** The token that a user shows. */
export function tokenOf(user: ClusterUser): string {
  return `token-of-${user}`
}

interface Access {
  readonly name: string
  readonly server: string
  readonly caFile: string
  readonly pair: KeyPair
}

function writeKubeconfig(dir: string, { name, server, caFile, pair }: Access): string {
  const user = { 'client-certificate': pair.certFile, 'client-key': pair.keyFile }
  return writeConfig(dir, name, { server, 'certificate-authority': caFile }, user)
}

/** A kubeconfig for somebody with a token; gives its path. */
export function userConfig({ dir, server, caFile }: ClusterAddress, user: ClusterUser): string {
  return writeConfig(dir, user, { server, 'certificate-authority': caFile }, { token: tokenOf(user) })
}

function writeConfig(dir: string, name: string, cluster: object, user: object): string {
  const file = join(dir, `${name.replaceAll(':', '-')}.kubeconfig`)
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name, user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: name } }],
    'current-context': 'test',
  }
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 })
  return file
}

/** Tell the address at which the API server reaches the kubelet, as a cloud would, and that this is done. */
async function settleNode(api: AdminApi): Promise<void> {
  const addresses = [
    { type: 'InternalIP', address: '127.0.0.1' },
    { type: 'Hostname', address: NODE },
  ]
  await api.merge(`/api/v1/nodes/${NODE}/status`, { status: { addresses } })
  const { spec } = await api.get<NodeObject>(`/api/v1/nodes/${NODE}`)
  const taints = spec.taints?.filter(({ key }) => key !== 'node.cloudprovider.kubernetes.io/uninitialized') ?? []
  await api.merge(`/api/v1/nodes/${NODE}`, { spec: { taints } })
}

interface NodeObject {
  readonly spec: { readonly taints?: readonly { readonly key: string }[] }
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** Ready is not enough: the taint of the time before is lifted later, and a namespace takes pods with its account alone. */
async function takesPods(api: AdminApi): Promise<boolean> {
  const { spec, status } = await api.get<NodeObject>(`/api/v1/nodes/${NODE}`)
  const isReady = status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True')
  const isFree = (spec.taints ?? []).length === 0
  return isReady === true && isFree && (await api.answers('/api/v1/namespaces/default/serviceaccounts/default'))
}

function isHealthy(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    }).once('error', () => resolve(false))
  })
}

async function freePorts(): Promise<[number, number, number, number]> {
  const servers = await Promise.all(
    [0, 1, 2, 3].map(
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  for (const server of servers) server.close()
  const [etcd = 0, peer = 0, api = 0, kubelet = 0] = ports
  return [etcd, peer, api, kubelet]
}
