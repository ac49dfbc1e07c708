import type { Counts, GateVerdict } from '../contract.ts'
import type { GateInput } from './contract.ts'

/** Looks that are kept of a stretch; of a longer one every second is let go. */
const MOST_LOOKS = 128

/** The looks at a stretch with one more, whose sums a verdict tells. */
export function withLook(looks: GateInput['looks'], { findings }: GateVerdict): GateInput['looks'] {
  const told = findings.find(({ gate, against }) => gate === 'failed' && against === 'baseline')
  if (told === undefined) return looks
  return { changed: plusOne(looks.changed, told.changed), unchanged: plusOne(looks.unchanged, told.baseline) }
}

function plusOne(looks: readonly Counts[], next: Counts | null): readonly Counts[] {
  if (next === null) return looks
  const kept = looks.length < MOST_LOOKS ? looks : looks.filter((_, index) => index % 2 === 1)
  return [...kept, next]
}
