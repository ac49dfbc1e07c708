/** A cursor that belongs to a node, not to a row: rows may move under it. */
export interface Cursor {
  /** The node it is on; null in an empty table. */
  readonly key: string | null
  /** The row where it was last seen, for when its node leaves the table. */
  readonly row: number
}

/** Before anything was chosen. */
export const START_CURSOR: Cursor = { key: null, row: 0 }

/** Where the cursor is among the rows now: on its node, else on what took its row. */
export function settleCursor(cursor: Cursor, rows: readonly { readonly key: string }[]): Cursor {
  const found = cursor.key === null ? -1 : rows.findIndex((row) => row.key === cursor.key)
  const row = found >= 0 ? found : Math.max(0, Math.min(cursor.row, rows.length - 1))
  const key = rows[row]?.key ?? null
  return key === cursor.key && row === cursor.row ? cursor : { key, row }
}

/** The cursor `delta` rows further, kept inside the table. */
export function moveCursor(cursor: Cursor, rows: readonly { readonly key: string }[], delta: number): Cursor {
  const { row } = settleCursor(cursor, rows)
  const next = Math.max(0, Math.min(row + delta, rows.length - 1))
  return { key: rows[next]?.key ?? null, row: next }
}
