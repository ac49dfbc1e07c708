import type { StatusBody } from './live/contract.ts'

/**
 * A status without what says nothing: classes of which nothing was ever kept or sent. A console is told of the rest every
 * second, and a node keeps it every second, so each byte of it counts (architecture decision 15).
 */
export function briefStatus(status: StatusBody): StatusBody {
  const { store, uplink } = status
  const targets = uplink.targets.map(({ levels, ...target }) =>
    levels === undefined ? target : { ...target, levels: only(levels, ({ committed }) => committed > 0) },
  )
  const { byClass, ...rest } = store
  return {
    ...status,
    uplink: { ...uplink, targets },
    store:
      byClass === undefined
        ? rest
        : { ...rest, byClass: only(byClass, ({ records, evicted }) => records > 0 || evicted > 0) },
  }
}

function only<T>(entries: Readonly<Record<string, T>>, isTold: (value: T) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => isTold(value)))
}
