import type { DaemonConfig } from './config/settings.ts'
import type { ClassLimits } from './store/contract.ts'

/** What the store is to keep of each class, as configured under `store.keep`. */
export function keepLimits(keep: DaemonConfig['store']['keep']): ClassLimits {
  return Object.fromEntries(
    Object.entries(keep).map(([recordClass, { maxBytes, maxAge }]) => [recordClass, { maxBytes, maxAgeMs: maxAge }]),
  )
}
