import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { z } from 'zod'

const markSchema = z.object({ journal: z.string(), n: z.int().nonnegative() })

/** How far a journal has surely been taken by the stream, beside its file; 0 where nothing is known. */
export function shippedThrough(journalPath: string, journal: string): number {
  try {
    const mark = markSchema.safeParse(JSON.parse(readFileSync(pathOf(journalPath), 'utf8')))
    return mark.success && mark.data.journal === journal ? mark.data.n : 0
  } catch {
    return 0
  }
}

/** Remember it. One that is lost is found again in the stream. */
export function markShipped(journalPath: string, journal: string, n: number): void {
  const path = pathOf(journalPath)
  writeFileSync(`${path}.new`, JSON.stringify({ journal, n }), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

function pathOf(journalPath: string): string {
  return `${journalPath}.shipped`
}
