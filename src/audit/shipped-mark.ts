import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

/** Journals of one file that are remembered: it was begun anew so often. */
const MAX_JOURNALS = 16
const markSchema = z.array(z.object({ journal: z.string(), n: z.int().nonnegative() })).max(MAX_JOURNALS)

/** What the name of a mark has behind that of its journal. */
export const MARK_SUFFIX = '.shipped'

/**
 * How far each journal that was ever in this file has surely been taken by a stream, the newest first; it stands beside
 * the file, and outlives it. Empty where nothing is known.
 */
export function shippedOf(journalPath: string): ReadonlyMap<string, number> {
  try {
    const mark = markSchema.safeParse(JSON.parse(readFileSync(pathOf(journalPath), 'utf8')))
    return new Map((mark.success ? mark.data : []).map(({ journal, n }) => [journal, n]))
  } catch {
    return new Map()
  }
}

/** How far one journal has been taken; 0 where nothing is known. */
export function shippedThrough(journalPath: string, journal: string): number {
  return shippedOf(journalPath).get(journal) ?? 0
}

/** Remember it. One that is lost is found again in the stream. */
export function markShipped(journalPath: string, journal: string, n: number): void {
  const path = pathOf(journalPath)
  const others = Array.from(shippedOf(journalPath), ([its, through]) => ({ journal: its, n: through }))
  const marks = [{ journal, n }, ...others.filter((its) => its.journal !== journal)].slice(0, MAX_JOURNALS)
  writeFileSync(`${path}.new`, JSON.stringify(marks), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function pathOf(journalPath: string): string {
  return `${journalPath}${MARK_SUFFIX}`
}
