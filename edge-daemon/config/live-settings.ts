import { loadTable, type Values } from '../../settings/table.ts'
import { type DaemonConfig, SETTINGS } from './settings.ts'

const { cpuPct, diskPct, after, clearAfter } = SETTINGS.alerts

/**
 * Settings that a rollout may change while the node runs (requirement R6): what is abnormal and goes up, and from when on
 * an alert is one. All others are the node's own.
 */
export const LIVE_SETTINGS = { filter: SETTINGS.filter, alerts: { cpuPct, diskPct, after, clearAfter } } as const
/** @see LIVE_SETTINGS */
export type LiveValues = Values<typeof LIVE_SETTINGS>

/** What a package of configuration says, checked: only the settings that it names. */
export interface Overlay {
  /** Dotted paths, e.g. `filter.minConfidence`, with what a person would write. */
  readonly says: Readonly<Record<string, string>>
  /** Those settings over others. */
  over(base: LiveValues): LiveValues
}

/**
 * Read a package's YAML. Every value is read as in the node's own file, rules are compiled, and other settings than
 * {@link LIVE_SETTINGS} are refused.
 * @param name for messages
 * @throws EdgeError `CONFIG_INVALID` that lists every fault with its line
 */
export function readOverlay(text: string, name: string): Overlay {
  const cure = `a rollout may set: ${Object.entries(LIVE_SETTINGS)
    .flatMap(([group, keys]) => Object.keys(keys).map((key) => `${group}.${key}`))
    .join(', ')}`
  const table = { settings: LIVE_SETTINGS, variablePrefix: 'EDGE_', cure }
  const { config, entries } = loadTable(table, { file: { name, text }, env: {}, flags: {} })
  const named = entries.filter(({ origin }) => origin !== 'default')
  const keys = new Set(named.map(({ path }) => path))
  const pick = (group: 'filter' | 'alerts'): object =>
    Object.fromEntries(Object.entries(config[group]).filter(([key]) => keys.has(`${group}.${key}`)))
  return {
    says: Object.fromEntries(named.map(({ path, value }) => [path, value])),
    over: ({ filter, alerts }) => ({
      filter: { ...filter, ...pick('filter') },
      alerts: { ...alerts, ...pick('alerts') },
    }),
  }
}

/** The values in force: those that the node was set up with, and over them what a rollout brought. */
export class LiveSettings {
  readonly #base: LiveValues
  readonly #listeners: (() => void)[] = []
  #now: LiveValues

  constructor({ filter, alerts }: Pick<DaemonConfig, 'filter' | 'alerts'>) {
    this.#base = { filter, alerts }
    this.#now = this.#base
  }

  get filter(): LiveValues['filter'] {
    return this.#now.filter
  }

  get alerts(): LiveValues['alerts'] {
    return this.#now.alerts
  }

  /** Have an overlay in force from now on; null for none. */
  use(overlay: Overlay | null): void {
    this.#now = overlay === null ? this.#base : overlay.over(this.#base)
    for (const listener of this.#listeners) listener()
  }

  /** Called whenever other values are in force. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }
}
