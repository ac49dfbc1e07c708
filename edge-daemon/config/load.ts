import { EdgeError } from '../../protocol/errors.ts'
import {
  type ConfigSources,
  type LoadedTable,
  loadTable,
  variableOf as named,
  pathsOf,
  type Setting,
} from '../../settings/table.ts'
import { isPlainAway, withoutCredentials } from './plain-uplinks.ts'
import { type DaemonConfig, SETTINGS } from './settings.ts'

export type { ConfigEntry, ConfigSources } from '../../settings/table.ts'
/** The configuration in force and where each value is from. */
export type LoadedConfig = LoadedTable<typeof SETTINGS>

const ENV_PREFIX = 'EDGE_'

/** Every setting with its dotted path, in the order of the table. */
export function settingPaths(): { path: string; setting: Setting<unknown> }[] {
  return pathsOf(SETTINGS)
}

/** Environment variable of a key: `control.listen` → `EDGE_CONTROL_LISTEN`. */
export function variableOf(path: string): string {
  return named(path, ENV_PREFIX)
}

/**
 * Merge defaults, file, environment and command line, later ones winning.
 * @throws EdgeError `CONFIG_INVALID` that lists every fault with its line and what to write instead, or
 * `CONFIG_UNSERVABLE` for values that cannot be meant together.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const cure = 'edge-daemon --print-config shows every key and what is in force'
  const loaded = loadTable({ settings: SETTINGS, variablePrefix: ENV_PREFIX, cure }, sources)
  refuseContradictions(loaded.config)
  return loaded
}

/** Values that are good each and cannot be meant together. @throws EdgeError `CONFIG_UNSERVABLE`. */
function refuseContradictions({ upstream }: DaemonConfig): void {
  if (upstream.nats.servers.length > 0 && upstream.regions.length > 0) {
    throw new EdgeError('CONFIG_UNSERVABLE', {
      message: 'upstream.nats.servers and upstream.regions are both set: one stream could be sent everything twice',
      next: ['name those servers as a region of upstream.regions and leave upstream.nats.servers out'],
    })
  }
  const { url } = upstream.http
  if (url !== null && !upstream.insecure && isPlainAway(url)) {
    throw new EdgeError('CONFIG_UNSERVABLE', {
      message: `upstream.http.url ${withoutCredentials(url)} would send everything in plain over the network`,
      next: ['use https://', 'or, where the network is protected otherwise, set upstream.insecure: true'],
    })
  }
}
