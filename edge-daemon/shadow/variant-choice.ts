import type { StatusChanges } from '../../protocol/change.ts'
import type { ManifestVariant } from '../../protocol/model-manifest.ts'
import { mb } from './room-beside.ts'

/** Times that differ by less are the same: then the more accurate variant is chosen. */
const SAME_FACTOR = 1.03

/** What a variant was measured at on this node: ms of a picture in the median, or why it could not be. */
export type Measured = { readonly runMs: number } | { readonly fault: string }

/** What a variant is chosen by. */
export interface VariantQuestion {
  readonly variants: readonly ManifestVariant[]
  /** Variant or precision that the configuration pins; `auto` for the fastest. */
  readonly wanted: string
  /** Points of accuracy that the fastest may be below the best. */
  readonly maxAccuracyLoss: number
  /** Memory that may be taken, bytes. */
  readonly freeBytes: number
  /** By name of the variant; empty where nothing was measured. */
  readonly measured: Readonly<Record<string, Measured>>
}

/** Which variant serves, and of each what it was measured at and why it does or does not. */
export interface VariantChoice {
  readonly variant: string
  readonly figures: StatusChanges['variants']
}

/** Variants that are worth measuring: where more than one may serve, those. The others are ruled out by what they are. */
export function toMeasure({ measured: _, ...question }: VariantQuestion): ManifestVariant[] {
  if (pinned(question) !== undefined) return []
  const fit = question.variants.filter((variant) => ruledOut(variant, question) === null)
  return fit.length > 1 ? fit : []
}

/**
 * Choose the fastest of the variants that fit this node and are accurate enough (requirement I3). INT8 is not always
 * faster, so its name decides nothing.
 */
export function chooseVariant(question: VariantQuestion): VariantChoice {
  const { variants, wanted, measured } = question
  const [first] = variants
  if (first === undefined) throw new TypeError('a manifest has at least one variant')
  const why = new Map<string, string>()
  const asked = pinned(question)
  const fit: { variant: ManifestVariant; runMs: number }[] = []
  for (const variant of variants) {
    const found = measured[variant.name]
    const against = ruledOut(variant, question)
    if (against !== null) why.set(variant.name, against)
    else if (found === undefined) why.set(variant.name, 'not measured')
    else if ('fault' in found) why.set(variant.name, `cannot be run here: ${found.fault}`)
    else fit.push({ variant, runMs: found.runMs })
  }
  fit.sort((a, b) => a.runMs - b.runMs)
  const [fastest, second] = fit
  const best =
    fastest &&
    fit
      .filter(({ runMs }) => runMs <= fastest.runMs * SAME_FACTOR)
      .reduce((a, b) => ((b.variant.accuracyPct ?? 0) > (a.variant.accuracyPct ?? 0) ? b : a))
  for (const { variant, runMs } of fit) {
    const factor = best === undefined ? 1 : runMs / best.runMs
    why.set(
      variant.name,
      factor < SAME_FACTOR ? 'as fast, and not more accurate' : `${factor.toFixed(2)} times as long`,
    )
  }
  const chosen = asked ?? best?.variant ?? variants.find((variant) => ruledOut(variant, question) === null) ?? first
  const isWished = wanted !== 'auto'
  if (asked !== undefined) why.set(asked.name, 'pinned by models.variant')
  else if (variants.length === 1) why.set(chosen.name, 'the only one')
  else if (best === undefined) why.set(chosen.name, `the first that fits${isWished ? `; there is no ${wanted}` : ''}`)
  else if (second === undefined) why.set(chosen.name, 'the only one that fits')
  else why.set(chosen.name, `the fastest within ${question.maxAccuracyLoss} points of accuracy`)
  const figures = variants.map(({ name }) => {
    const found = measured[name]
    const runMs = found !== undefined && 'runMs' in found ? found.runMs : null
    return [name, { runMs, isChosen: name === chosen.name, why: (why.get(name) ?? '').slice(0, 200) }] as const
  })
  return { variant: chosen.name, figures: Object.fromEntries(figures) }
}

function pinned({ variants, wanted }: Pick<VariantQuestion, 'variants' | 'wanted'>): ManifestVariant | undefined {
  return variants.find(({ name }) => name === wanted) ?? variants.find(({ precision }) => precision === wanted)
}

/** Why a variant may not serve, whatever its speed; null when it may. */
function ruledOut(
  { name, need, accuracyPct }: ManifestVariant,
  { variants, maxAccuracyLoss, freeBytes }: Omit<VariantQuestion, 'measured'>,
): string | null {
  const needed = need.freeMemoryBytes ?? 0
  if (needed > freeBytes) return `needs ${mb(needed)} MB of free memory, ${mb(freeBytes)} MB are free`
  const known = variants.flatMap((variant) => variant.accuracyPct ?? [])
  // The first is what its maker wants served where nobody knows better.
  if (accuracyPct === undefined) return name === variants[0]?.name ? null : 'its accuracy is not told'
  const lost = Math.max(...known) - accuracyPct
  return lost > maxAccuracyLoss + 1e-9
    ? `${lost.toFixed(2)} points less accurate, ${maxAccuracyLoss} are allowed`
    : null
}
