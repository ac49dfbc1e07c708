import type { Lane } from './origin.ts'

/** How container runtimes write lines. */
export type EnvelopeFormat = 'auto' | 'cri' | 'docker'

/** A line of a container, or a part of one, as its runtime wrote it. */
export interface Enveloped {
  /** Unix ms when the runtime got it; null when it says none. */
  readonly timestamp: number | null
  readonly lane: Lane
  /** Whether the line goes on in the next of the same stream. */
  readonly isPartial: boolean
  readonly text: string
}

const CRI =
  /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([^ ]{1,64}) ?([\s\S]*)$/

/**
 * Take a line out of its envelope: `time stream P|F text` of the CRI (containerd, CRI-O), or a JSON object
 * `{"log","stream","time"}` of Docker, where a line that goes on has no newline at its end. Null when it is neither.
 */
export function openEnvelope(line: string, format: EnvelopeFormat): Enveloped | null {
  if (format !== 'docker') {
    const cri = criLine(line)
    if (cri !== null || format === 'cri') return cri
  }
  return dockerLine(line)
}

function criLine(line: string): Enveloped | null {
  const match = CRI.exec(line)
  if (match === null) return null
  const [, time = '', stream, tags = '', text = ''] = match
  const isPartial = tags === 'P' || tags.startsWith('P:')
  return { timestamp: timeOf(time), lane: stream === 'stderr' ? 'E' : 'O', isPartial, text }
}

function dockerLine(line: string): Enveloped | null {
  if (!line.startsWith('{')) return null
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  const { log, stream, time } = value as { log?: unknown; stream?: unknown; time?: unknown }
  if (typeof log !== 'string') return null
  const isPartial = !log.endsWith('\n')
  return {
    timestamp: typeof time === 'string' ? timeOf(time) : null,
    lane: stream === 'stderr' ? 'E' : 'O',
    isPartial,
    text: isPartial ? log : log.slice(0, -1),
  }
}

function timeOf(text: string): number | null {
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? null : ms
}

/** The source of a container's log by the name of its file: `POD_NAMESPACE_CONTAINER-ID.log` → `namespace/pod/container`. */
export function containerSource(fileName: string): string | null {
  const match = /^([^_]{1,253})_([^_]{1,253})_(.{1,253})-[0-9a-f]{64}\.log$/.exec(fileName)
  if (match === null) return null
  const [, pod, namespace, container] = match
  return `${namespace}/${pod}/${container}`
}
