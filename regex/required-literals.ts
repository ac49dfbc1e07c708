import { RE2JS } from 're2js'

/** What RE2JS derives from a pattern: texts that a match must hold, all of them (`AND`) or one of them (`OR`). */
interface Prefilter {
  readonly type: 0 | 1 | 2 | 3
  readonly str: string
  readonly subs: readonly Prefilter[]
}
const [EXACT, AND, OR] = [1, 2, 3]

/**
 * Texts that whatever matches a pattern must hold: of each list at least one. Empty when nothing can be said, as of a
 * part that matches in any case. With them most of a large text need not be looked at by the regular expression at all
 * (Cox, "Regular Expression Matching with a Trigram Index", 2012).
 *
 * @param pattern one that `compileRegex` takes
 */
export function requiredLiterals(pattern: string): readonly (readonly string[])[] {
  const prefilter: Prefilter | null = RE2JS.compile(pattern).re2Input.prefilter
  return prefilter === null ? [] : listsOf(prefilter)
}

function listsOf({ type, str, subs }: Prefilter): (readonly string[])[] {
  if (type === EXACT) return [[str]]
  if (type === AND) return subs.flatMap(listsOf)
  if (type !== OR) return []
  const best = subs.map((sub) => mostTelling(listsOf(sub)))
  return best.every((list) => list !== null) ? [best.flat()] : []
}

/** Of lists of which each must hold, the one that says most: few texts, and long ones; null when there is none. */
function mostTelling(lists: readonly (readonly string[])[]): readonly string[] | null {
  const worth = (list: readonly string[]): number => Math.min(...list.map((text) => text.length)) / list.length
  return lists.reduce<readonly string[] | null>(
    (best, list) => (list.length > 0 && (best === null || worth(list) > worth(best)) ? list : best),
    null,
  )
}
