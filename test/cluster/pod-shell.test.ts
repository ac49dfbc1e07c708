import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { EdgeError } from '../../protocol/errors.ts'
import { PodHost } from '../../src/kube/pod-host.ts'
import { NOBODY_TO_ASK } from '../../src/remote/contract.ts'
import { hear } from '../support/channel.ts'
import type { ClusterUser } from '../support/cluster/cluster.ts'
import { IMAGES } from '../support/cluster/images.ts'
import { admin, kubeApi, ShellReader } from '../support/cluster/kube.ts'
import { allow, createNamespace, createPod, podUntil, removePod, runs } from '../support/cluster/pods.ts'
import { type TcpLink, tcpLink } from '../support/tcp-link.ts'

const NAMESPACE = 'vision'
const CAMERA = { namespace: NAMESPACE, pod: 'camera' } as const
const TERMINAL = { term: 'xterm-256color', size: { columns: 101, rows: 37 } }

const links: TcpLink[] = []

/** A way to the API server that can be cut. */
async function toCluster(): Promise<TcpLink> {
  const link = await tcpLink(Number(new URL(inject('cluster').server).port))
  links.push(link)
  return link
}

const hostOf = (name: string, user: ClusterUser | 'admin' = 'admin'): PodHost =>
  new PodHost(kubeApi(user), { ...CAMERA, name }, NOBODY_TO_ASK)

beforeAll(async () => {
  const api = admin()
  await createNamespace(api, NAMESPACE)
  const containers = [{ name: 'app', image: IMAGES.bash }, { name: 'small' }, { name: 'bare', image: IMAGES.bare }]
  await createPod(api, { namespace: NAMESPACE, name: 'camera', containers })
  await podUntil(api, { namespace: NAMESPACE, name: 'camera' }, runs)
  await allow(api, { namespace: NAMESPACE, user: 'mia', may: { 'pods/exec': ['create', 'get'] } })
  await allow(api, { namespace: NAMESPACE, user: 'ola', may: { 'pods/exec': ['get'] } })
  await allow(api, { namespace: NAMESPACE, user: 'noah', may: { pods: ['list', 'get'], 'pods/log': ['get'] } })
})

afterAll(async () => {
  for (const link of links) await link[Symbol.asyncDispose]()
  await admin().remove(`/api/v1/namespaces/${NAMESPACE}`)
})

