import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClusterAuthority } from './authority.ts'
import { makeControlGroup } from './control-groups.ts'
import { IMAGES, makeImages } from './images.ts'
import { bridgeOf } from './leftovers.ts'

/** What a node is made of. */
export interface NodeParts {
  /** Folder of the cluster. */
  readonly dir: string
  readonly name: string
  readonly authority: ClusterAuthority
  /** The node's own access to the API server. */
  readonly kubeconfig: string
  /** Port of the kubelet on loopback. */
  readonly port: number
  readonly kubelet: string
}

const MACHINE = fileURLToPath(new URL('node-machine.sh', import.meta.url))

/**
 * Write down what a node needs, and give the command line that is its machine: a process and mount space of its own with
 * containerd and kubelet. Root, network and host name are those of this machine.
 */
export function prepareNode(parts: NodeParts): [string, ...string[]] {
  const { dir, name, authority, kubeconfig, port, kubelet } = parts
  const group = basename(dir)
  makeControlGroup(group)
  const images = join(dir, 'images')
  mkdirSync(images)
  makeImages(images)
  writeNetwork(dir)
  writeFileSync(join(dir, 'containerd.toml'), containerdConfig(dir))
  const { certFile, keyFile } = authority.issue('kubelet-server', 'edgedeck', ['IP:127.0.0.1', `DNS:${name}`])
  const settings = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: '127.0.0.1',
    port,
    healthzPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: authority.caFile },
    },
    authorization: { mode: 'AlwaysAllow' },
    tlsCertFile: certFile,
    tlsPrivateKeyFile: keyFile,
    containerRuntimeEndpoint: `unix://${dir}/containerd.sock`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${group}`,
    enforceNodeAllocatable: [],
    // Machines that tests run on: the first version of control groups, swap, hardly a disk, no iptables.
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    localStorageCapacityIsolation: false,
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '50Mi' },
    resolvConf: '',
    podLogsDir: join(dir, 'pod-logs'),
    nodeStatusUpdateFrequency: '2s',
  }
  writeFileSync(join(dir, 'kubelet.json'), JSON.stringify(settings))
  const spaces = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--propagation', 'private']
  // With an outside cloud the kubelet takes no address of this machine: the one that tests reach it by is told later.
  const flags = [
    `--config=${join(dir, 'kubelet.json')}`,
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${name}`,
    '--cloud-provider=external',
    `--root-dir=${join(dir, 'kubelet')}`,
    `--cert-dir=${join(dir, 'kubelet-pki')}`,
  ]
  return ['unshare', ...spaces, '--', MACHINE, dir, kubelet, ...flags]
}

/** Pods of the node see each other, and nothing else: no gateway, so that nothing of this machine has to be set. */
function writeNetwork(dir: string): void {
  const ipam = { type: 'host-local', subnet: '10.213.77.0/24', dataDir: join(dir, 'addresses') }
  const plugins = [{ type: 'bridge', bridge: bridgeOf(dir), ipam }]
  mkdirSync(join(dir, 'network'))
  writeFileSync(
    join(dir, 'network', '10-pods.conflist'),
    JSON.stringify({ cniVersion: '0.4.0', name: 'pods', plugins }),
  )
}

function containerdConfig(dir: string): string {
  // "native" copies what overlays would share: it works on whatever the folder is on.
  return `version = 2
root = "${dir}/containerd"
state = "${dir}/containerd-state"
[grpc]
  address = "${dir}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGES.bare}"
  stream_server_address = "127.0.0.1"
  netns_mounts_under_state_dir = true
  # In a container runc may be let make a process no harder to kill than its own.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${dir}/network"
`
}
