import type { Readable } from 'node:stream'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { KubeApi } from './kube-api.ts'
import { LogPosition } from './log-position.ts'
import type { ContainerName } from './pod-host.ts'
import { linesOf, type StampedLine } from './pod-log-lines.ts'
import { containerLabel, containersOfPod, type PodContainer } from './pods.ts'

/** What is wanted of a container's log. */
export interface PodLogWish {
  readonly container: ContainerName
  readonly follow: boolean
  /** Unix ms; null for the beginning. */
  readonly sinceMs: number | null
  /** The newest that many lines to begin with; null for all. */
  readonly tail: number | null
  /** Of the run before this one; that is not followed. */
  readonly previous: boolean
}

/** What comes of a log: lines, what is good to know, and where lines are missing. Texts but that of a line are safe to show. */
export type PodLogEvent =
  | ({ readonly kind: 'line' } & StampedLine)
  | { readonly kind: 'note' | 'gap'; readonly atMs: number; readonly text: string }

/** Times of following, ms. */
export interface PodLogTimes {
  readonly retryMs: number
  readonly maxRetryMs: number
  /** A stream on which nothing comes for so long is asked for anew: a link that died is quiet too. */
  readonly quietMs: number
}

export const POD_LOG_TIMES: PodLogTimes = { retryMs: 500, maxRetryMs: 10_000, quietMs: 120_000 }

type Query = Readonly<Record<string, string>>

/**
 * Read a container's log, and follow it over restarts of the container and broken connections: it goes on behind the last line
 * that came, and says where lines are missing. Ends when the pod does, and when `signal` aborts.
 * @throws EdgeError when it cannot be read at all
 */
export async function* podLogs(
  api: KubeApi,
  wish: PodLogWish,
  signal: AbortSignal,
  times: PodLogTimes = POD_LOG_TIMES,
): AsyncGenerator<PodLogEvent> {
  const reader = new PodLogReader(api, wish, signal, times)
  yield* wish.follow && !wish.previous ? reader.follow() : reader.once()
}

class PodLogReader {
  readonly #api: KubeApi
  readonly #wish: PodLogWish
  readonly #signal: AbortSignal
  readonly #times: PodLogTimes
  readonly #position = new LogPosition()
  /** Where to begin as long as no line came. */
  readonly #begin: Query
  /** How often the container had been started again when its stream was opened; null where that may not be seen. */
  #restarts: number | null = null
  /** How the last stream ended: as the log does, broken off, or given up since it was quiet. */
  #ending: 'whole' | 'broken' | 'quiet' = 'whole'

  constructor(api: KubeApi, wish: PodLogWish, signal: AbortSignal, times: PodLogTimes) {
    this.#api = api
    this.#wish = wish
    this.#signal = signal
    this.#times = times
    const fromMs = wish.sinceMs ?? (wish.tail === 0 ? Date.now() : null)
    this.#begin = fromMs === null ? {} : { sinceTime: new Date(fromMs).toISOString().replace(/\.\d+Z$/, 'Z') }
  }

  async *once(): AsyncGenerator<PodLogEvent> {
    const which = this.#wish.previous ? { previous: 'true' } : {}
    yield* this.#lines(await this.#open({ ...this.#first(), ...which }), false)
  }

