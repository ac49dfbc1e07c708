import type { LogRecord } from '../../protocol/records.ts'
import type { ContainerEvent, ContainerLog, LogBegin } from '../remote/contract.ts'
import { LineReader } from './container-line.ts'
import type { KubeApi } from './kube-api.ts'
import { podLogs } from './pod-logs.ts'
import type { PodContainer } from './pods.ts'

/** The log of a container as the API server gives it. */
export function containerLog(api: KubeApi, container: PodContainer): ContainerLog {
  const { namespace, pod, name } = container
  const source = `${namespace}/${pod}/${name}`
  const events = (
    follow: boolean,
    { sinceMs, tail }: LogBegin,
    signal: AbortSignal,
  ): AsyncGenerator<ContainerEvent> => {
    const wish = { container, follow, sinceMs, tail, previous: false }
    // From a whole second on the lines are those of any other reading; a tail begins anywhere.
    return eventsOf(podLogs(api, wish, signal), new LineReader(source, tail !== null))
  }
  return {
    follow: (from, signal) => events(true, from, signal),
    read: async function* (from, signal): AsyncGenerator<LogRecord> {
      for await (const event of events(false, from, signal)) if (event.kind === 'line') yield event.record
    },
  }
}

async function* eventsOf(events: ReturnType<typeof podLogs>, reader: LineReader): AsyncGenerator<ContainerEvent> {
  for await (const event of events) {
    if (event.kind !== 'line') yield event
    else {
      const read = reader.take(event)
      if (read !== null) yield read
    }
  }
}
