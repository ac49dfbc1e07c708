import type { LogRow } from '../../fleet/view.ts'
import type { Console } from '../console.ts'
import { indexAt, placeOf } from '../logs/choices.ts'

/** Open the logs of nodes (null = all) at their end. */
export function openLogs(console: Console, keys: ReadonlySet<string> | null): void {
  console.logs.close()
  console.parts.store.openLogs(keys)
}

/** Put the cursor on a row. */
export function standOn(console: Console, row: LogRow): void {
  console.parts.store.setLogs({ cursor: placeOf(row) })
}

/** Follow the newest lines. */
export function backToLive(console: Console): void {
  console.parts.store.setLogs({ cursor: null })
  console.logs.live()
}

/** Stand on the first row from a time on, of those that are wanted; where it is not held, it is read from the nodes. */
export async function goToTime(console: Console, atMs: number, isWanted: (row: LogRow) => boolean): Promise<void> {
  const { store } = console.parts
  const here = (): LogRow | undefined => {
    const { rows } = console.logs.rows()
    return rows
      .slice(Math.max(0, indexAt(rows, { id: -1, atMs, key: '' })))
      .find((row) => row.atMs >= atMs && isWanted(row))
  }
  const { rows } = console.logs.rows()
  const isHeld = (rows[0]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs && (rows.at(-1)?.atMs ?? 0) >= atMs
  const held = isHeld && !console.logs.isGone(atMs) ? here() : undefined
  if (held !== undefined) {
    standOn(console, held)
    return
  }
  store.setLogs({ cursor: { id: -1, atMs, key: '' } })
  await console.logs.goTo(atMs)
  // Whoever moved on while it was read stays where they are.
  if (store.get().logs.cursor?.id !== -1) return
  const found = here() ?? console.logs.current()
  if (found != null) standOn(console, found)
}
