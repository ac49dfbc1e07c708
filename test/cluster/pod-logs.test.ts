import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { EdgeError } from '../../protocol/errors.ts'
import { type PodLogEvent, type PodLogWish, podLogs } from '../../src/kube/pod-logs.ts'
import { PodPlaces } from '../../src/kube/pod-places.ts'
import { userConfig } from '../support/cluster/cluster.ts'
import { admin, kubeApi } from '../support/cluster/kube.ts'
import { allow, createNamespace, createPod, podUntil, removePod, runs } from '../support/cluster/pods.ts'
import { tcpLink } from '../support/tcp-link.ts'

const NAMESPACE = 'lines'
const TICKER = 'i=0; while :; do i=$((i+1)); echo tick $i; usleep 20000; done'
/** Each run says its number, from a file that outlives none: the time it began, in ns. */
const ENDING = 'run=$(date +%s%N); for i in 1 2 3; do echo $run $i; done; sleep 1; echo $run last; exit 3'

const containerOf = (pod: string, name: string) => ({ namespace: NAMESPACE, pod, name })
const wish = (pod: string, name: string, more: Partial<PodLogWish> = {}): PodLogWish => ({
  container: containerOf(pod, name),
  follow: false,
  sinceMs: null,
  tail: null,
  previous: false,
  ...more,
})
const TIMES = { retryMs: 50, maxRetryMs: 500, quietMs: 60_000 }

async function all(events: AsyncGenerator<PodLogEvent>): Promise<PodLogEvent[]> {
  const read: PodLogEvent[] = []
  for await (const event of events) read.push(event)
  return read
}

const textsOf = (events: readonly PodLogEvent[]): string[] =>
  events.flatMap((event) => (event.kind === 'line' ? [event.text] : []))

beforeAll(async () => {
  const api = admin()
  await createNamespace(api, NAMESPACE)
  await createPod(api, {
    namespace: NAMESPACE,
    name: 'two',
    containers: [
      { name: 'ticker', command: ['sh', '-c', TICKER] },
      { name: 'ending', command: ['sh', '-c', ENDING] },
    ],
  })
  await podUntil(
    api,
    { namespace: NAMESPACE, name: 'two' },
    ({ status }) => (status.containerStatuses ?? []).length === 2,
  )
  await podUntil(
    api,
    { namespace: NAMESPACE, name: 'two' },
    ({ status }) => (status.containerStatuses?.find(({ name }) => name === 'ending')?.restartCount ?? 0) > 0,
  )
  await allow(api, {
    namespace: NAMESPACE,
    user: 'mia',
    may: { pods: ['get', 'list'], 'pods/exec': ['create', 'get'] },
  })
})

afterAll(async () => {
  await admin().remove(`/api/v1/namespaces/${NAMESPACE}`)
})

describe('the log of a container', () => {
  it('is read with the times of its lines: the newest ones, since a time, of the run before', async () => {
    const signal = AbortSignal.timeout(30_000)
    const newest = await all(podLogs(kubeApi(), wish('two', 'ticker', { tail: 5 }), signal))
    expect(newest).toHaveLength(5)
    const [first] = newest
    expect(first).toMatchObject({ kind: 'line', text: expect.stringMatching(/^tick \d+$/), cutChars: 0 })
    expect(Math.abs((first?.atMs ?? 0) - Date.now())).toBeLessThan(60_000)

    const sinceMs = Date.now() - 2000
    const since = await all(podLogs(kubeApi(), wish('two', 'ticker', { sinceMs }), signal))
    expect(since.length).toBeGreaterThan(10)
    expect(since[0]?.atMs).toBeGreaterThanOrEqual(Math.floor(sinceMs / 1000) * 1000)

    const before = textsOf(await all(podLogs(kubeApi(), wish('two', 'ending', { previous: true }), signal)))
    expect(before.map((text) => text.split(' ')[1])).toEqual(['1', '2', '3', 'last'])
  })

  it('is followed over restarts of its container, every line once and in order', async () => {
    const stop = AbortSignal.timeout(90_000)
    const read: PodLogEvent[] = []
    for await (const event of podLogs(kubeApi(), wish('two', 'ending', { follow: true }), stop, TIMES)) {
      read.push(event)
      const lasts = textsOf(read).filter((text) => text.endsWith('last')).length
      if (lasts === 3) break
    }
    const byRun = Map.groupBy(textsOf(read), (text) => text.split(' ')[0])
    for (const lines of byRun.values()) expect(lines.map((text) => text.split(' ')[1])).toEqual(['1', '2', '3', 'last'])
    expect(byRun.size).toBe(3)
    expect(read.filter(({ kind }) => kind === 'gap')).toEqual([])
    expect(read.filter(({ kind }) => kind === 'note').length).toBeGreaterThanOrEqual(2)
  })

  it('goes on behind the last line when the connection was lost, and says so', async () => {
    await using link = await tcpLink(Number(new URL(inject('cluster').server).port))
    const api = kubeApi('admin', `https://127.0.0.1:${link.port}`)
    const read: PodLogEvent[] = []
    let isCut = false
    for await (const event of podLogs(
      api,
      wish('two', 'ticker', { follow: true, tail: 20 }),
      AbortSignal.timeout(60_000),
      TIMES,
    )) {
      read.push(event)
      if (read.length === 40 && !isCut) {
        isCut = true
        link.cut()
        setTimeout(() => void link.mend(), 1500)
      }
      if (read.length > 200) break
    }
    const numbers = textsOf(read).map((text) => Number(text.split(' ')[1]))
    const [first = 0] = numbers
    expect(numbers).toEqual(numbers.map((_, index) => first + index))
    const notes = read.flatMap((event) => (event.kind === 'line' ? [] : [event.text]))
    expect(notes).toEqual([expect.stringContaining('broke off'), 'the log goes on, and no line is missing'])
  })

  it('that is quiet is asked for anew without a word', async () => {
    const read: PodLogEvent[] = []
    const stop = AbortSignal.timeout(4000)
    await createPod(admin(), {
      namespace: NAMESPACE,
      name: 'quiet',
      containers: [{ name: 'one', command: ['sh', '-c', 'echo once; sleep 1000'] }],
    })
    await podUntil(admin(), { namespace: NAMESPACE, name: 'quiet' }, runs)
    for await (const event of podLogs(kubeApi(), wish('quiet', 'one', { follow: true }), stop, {
      ...TIMES,
      quietMs: 300,
    }))
      read.push(event)
    expect(read).toMatchObject([{ kind: 'line', text: 'once' }])
  })

  it('ends with the pod', async () => {
    const pod = { namespace: NAMESPACE, name: 'leaving' }
    await createPod(admin(), { ...pod, containers: [{ name: 'one', command: ['sh', '-c', TICKER] }] })
    await podUntil(admin(), pod, runs)
    const read: PodLogEvent[] = []
    for await (const event of podLogs(
      kubeApi(),
      wish('leaving', 'one', { follow: true }),
      AbortSignal.timeout(60_000),
      TIMES,
    )) {
      read.push(event)
      if (read.length === 10) await removePod(admin(), pod)
    }
    expect(read.at(-1)).toMatchObject({
      kind: 'note',
      text: expect.stringMatching(/the log has ended|the pod has ended/),
    })
  })

  it('names the verb that is missing, and a container that is not there', async () => {
    const signal = AbortSignal.timeout(10_000)
    const refused = (await all(podLogs(kubeApi('mia'), wish('two', 'ticker'), signal)).catch(
      (error: unknown) => error,
    )) as EdgeError
    expect(refused.message).toBe('mia may not get pods/log in namespace lines')
    expect(refused.next[0]).toContain('auth can-i get pods/log -n lines')
    await expect(all(podLogs(kubeApi(), wish('two', 'nobody'), signal))).rejects.toMatchObject({ code: 'POD_UNUSABLE' })
  })
})

