import { request } from 'node:http'

/** What a node says it took in and sent so far: bytes of pictures, and bytes to the network by class. */
export interface SentSoFar {
  readonly rawBytes: number
  readonly byClass: Readonly<Record<string, number>>
}

/** The part of a run that is reported, scaled to `perBytes` of raw pictures. */
export interface SentShare {
  readonly rawBytes: number
  readonly byClass: Readonly<Record<string, number>>
  readonly totalBytes: number
  /** What the link counted on its way to the cloud: all classes but `telemetry`. */
  readonly linkBytes: number
}

/** Read a node's counters from its `/metrics`. @throws Error when it does not answer or tells no counters. */
export async function readSentBytes(inferUrl: string): Promise<SentSoFar> {
  const text = await get(new URL('/metrics', inferUrl))
  const raw = /^edge_raw_bytes_total (\d+)/m.exec(text)
  if (raw === null) throw new Error(`${inferUrl} tells no edge_raw_bytes_total`)
  const sent = text.matchAll(/^edge_upstream_sent_bytes_total\{class="(\w+)"\} (\d+)/gm)
  return {
    rawBytes: Number(raw[1]),
    byClass: Object.fromEntries(Array.from(sent, ([, name = '', bytes]) => [name, Number(bytes)])),
  }
}

/** What lies between two readings. @throws RangeError when no picture came in between. */
export function shareOf(
  before: SentSoFar & { readonly link: number },
  after: SentSoFar & { readonly link: number },
  perBytes: number,
): SentShare {
  const rawBytes = after.rawBytes - before.rawBytes
  if (rawBytes <= 0) throw new RangeError('no picture came in')
  const scaled = (bytes: number): number => Math.round((bytes * perBytes) / rawBytes)
  const byClass = Object.fromEntries(
    Object.entries(after.byClass).map(([name, bytes]) => [name, scaled(bytes - (before.byClass[name] ?? 0))]),
  )
  return {
    rawBytes,
    byClass,
    totalBytes: Object.values(byClass).reduce((sum, bytes) => sum + bytes, 0),
    linkBytes: scaled(after.link - before.link),
  }
}

function get(url: URL): Promise<string> {
  return new Promise((resolve, reject) => {
    request(url, { agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      answer.once('end', () => resolve(text)).once('error', reject)
    })
      .once('error', reject)
      .end()
  })
}