describe('a shell in a container', () => {
  it('is bash where it is there, on a terminal of the size that was told, also after it changed', async () => {
    const channel = await hostOf('app').openShell(TERMINAL)
    const shell = new ShellReader(channel)
    shell.type('echo $TERM/$BASH; stty size\n')
    expect(await shell.until(/\n37 101/)).toContain('xterm-256color/')
    channel.resize({ columns: 64, rows: 20 })
    shell.type('stty size\n')
    await shell.until(/20 64/)
    shell.type('exit 7\n')
    expect(await channel.ended).toEqual({ kind: 'exited', code: 7, signal: null })
  })

  it('is sh where there is no bash; ctrl-c ends what runs in it, and its text comes whole', async () => {
    const channel = await hostOf('small').openShell(TERMINAL)
    const shell = new ShellReader(channel)
    shell.type('echo "$(echo grün-日本)"; sleep 1000; echo after-$?\n')
    await shell.until(/\ngrün-日本/)
    shell.type('\u0003')
    // The terminal forgets what was typed ahead of a ctrl-c.
    await shell.until(/\^C[\s\S]*# /)
    shell.type('\u0004')
    expect(await channel.ended).toMatchObject({ kind: 'exited' })
  })

  it('is refused with a cure where the container has none', async () => {
    const failure = await hostOf('bare')
      .openShell(TERMINAL)
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(EdgeError)
    expect(failure).toMatchObject({
      code: 'POD_UNUSABLE',
      message: 'vision/camera (bare) has no shell: neither bash nor sh is in it',
    })
    expect((failure as EdgeError).next.join('\n')).toContain('kubectl debug -it -n vision camera')
  })

  it('is refused where there is no such container or pod', async () => {
    await expect(hostOf('nobody').openShell(TERMINAL)).rejects.toMatchObject({
      code: 'POD_UNUSABLE',
      message: expect.stringContaining('nobody'),
    })
    const gone = new PodHost(kubeApi(), { namespace: NAMESPACE, pod: 'gone', name: 'app' }, NOBODY_TO_ASK)
    await expect(gone.openShell(TERMINAL)).rejects.toMatchObject({
      code: 'POD_UNUSABLE',
      message: expect.stringContaining('pods "gone" not found'),
    })
  })

  it('ends as what it is when the pod is removed', async () => {
    const pod = { namespace: NAMESPACE, name: 'short-lived' }
    await createPod(admin(), { ...pod, containers: [{ name: 'app' }] })
    await podUntil(admin(), pod, runs)
    const host = new PodHost(kubeApi(), { namespace: NAMESPACE, pod: pod.name, name: 'app' }, NOBODY_TO_ASK)
    const channel = await host.openShell(TERMINAL)
    new ShellReader(channel).type('echo here\n')
    const [end] = await Promise.all([channel.ended, removePod(admin(), pod)])
    // The kernel's word, where the server still passes it on; else the connection is what ended.
    expect(end.kind === 'exited' ? end.code : end.reason).toSatisfy((what) => what === 137 || typeof what === 'string')
  })
})

describe('a command in a container', () => {
  it('gives both outputs apart, and its exit code', async () => {
    const heard = await hear(await hostOf('small').run('echo out; echo err >&2; exit 7'))
    expect(heard.end).toEqual({ kind: 'exited', code: 7, signal: null })
    expect([heard.stdout.toString(), heard.stderr.toString()]).toEqual(['out\n', 'err\n'])
  })

  it('hears that its input is at its end: a megabyte goes there and comes back, byte for byte', async () => {
    const bytes = randomBytes(1024 * 1024)
    const channel = await hostOf('small').run('cat')
    const heard = hear(channel)
    for (let from = 0; from < bytes.length; from += 50_000) {
      if (!channel.write(bytes.subarray(from, from + 50_000))) {
        await new Promise<void>((resolve) => channel.onDrain(resolve))
      }
    }
    channel.endInput()
    const { stdout, end } = await heard
    expect(end).toEqual({ kind: 'exited', code: 0, signal: null })
    expect(stdout.equals(bytes)).toBe(true)
  })

  it('waits while nobody reads, and goes on', async () => {
    const channel = await hostOf('small').run('head -c 30000000 /dev/zero; echo done >&2')
    let bytes = 0
    let hasEnded = false
    let pauses = 0
    channel.onOutput((chunk, output) => {
      if (output === 'stderr') hasEnded = true
      else bytes += chunk.length
      if (output === 'stdout' && pauses === 0) {
        pauses += 1
        channel.pause()
      }
    })
    await expect.poll(() => pauses).toBe(1)
    // What the sockets and the runtime between hold is some megabytes; a program that ran on would be through.
    const held = bytes
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(bytes).toBe(held)
    expect(hasEnded).toBe(false)
    channel.resume()
    expect(await channel.ended).toEqual({ kind: 'exited', code: 0, signal: null })
    expect(bytes).toBe(30_000_000)
  })

  it('says that there is no shell to give it to', async () => {
    const { end } = await hear(await hostOf('bare').run('true'))
    expect(end).toMatchObject({ kind: 'dropped', reason: expect.stringContaining('"sh"') })
  })

  it('is broken off when its host is closed', async () => {
    const host = hostOf('small')
    const channel = await host.run('sleep 1000')
    channel.onOutput(() => undefined)
    await host.close()
    expect(await channel.ended).toMatchObject({ kind: 'dropped' })
  })
})

describe('what the cluster allows', () => {
  it.each([
    ['noah', 'get', 'noah'],
    // Of the second verb that a WebSocket wants the server says neither whose nor which it is.
    ['ola', 'create', 'the user of the Kubernetes context test'],
  ] as const)('tells %s that "%s" is missing for a shell, and how to look', async (user, verb, told) => {
    const failure = (await hostOf('app', user)
      .openShell(TERMINAL)
      .catch((error: unknown) => error)) as EdgeError
    expect(failure.code).toBe('RIGHT_MISSING')
    expect(failure.message).toBe(`${told} may not ${verb} pods/exec in namespace vision`)
    expect(failure.next[0]).toBe(`look with kubectl --context test auth can-i ${verb} pods/exec -n vision`)
  })

  it('opens one for a user that has no other right', async () => {
    const heard = await hear(await hostOf('app', 'mia').run('echo in'))
    expect(heard.stdout.toString()).toBe('in\n')
  })
})

describe('a connection through a network', () => {
  it('is kept while it is quiet, and given up in bounded time when the other end is silent', async () => {
    const cable = await toCluster()
    const api = kubeApi('admin', `https://127.0.0.1:${cable.port}`)
    const times = { pingEveryMs: 100, silenceMs: 1000 }
    const host = new PodHost(api, { ...CAMERA, name: 'small' }, NOBODY_TO_ASK, times)
    const channel = await host.run('sleep 2; echo quiet; cat')
    const shell = new ShellReader(channel)
    // Twice the silence that is borne: only answers to pings keep it.
    await shell.until(/quiet/)
    cable.hang()
    expect(await channel.ended).toEqual({ kind: 'dropped', reason: 'nothing came for 1 s' })
  })

  it('that is cut is no exit of the command', async () => {
    const cable = await toCluster()
    const api = kubeApi('admin', `https://127.0.0.1:${cable.port}`)
    const channel = await new PodHost(api, { ...CAMERA, name: 'small' }, NOBODY_TO_ASK).run('echo up; cat')
    const shell = new ShellReader(channel)
    await shell.until(/up/)
    cable.cut()
    expect(await channel.ended).toMatchObject({ kind: 'dropped' })
  })

  it('that nobody answers says which server, and what to try', async () => {
    const failure = await new PodHost(
      kubeApi('admin', 'https://127.0.0.1:1'),
      { ...CAMERA, name: 'app' },
      NOBODY_TO_ASK,
    )
      .openShell(TERMINAL)
      .catch((error: unknown) => error)
    expect((failure as EdgeError).toLine()).toBe(
      'KUBE_UNREACHABLE: the API server https://127.0.0.1:1 of the Kubernetes context test does not answer: connect ' +
        'ECONNREFUSED 127.0.0.1:1 → try kubectl --context test get --raw /readyz',
    )
  })
})