describe('the pods of a node', () => {
  const placesAs = (user: 'admin' | 'mia' | 'pia', namespace: string | null = null): PodPlaces => {
    const cluster = inject('cluster')
    const config = user === 'admin' ? cluster.adminConfig : userConfig(cluster, user)
    return new PodPlaces({ config, context: null, namespace }, { env: {}, home: '/nowhere', baseDir: '/' })
  }
  const node = { key: 'plant-a/press', url: null, kubeNode: 'press-1' }

  it('are listed container by container with what each does, those that run first', async () => {
    const { places, faults } = await placesAs('admin', NAMESPACE).of(node, AbortSignal.timeout(10_000))
    expect(faults).toEqual([])
    expect(places[0]).toMatchObject({ how: 'pod', detail: 'container, running, localhost/busybox:1' })
    expect(places.map(({ label }) => label)).toContain('lines/two (ticker)')
    const ending = places.find(({ label }) => label === 'lines/two (ending)')
    expect(ending?.detail).toMatch(
      /container, (waiting: CrashLoopBackOff|running|ended with 3.*), \d+ restarts?, localhost/,
    )
    expect(await placesAs('admin').of({ key: 'nobody', url: null }, AbortSignal.timeout(10_000))).toEqual({
      places: [],
      faults: [],
    })
  })

  it('are not to be seen by whoever lacks the verb, which is named', async () => {
    const { places, faults } = await placesAs('pia').of(node, AbortSignal.timeout(10_000))
    expect(places).toEqual([])
    expect(faults).toEqual([expect.stringContaining('RIGHT_MISSING: pia may not list pods in all namespaces')])
    expect(faults[0]).toContain('kubectl --context test auth can-i list pods -A')
    const own = await placesAs('mia', NAMESPACE).of(node, AbortSignal.timeout(10_000))
    expect(own.places.length).toBeGreaterThan(0)
  })

  it('give their logs as records, whose numbers are the same however they are read', async () => {
    const signal = AbortSignal.timeout(30_000)
    const { places } = await placesAs('admin', NAMESPACE).of(node, signal)
    const log = places.find(({ label }) => label === 'lines/two (ticker)')?.log
    if (log === undefined) throw new Error('no log')
    const followed = new Map<number, string>()
    for await (const event of log.follow({ sinceMs: null, tail: 50 }, signal)) {
      if (event.kind === 'line') followed.set(event.record.seq, event.record.msg)
      if (followed.size === 100) break
    }
    const read = new Map<number, string>()
    for await (const { seq, msg, source, timestamp } of log.read({ sinceMs: null, tail: null }, signal)) {
      read.set(seq, msg)
      expect(source).toBe('lines/two/ticker')
      expect(timestamp).toBeLessThan(Date.now() + 60_000)
    }
    const numbers = [...followed.values()].map((msg) => Number(msg.replace('tick ', '')))
    expect(numbers).toEqual(numbers.map((_, at) => (numbers[0] ?? 0) + at))
    for (const [seq, msg] of followed) expect(read.get(seq)).toBe(msg)
  })
})
