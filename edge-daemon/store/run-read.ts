import type { RunRequest, StoredRun } from './contract.ts'
import { SealedAway } from './frame-reader.ts'
import type { RangeSource } from './range-read.ts'
import { RunBuilder } from './run-builder.ts'

/**
 * Read a run, an extent a step; the generator returns it. Commits and evictions between steps are fine: every extent is
 * looked up anew.
 * @throws EdgeError `STORE_FAILING` when the disk lets nothing be read now, or when the next record is sealed away
 */
export function* readRun(source: RangeSource, request: RunRequest): Generator<null, StoredRun | null> {
  const { index, reader, lastSeq } = source
  const throughSeq = Math.min(request.throughSeq ?? lastSeq, lastSeq)
  const run = new RunBuilder({ ...request, throughSeq })
  let afterSeq = request.afterSeq
  while (!run.isFull) {
    const place = index.next(request.class, afterSeq, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)
    if (place === null || place.ref.firstSeq > throughSeq) break
    try {
      reader.addTo(run, place, request.class, { afterSeq, beforeSeq: throughSeq + 1 })
    } catch (error) {
      // What comes before a record that is sealed away can be had.
      if (!(error instanceof SealedAway) || run.isEmpty) throw error
      break
    }
    afterSeq = place.ref.lastSeq
    yield null
  }
  return run.build()
}
