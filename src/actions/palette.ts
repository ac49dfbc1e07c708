import {
  ACTION_IDS,
  type ActingFor,
  type Action,
  type ActionContextName,
  type ActionId,
  actionOf,
  missingFor,
} from './table.ts'

/** One line of the palette, and which characters of its title matched. */
export interface PaletteMatch {
  readonly action: ActionId
  readonly title: string
  /** Indexes into `title` to show as matched. */
  readonly matched: readonly number[]
  /** The right that the operator lacks for it; null when they may run it. */
  readonly missing: string | null
}

/**
 * Actions that a few typed letters may mean, best first: letters in order, at word beginnings and side by side count
 * more. Nothing typed lists all. Only what has a meaning in these contexts; what is not allowed says which right is missing.
 */
export function searchPalette(
  typed: string,
  where: { readonly contexts: readonly ActionContextName[]; readonly acting: ActingFor },
): PaletteMatch[] {
  const candidates = ACTION_IDS.map(actionOf).filter((action) =>
    action.contexts.some((context) => where.contexts.includes(context)),
  )
  return candidates
    .map((action, order) => ({ action, order, match: bestMatch(typed.trim(), action) }))
    .filter((entry) => entry.match !== null)
    .sort((a, b) => (b.match?.score ?? 0) - (a.match?.score ?? 0) || a.order - b.order)
    .map(({ action, match }) => ({
      action: action.id,
      title: action.title,
      matched: match?.indexes ?? [],
      missing: missingFor(action, where.acting),
    }))
}

/** How well typed letters fit a text, and where; null when they do not. Case does not matter. */
export function fuzzyMatch(typed: string, text: string): { score: number; indexes: number[] } | null {
  const letters = [...typed.toLowerCase().replace(/\s+/g, '')]
  const fit = fitFrom(letters, text.toLowerCase(), 0)
  return fit && { score: fit.score - text.length / 100, indexes: fit.indexes }
}

/** The best way to find all letters in order from an index on. Texts are titles: short enough to try every way. */
function fitFrom(letters: readonly string[], text: string, from: number): { score: number; indexes: number[] } | null {
  const [letter, ...rest] = letters
  if (letter === undefined) return { score: 0, indexes: [] }
  let best: { score: number; indexes: number[] } | null = null
  for (let at = text.indexOf(letter, from); at >= 0; at = text.indexOf(letter, at + 1)) {
    const tail = fitFrom(rest, text, at + letter.length)
    if (!tail) break
    const isBeginning = at === 0 || !/[a-z0-9]/.test(text[at - 1] ?? '')
    const isNext = from > 0 && at === from
    const score = tail.score + 1 + (isBeginning ? 4 : 0) + (isNext ? 3 : 0) - Math.min(2, (at - from) / 10)
    if (!best || score > best.score) best = { score, indexes: [at, ...tail.indexes] }
  }
  return best
}

function bestMatch(typed: string, action: Action): { score: number; indexes: number[] } | null {
  if (typed === '') return { score: 0, indexes: [] }
  const title = fuzzyMatch(typed, action.title)
  const id = fuzzyMatch(typed, action.id)
  if (title && (!id || title.score >= id.score)) return title
  return id ? { score: id.score - 1, indexes: [] } : null
}
