/** How rows are shared between those that they are of. */
export interface Shares<T> {
  readonly keyOf: (row: T) => string
  /** What a row takes; 1 to count rows. */
  readonly weightOf: (row: T) => number
  /** What all rows together may take. */
  readonly limit: number
}

/**
 * Take rows out until the rest is within the limit, and return them. Who has the most gives first, its first rows before
 * its later ones, so that one that says much does not push out what others said (max-min fairness).
 */
export function shed<T>(rows: T[], { keyOf, weightOf, limit }: Shares<T>): T[] {
  const held = new Map<string, number>()
  for (const row of rows) held.set(keyOf(row), (held.get(keyOf(row)) ?? 0) + weightOf(row))
  const most = shareOf([...held.values()], limit)
  const gone: T[] = []
  const kept = rows.filter((row) => {
    const key = keyOf(row)
    const has = held.get(key) ?? 0
    if (has <= most) return true
    held.set(key, has - weightOf(row))
    gone.push(row)
    return false
  })
  rows.splice(0, rows.length, ...kept)
  return gone
}

/** The most that each may have so that all together stay within the limit; infinite when they do anyway. */
function shareOf(amounts: readonly number[], limit: number): number {
  let left = limit
  const rising = [...amounts].sort((a, b) => a - b)
  for (const [index, amount] of rising.entries()) {
    const share = left / (rising.length - index)
    if (amount > share) return share
    left -= amount
  }
  return Number.POSITIVE_INFINITY
}
