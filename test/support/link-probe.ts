import type { LinkEvent } from '../../src/fleet/link-event.ts'
import { WebSocketLink, type WebSocketLinkOptions } from '../../src/link/websocket.ts'

/** A link that keeps every event, with waits on them. */
export class LinkProbe {
  readonly events: LinkEvent[] = []
  readonly link: WebSocketLink
  #wake: (() => void)[] = []

  constructor(url: string, { site, ...options }: Partial<WebSocketLinkOptions> & { readonly site?: string } = {}) {
    this.link = new WebSocketLink(
      { key: 'n1', url, ...(site === undefined ? {} : { site }) },
      {
        client: { name: 'test', version: '0' },
        interest: { status: true, alertBacklog: 10, logs: { filter: { level: 'debug' }, backlog: 10 } },
        backoff: { minMs: 20, maxMs: 80 },
        sink: (_key, event) => {
          this.events.push(event)
          for (const wake of this.#wake.splice(0)) wake()
        },
        ...options,
      },
    )
  }

  of<K extends LinkEvent['kind']>(kind: K): Extract<LinkEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<LinkEvent, { kind: K }> => event.kind === kind)
  }

  /** Types of the frames that came, in order. */
  frames(): string[] {
    return this.of('frame').map((event) => event.frame.t)
  }

  /** Log messages that came, in order. */
  logs(): string[] {
    return this.of('frame').flatMap(({ frame }) =>
      frame.t === 'rows' && frame.topic === 'logs' ? frame.rows.map((row) => row.msg) : [],
    )
  }

  /** Wait until something is so; looks again at every event. */
  async until(so: () => boolean, timeoutMs = 60_000): Promise<void> {
    const endMs = performance.now() + timeoutMs
    while (!so()) {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0)
        throw new Error(`not so after ${timeoutMs} ms: ${JSON.stringify(this.events.slice(-5)).slice(0, 800)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 50))
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }
}