  async *follow(): AsyncGenerator<PodLogEvent> {
    this.#restarts = (await this.#look())?.restarts ?? null
    yield* this.#stream(await this.#open({ ...this.#first(), follow: 'true' }), false)
    let retryMs = this.#times.retryMs
    while (!this.#signal.aborted) {
      await pause(retryMs, this.#signal)
      if (this.#signal.aborted) return
      const before = this.#position.stamp
      if ((yield* this.#goOn()) === 'over') return
      // A container that is not started again yet gives its old log to whoever asks, and no more.
      const hasMoved = this.#position.stamp !== before
      retryMs = hasMoved ? this.#times.retryMs : Math.min(retryMs * 2, this.#times.maxRetryMs)
    }
  }

  /** Read on behind the last line. */
  async *#goOn(): AsyncGenerator<PodLogEvent, 'over' | 'again'> {
    try {
      const now = await this.#look()
      if (now?.isOver === true && this.#ending === 'whole') {
        yield note(`the pod has ended: ${containerLabel(now)}`)
        return 'over'
      }
      const runs = now === null || this.#restarts === null ? null : now.restarts - this.#restarts
      if (now !== null && runs !== null && runs > 0) {
        yield* this.#runBefore(runs)
        yield note(`${containerLabel(now)} was started again`)
        this.#restarts = now.restarts
      }
      yield* this.#stream(await this.#open({ ...this.#since(), follow: 'true' }), runs === 0)
      return 'again'
    } catch (error) {
      if (this.#signal.aborted) return 'over'
      // What cannot be reached may be there again; what says no will say it again, but for a container that only waits.
      if (!(error instanceof EdgeError) || error.kind !== 'user') return 'again'
      if (error.code === 'POD_UNUSABLE' && (await this.#look().catch(() => null)) !== null) return 'again'
      yield note(`the log has ended: ${error.message}`)
      return 'over'
    }
  }

  /** The end of the run that was followed; it is kept until the container is started once more. */
  async *#runBefore(runs: number): AsyncGenerator<PodLogEvent> {
    if (runs > 1) {
      const text = `${containerLabel(this.#wish.container)} was started ${runs} times; only its last two runs are kept`
      yield { kind: 'gap', atMs: Date.now(), text }
    }
    const wasWhole = this.#ending === 'whole'
    const rest = await this.#open({ ...this.#since(), previous: 'true' }).catch(() => null)
    let isKept = rest !== null
    if (rest !== null) {
      for await (const event of this.#stream(rest, runs === 1)) {
        // Instead of a run that it has not any more a kubelet gives a sentence of its own.
        if (event.kind === 'line' && event.stamp === '') isKept = false
        else yield event
      }
    }
    if (!isKept && !wasWhole) yield { kind: 'gap', atMs: Date.now(), text: 'the end of the run before is not kept' }
  }

  /** Hand over a stream to its end, and say why it broke off when it did. */
  async *#stream(stream: Readable, mustJoin: boolean): AsyncGenerator<PodLogEvent> {
    const quiet = setTimeout(() => stream.destroy(new QuietStream()), this.#times.quietMs)
    try {
      for await (const event of this.#lines(stream, mustJoin)) {
        quiet.refresh()
        yield event
      }
      this.#ending = 'whole'
    } catch (error) {
      if (this.#signal.aborted) return
      this.#ending = error instanceof QuietStream ? 'quiet' : 'broken'
      if (this.#ending === 'broken') yield note(`the log broke off: ${untrusted(messageOf(error)).slice(0, 200)}`)
    } finally {
      clearTimeout(quiet)
    }
  }

  /** Lines behind those that came already. With `mustJoin` the last of them has to be seen again, else some are missing. */
  async *#lines(stream: Readable, mustJoin: boolean): AsyncGenerator<PodLogEvent> {
    const joint = this.#position.joint()
    const wasBroken = this.#ending === 'broken'
    let isJoined = !mustJoin
    for await (const line of linesOf(stream)) {
      const isKnown = joint.isKnown(line)
      if (!isJoined && line.stamp !== '' && (joint.isWhole || !isKnown)) {
        isJoined = true
        if (!joint.isWhole)
          yield {
            kind: 'gap',
            atMs: line.atMs ?? Date.now(),
            text: 'lines before this one were thrown away on the node',
          }
        else if (wasBroken) yield note('the log goes on, and no line is missing')
      }
      if (isKnown) continue
      this.#position.advance(line)
      yield { kind: 'line', ...line }
    }
  }

  #first(): Query {
    return { ...this.#begin, ...(this.#wish.tail === null ? {} : { tailLines: String(this.#wish.tail) }) }
  }

  #since(): Query {
    const { second } = this.#position
    return second === null ? this.#begin : { sinceTime: second }
  }

  #open(query: Query): Promise<Readable> {
    const { namespace, pod, name } = this.#wish.container
    return this.#api.stream({
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`,
      query: { container: name, timestamps: 'true', ...query },
      asked: { verb: 'get', resource: 'pods/log', namespace, what: containerLabel(this.#wish.container) },
      signal: this.#signal,
    })
  }

  /** How the container stands; null where that may not be seen. @throws EdgeError for a pod that is gone, or no answer */
  async #look(): Promise<PodContainer | null> {
    try {
      const all = await containersOfPod(this.#api, this.#wish.container, this.#signal)
      return all.find(({ name }) => name === this.#wish.container.name) ?? null
    } catch (error) {
      if (error instanceof EdgeError && error.code === 'RIGHT_MISSING') return null
      throw error
    }
  }
}

/** Nothing came; it is asked for anew. */
class QuietStream extends Error {}

function note(text: string): PodLogEvent {
  return { kind: 'note', atMs: Date.now(), text }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
