import { messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { ChannelEnd, OutputName, RemoteChannel } from '../remote/contract.ts'
import type { KubeApi } from './kube-api.ts'
import type { ContainerName } from './pod-host.ts'
import { type PodLogEvent, podLogs } from './pod-logs.ts'

/** Lines to begin with. */
const TAIL = 1000

/** What a container writes, followed, as a channel that takes no input: lines with their times, safe to show. */
export function podLogChannel(api: KubeApi, container: ContainerName, signal: AbortSignal): RemoteChannel {
  const stop = new AbortController()
  const wish = { container, follow: true, sinceMs: null, tail: TAIL, previous: false }
  const events = podLogs(api, wish, AbortSignal.any([signal, stop.signal]))
  let listener: ((chunk: Buffer, output: OutputName) => void) | null = null
  let goOn: () => void = () => undefined
  let isPaused = false
  const { promise: ended, resolve } = Promise.withResolvers<ChannelEnd>()
  const read = async (): Promise<ChannelEnd> => {
    for await (const event of events) {
      if (isPaused) {
        await new Promise<void>((wake) => {
          goOn = wake
          stop.signal.addEventListener('abort', () => wake(), { once: true })
        })
      }
      if (!stop.signal.aborted)
        listener?.(Buffer.from(`${podLogText(event)}\n`), event.kind === 'line' ? 'stdout' : 'stderr')
    }
    return { kind: 'exited', code: 0, signal: null }
  }
  return {
    write: () => true,
    onDrain: () => undefined,
    endInput: () => undefined,
    resize: () => undefined,
    onOutput: (wanted) => {
      listener = wanted
      read().then(resolve, (error: unknown) => resolve({ kind: 'dropped', reason: untrusted(messageOf(error)) }))
    },
    pause: () => {
      isPaused = true
    },
    resume: () => {
      isPaused = false
      goOn()
    },
    close: () => {
      stop.abort()
      if (listener === null) resolve({ kind: 'dropped', reason: 'it was closed here' })
    },
    ended,
  }
}

/** One line of text, safe to show: time (UTC) and what was written, or what is to be known. */
export function podLogText(event: PodLogEvent): string {
  const time = event.atMs === null ? '' : `${new Date(event.atMs).toISOString()} `
  if (event.kind !== 'line') return `${time}----- ${event.text}`
  const cut = event.cutChars === 0 ? '' : ` … ${event.cutChars} characters more`
  return `${time}${untrusted(event.text)}${cut}`
}
