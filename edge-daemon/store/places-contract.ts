import type { RecordClass } from '../../protocol/subjects.ts'
import type { ExtentRange } from './frame-table.ts'

/** Of which records somebody wants the places; bounds on sequence are outside, those on time (Unix ms) inside. */
export interface PlacesRequest extends ExtentRange {
  readonly classes: readonly RecordClass[]
  /** Which end of the range its first segments are at. */
  readonly newestFirst: boolean
}

/** What one segment file holds of one class, in the range and at all. */
export interface PlacedClass {
  readonly class: RecordClass
  /** Records of the class in the segment. */
  readonly totalRecords: number
  /** Records, bytes of their lines and times (Unix ms) of the extents that may hold some of the range. */
  readonly records: number
  readonly lineBytes: number
  readonly minTime: number
  readonly maxTime: number
  /** Those extents as {@link FrameTable.of} reads them; null where the answer had no room for them. */
  readonly rows: Uint8Array<ArrayBuffer> | null
}

/** A segment file that holds something of the range. */
export interface PlacedSegment {
  readonly path: string
  readonly classes: readonly PlacedClass[]
}

/** Where records of a range lie as of one moment, in the wanted order of segments. The first segments have rows, as many as fit. */
export interface Places {
  /** Last sequence of the store. */
  readonly lastSeq: number
  readonly segments: readonly PlacedSegment[]
}
