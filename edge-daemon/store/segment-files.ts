import type { SegmentName } from './log-index.ts'

const NAME = /^(\d{16})(?:-(\d{16}))?(?:\.(\d+))?(\.none)?\.log$/

/** Behind the name of a segment that is still being rewritten; a start throws such a file away. */
export const PART_SUFFIX = '.part'

/**
 * Name of a segment file: its first sequence; for one that was rewritten, the last it stands for; and a generation, which
 * is higher than that of every file it takes the place of. One that holds nothing on purpose says so, or it could not be
 * told from one that was cut.
 */
export function segmentFile({ startSeq, throughSeq, generation }: SegmentName, holdsNothing = false): string {
  const through = throughSeq === null ? '' : `-${padded(throughSeq)}`
  return `${padded(startSeq)}${through}${generation === 0 ? '' : `.${generation}`}${holdsNothing ? '.none' : ''}.log`
}

/** Inverse of {@link segmentFile}; null for other files. */
export function parseSegmentFile(name: string): Omit<SegmentFile, 'name'> | null {
  const match = NAME.exec(name)
  if (match === null) return null
  const throughSeq = match[2] === undefined ? null : Number(match[2])
  return {
    startSeq: Number(match[1]),
    throughSeq,
    generation: Number(match[3] ?? 0),
    holdsNothing: match[4] !== undefined,
  }
}

/** A segment file of a folder. */
export interface SegmentFile extends SegmentName {
  readonly name: string
  readonly holdsNothing: boolean
}

/**
 * The files that make the log, oldest first, and those whose place another has taken: a death between putting a rewritten
 * segment in place and removing what it was made of leaves both.
 */
export function segmentFiles(names: readonly string[]): { log: SegmentFile[]; superseded: SegmentFile[] } {
  const all = names
    .flatMap((name) => {
      const parsed = parseSegmentFile(name)
      return parsed === null ? [] : [{ name, ...parsed }]
    })
    .sort((a, b) => a.startSeq - b.startSeq || a.generation - b.generation)
  const rewritten = all.filter(({ throughSeq }) => throughSeq !== null)
  const isSuperseded = (file: SegmentFile): boolean =>
    rewritten.some(
      ({ startSeq, throughSeq, generation }) =>
        file.startSeq >= startSeq && file.startSeq <= (throughSeq ?? 0) && file.generation < generation,
    )
  return {
    log: all.filter((file) => !isSuperseded(file)),
    superseded: all.filter(isSuperseded),
  }
}

function padded(seq: number): string {
  return String(seq).padStart(16, '0')
}
