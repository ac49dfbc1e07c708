import { TABLE_ROW_BYTES } from './frame-table.ts'
import type { PlacedClass, PlacedSegment, Places, PlacesRequest } from './places-contract.ts'
import type { RangeSource } from './range-read.ts'

/** Most bytes of extents that one answer carries: some 8000 of them, which stand for up to half a gigabyte of lines. */
const MOST_ROW_BYTES = 512 * 1024

/**
 * Where the records of a range lie, for who reads the segments himself: another thread, at its own pace. What it is told
 * ages: a segment may be evicted or rewritten meanwhile, its file is then gone, and it asks again.
 */
export function placesOf({ index, lastSeq }: Omit<RangeSource, 'reader'>, request: PlacesRequest): Places {
  const segments: PlacedSegment[] = []
  let rowBytes = 0
  for (const segment of request.newestFirst ? index.segments.toReversed() : index.segments) {
    const classes: PlacedClass[] = []
    for (const recordClass of request.classes) {
      const table = segment.tables.get(recordClass)
      const within = table?.within(request)
      if (table === undefined || within === undefined || within.positions.length === 0) continue
      const { positions, ...sums } = within
      const hasRoom = rowBytes === 0 || rowBytes + positions.length * TABLE_ROW_BYTES <= MOST_ROW_BYTES
      rowBytes += hasRoom ? positions.length * TABLE_ROW_BYTES : MOST_ROW_BYTES
      const rows = hasRoom ? table.rowsAt(positions) : null
      classes.push({ class: recordClass, totalRecords: table.records, ...sums, rows })
    }
    if (classes.length > 0) segments.push({ path: segment.path, classes })
  }
  return { lastSeq, segments }
}
