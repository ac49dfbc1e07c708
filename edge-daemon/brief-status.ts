import type { StatusBody } from './live/contract.ts'

/**
 * A status without what says nothing: classes of which nothing was ever kept or sent, and of a change that is over what
 * was compared in detail. A console is told of the rest every
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
    ...(status.changes === undefined ? {} : { changes: briefChanges(status.changes) }),
    uplink: { ...uplink, targets },
    store:
      byClass === undefined
        ? rest
        : { ...rest, byClass: only(byClass, ({ records, evicted }) => records > 0 || evicted > 0) },
  }
}

function briefChanges(changes: NonNullable<StatusBody['changes']>): NonNullable<StatusBody['changes']> {
  const { change } = changes
  if (change === null || change.shadow === null || change.isLocked) return changes
  const nothing = { count: 0, sumMs: 0, maxMs: 0, buckets: [] }
  const shadow = { ...change.shadow, candidateMs: nothing, currentMs: nothing, confusion: [] }
  return { ...changes, change: { ...change, shadow } }
}

function only<T>(entries: Readonly<Record<string, T>>, isTold: (value: T) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => isTold(value)))
}
