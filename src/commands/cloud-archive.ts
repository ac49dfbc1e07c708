import type { CloudAddress } from '../config/cloud-address.ts'
import { DEFAULT_STREAM } from '../config/cloud-address.ts'
import type { DemoConsole } from '../demo/demo.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { HistoryOutcome, HistoryRange, HistoryReach, HistorySink, HistorySource } from '../link/history-source.ts'
import { identityOf } from './node-identity.ts'

/**
 * How far clocks may be apart before the screen overlooks something, ms. Less than a command takes: the screen reads a
 * past page by page, and each page reads so much more of the stream on either side.
 */
const MARGIN_MS = 15 * 60_000

/**
 * The cloud as the screen reads it. The client of the bus is loaded with the first read: the first frame does not wait
 * for it. `clouds` is asked until it names some.
 */
export class CloudArchive implements HistorySource {
  readonly name = 'cloud'
  readonly #fleet: Fleet
  readonly #clouds: () => readonly CloudAddress[]
  #source: Promise<HistorySource> | null = null

  constructor(fleet: Fleet, clouds: () => readonly CloudAddress[]) {
    this.#fleet = fleet
    this.#clouds = clouds
  }

  async read(nodeKey: string, range: HistoryRange, sink: HistorySink, signal: AbortSignal): Promise<HistoryOutcome> {
    const clouds = this.#clouds()
    if (clouds.length === 0) return { ok: true, truncated: false }
    this.#source ??= this.#open(clouds)
    return (await this.#source).read(nodeKey, range, sink, signal)
  }

  reach(): Promise<HistoryReach | null> {
    return Promise.resolve(null)
  }

  async #open(clouds: readonly CloudAddress[]): Promise<HistorySource> {
    const { CloudHistorySource } = await import('../cloud/cloud-history.ts')
    return new CloudHistorySource({
      clouds,
      marginMs: MARGIN_MS,
      identify: (key) => {
        const identity = this.#fleet.nodeDetail(key, 'now', Date.now())?.identity
        return identity == null ? identityOf(key) : { node: identity.name, site: identity.site }
      },
    })
  }
}

/** The region that a demo's cloud end is; none while it starts, or where it is a small HTTP receiver. */
export function demoClouds({ controls }: Pick<DemoConsole, 'controls'>): readonly CloudAddress[] {
  const { kind, url } = controls.state().cloud
  return kind === 'nats' && url !== null ? [{ name: 'demo', servers: [url], stream: DEFAULT_STREAM }] : []
}
