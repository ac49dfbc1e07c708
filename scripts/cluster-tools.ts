import { execFile, spawn } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { toolDir } from '../src/demo/nats-server.ts'
import { ensureFromApt } from './tools.ts'

/** Where the programs of a Kubernetes cluster are: paths. Those of Kubernetes are of one release. */
export interface ClusterPrograms {
  readonly etcd: string
  readonly apiserver: string
  readonly controllerManager: string
  readonly scheduler: string
  readonly kubelet: string
  /** For example `1.36.3`. */
  readonly version: string
}

type Env = Readonly<Record<string, string | undefined>>

/** The release that is built where none is found; `scripts/cluster-programs/go.mod` pins it. */
const KUBERNETES = '1.36.3'
/** Older ones know no `v5.channel.k8s.io` by default, or are served by an etcd that has no progress notifications. */
const AT_LEAST = { kubernetes: [1, 31], etcd: [3, 5, 13] } as const
const KUBERNETES_PROGRAMS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet'] as const
/** On two cores with empty caches it takes about ten minutes. */
const BUILD_TIMEOUT_MS = 30 * 60_000
const VERSION_TIMEOUT_MS = 20_000

/** What the node needs beside the kubelet: it runs containers, gives them addresses, and their images are made of busybox. */
const FROM_APT = [
  ['containerd', 'containerd'],
  ['runc', 'runc'],
  ['/usr/lib/cni/bridge', 'containernetworking-plugins'],
  ['busybox', 'busybox-static'],
  ['openssl', 'openssl'],
  ['ip', 'iproute2'],
] as const

/**
 * The programs of a cluster: those of Kubernetes of the first release of which all are found, on PATH, in
 * `KUBEBUILDER_ASSETS` and in the tool cache. Null when some are nowhere.
 */
export async function findClusterPrograms(env: Env = process.env): Promise<ClusterPrograms | null> {
  const dirs = [...(env.PATH ?? '').split(delimiter), env.KUBEBUILDER_ASSETS ?? '', toolDir(env)].filter(Boolean)
  const etcd = (await versionsOf('etcd', dirs)).find(({ version }) => isAtLeast(version, AT_LEAST.etcd))
  const found = await Promise.all(KUBERNETES_PROGRAMS.map((name) => versionsOf(name, dirs)))
  const version = found[0]
    ?.map((one) => one.version)
    .find((one) => isAtLeast(one, AT_LEAST.kubernetes) && found.every((some) => some.some((it) => it.version === one)))
  if (etcd === undefined || version === undefined) return null
  const pathOf = (index: number): string => found[index]?.find((one) => one.version === version)?.path ?? ''
  return {
    etcd: etcd.path,
    apiserver: pathOf(0),
    controllerManager: pathOf(1),
    scheduler: pathOf(2),
    kubelet: pathOf(3),
    version,
  }
}

/**
 * See that everything is there that a cluster of this machine needs; what can be is installed and built.
 * @throws Error whose message is the line that says how to get what is missing
 */
export async function ensureClusterTools(say: (line: string) => void): Promise<ClusterPrograms> {
  if (process.getuid?.() !== 0) throw new Error('a cluster with a real kubelet needs root: run the tests of it as root')
  for (const [program, debianPackage] of FROM_APT) ensureFromApt(program, debianPackage, say)
  const programs = (await findClusterPrograms()) ?? (await buildClusterPrograms(say))
  say(`Kubernetes ${programs.version}: ${programs.apiserver}; etcd: ${programs.etcd}`)
  return programs
}

/** Build the programs into the tool cache from the modules that go.mod pins and go.sum knows by their digests. */
async function buildClusterPrograms(say: (line: string) => void): Promise<ClusterPrograms> {
  const bin = toolDir()
  say(`Kubernetes: not all of it is found, building ${KUBERNETES} into ${bin} (about ten minutes)`)
  await mkdir(bin, { recursive: true })
  // Beside where they go, so that each appears whole or not at all, also when two build at once.
  const workshop = await mkdtemp(join(bin, '.cluster-programs-'))
  const packages = ['go.etcd.io/etcd/server/v3', ...KUBERNETES_PROGRAMS.map((name) => `k8s.io/kubernetes/cmd/${name}`)]
  const source = fileURLToPath(new URL('cluster-programs', import.meta.url))
  const command = ['build', '-C', source, '-trimpath', '-ldflags', linkFlags(), '-o', `${workshop}/`, ...packages]
  try {
    await go(command)
    await rename(join(workshop, 'server'), join(bin, 'etcd'))
    for (const name of KUBERNETES_PROGRAMS) await rename(join(workshop, name), join(bin, name))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(
      `the tests of Kubernetes need etcd ${AT_LEAST.etcd.join('.')} and ${KUBERNETES_PROGRAMS.join(', ')} ` +
        `${AT_LEAST.kubernetes.join('.')} or newer, on PATH, in KUBEBUILDER_ASSETS or in ${bin}; install Go 1.26 and run ` +
        `npm run test:cluster again to have them built (${reason})`,
    )
  } finally {
    await rm(workshop, { recursive: true, force: true })
  }
  const built = await findClusterPrograms()
  if (built === null) throw new Error(`what was built into ${bin} does not run`)
  return built
}

/** Stripped, and telling its release as the official programs do: parts of Kubernetes refuse to work with `v0.0.0`. */
function linkFlags(): string {
  const [major, minor] = KUBERNETES.split('.')
  const told = { gitVersion: `v${KUBERNETES}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' }
  const flags = Object.entries(told).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
  return ['-s', '-w', ...flags].join(' ')
}

function go(args: readonly string[]): Promise<void> {
  const child = spawn('go', args, {
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: BUILD_TIMEOUT_MS,
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (code === 0) resolve()
      else reject(new Error(signal === null ? `go build ended with ${code}` : `go build was ended by ${signal}`))
    })
  })
}

interface FoundProgram {
  readonly path: string
  readonly version: string
}

async function versionsOf(name: string, dirs: readonly string[]): Promise<FoundProgram[]> {
  const found: FoundProgram[] = []
  for (const dir of new Set(dirs)) {
    const path = join(dir, name)
    const version = await versionOf(path)
    if (version !== null) found.push({ path, version })
  }
  return found
}

const run = promisify(execFile)

async function versionOf(path: string): Promise<string | null> {
  try {
    await access(path, constants.X_OK)
    const { stdout } = await run(path, ['--version'], { timeout: VERSION_TIMEOUT_MS })
    return /(?:Kubernetes v|etcd Version: )(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null
  } catch {
    return null
  }
}

function isAtLeast(version: string, least: readonly number[]): boolean {
  const parts = version.split('.').map(Number)
  for (const [index, wanted] of least.entries()) {
    const part = parts[index] ?? 0
    if (part !== wanted) return part > wanted
  }
  return true
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await ensureClusterTools(console.log)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
