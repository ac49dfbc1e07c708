import { AlertKeeper, type AlertKeeperOptions } from './alert-keeper.ts'
import { AlertWatch } from './alert-watch.ts'
import type { DaemonConfig } from './config/settings.ts'
import { AlertRules } from './health/alert-rules.ts'
import type { HostMeter } from './health/host.ts'
import type { InferenceMeters } from './inference/meters.ts'
import type { Logger } from './logs/logger.ts'
import type { NodeConditions } from './node-conditions.ts'
import type { Standing } from './standing.ts'
import type { Store } from './store/store.ts'
import type { Outbound } from './uplinks.ts'

/** What the local alerts are made of. */
export interface AlertParts {
  /** Asked at every look. */
  readonly thresholds: () => DaemonConfig['alerts']
  readonly sources: {
    readonly meters: InferenceMeters
    readonly host: HostMeter
    readonly outbound: Pick<Outbound, 'targets'>
    readonly store: Store
    readonly conditions: NodeConditions
    readonly standing: Standing
  }
  readonly log: Logger
  /** An alert that the disk refused. */
  readonly onRefused: AlertKeeperOptions['onRefused']
}

/** Go on with the alerts that fired before the start, and watch for others. */
export async function startAlerts({ thresholds, sources, log, onRefused }: AlertParts): Promise<AlertWatch> {
  const { meters, host, outbound, store, conditions, standing } = sources
  const rules = new AlertRules(() => {
    const { cpuPct, latency, diskPct, after, clearAfter } = thresholds()
    return { cpuPct, latencyMs: latency, diskPct, afterMs: after, clearAfterMs: clearAfter }
  })
  const keeper = new AlertKeeper({ store, onRefused })
  rules.resume(await keeper.stillFiring())
  const watch = new AlertWatch({
    rules,
    inputs: () => ({
      at: Date.now(),
      ...host.sample(),
      latency: meters.latency().total,
      uplinks: outbound.targets(),
      store: store.status(),
      certificate: standing.ending(),
    }),
    onLook: () => {
      conditions.look()
      keeper.retry()
    },
    onChange: (alert) => {
      log[alert.state === 'firing' ? 'warn' : 'info'](`alert.${alert.state}`, `${alert.rule}: ${alert.msg}`, {
        rule: alert.rule,
      })
      keeper.keep(alert)
    },
  })
  watch.start()
  return watch
}
