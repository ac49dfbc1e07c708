import type { LogFilter } from '../../protocol/log-filter.ts'
import { LOG_LEVELS } from '../../protocol/records.ts'
import { requiredLiterals } from '../../regex/required-literals.ts'

/** Texts, in bytes, of which at least one stands in every kept line that passes a filter. */
export interface NeedleList {
  readonly needles: readonly Buffer[]
  /** Whether they are written in lower case and stand for any. */
  readonly ignoreCase: boolean
}

/** Over this many texts in a list, looking for each costs more than it saves. */
const MOST_NEEDLES = 8
/** Most places in a text where a field may begin: each is one more needle. */
const MOST_SEAMS = 3
/** Levels of which there are few lines; who wants a lesser one wants nearly all. */
const RARE_FROM = LOG_LEVELS.indexOf('warn')

/**
 * What can be looked for in the bytes of kept lines before any of them is parsed, the most telling first. Kept lines are
 * compact JSON, so a text is looked for as JSON writes it: whole, and as it is cut where `logText` puts a space or `=`
 * that the JSON has not.
 */
export function needlesOf({ pattern, ignoreCase = false, fields = [], level, sources }: LogFilter): NeedleList[] {
  const lists = pattern === undefined ? [] : ofPattern(pattern, ignoreCase, cutsOf)
  for (const { test, name, value } of fields) {
    // A value stands in the JSON as it is.
    if (test === '=') lists.push({ worth: value.length, ...exactly([inJson(value)]) })
    else if (test === '~') lists.push(...ofPattern(value, false, (text) => [inJson(text)]))
    if (test !== '!=') lists.push({ worth: name.length, ...exactly([`"${inJson(name)}":`]) })
  }
  const sorted: NeedleList[] = lists.sort((a, b) => b.worth - a.worth)
  if (sources !== undefined) sorted.push(exactly(sources.map((source) => `"source":"${ofSource(source)}`)))
  if (level !== undefined && LOG_LEVELS.indexOf(level) >= RARE_FROM) {
    sorted.push(exactly(LOG_LEVELS.slice(LOG_LEVELS.indexOf(level)).map((name) => `"level":"${name}"`)))
  }
  return sorted
    .filter(({ needles }) => needles.length <= MOST_NEEDLES && needles.every(({ length }) => length > 0))
    .map(({ needles, ignoreCase: isAny }) => ({ needles, ignoreCase: isAny }))
}

type Worthy = NeedleList & { readonly worth: number }

function ofPattern(pattern: string, ignoreCase: boolean, cuts: (text: string) => readonly string[]): Worthy[] {
  return requiredLiterals(pattern).flatMap((texts) => {
    const pieces = texts.map((text) => pieceOf(text, ignoreCase))
    if (pieces.includes('')) return []
    const needles = pieces.flatMap(cuts).map((text) => Buffer.from(text))
    return [{ needles, ignoreCase, worth: Math.min(...pieces.map(({ length }) => length)) / needles.length }]
  })
}

/** The longest stretch of a text with few seams and, in any case, of ASCII: other letters have more than two forms. */
function pieceOf(text: string, ignoreCase: boolean): string {
  let best = ''
  // Parted first: in lower case some letters beyond ASCII are ASCII themselves, such as that of U+0130.
  for (const part of ignoreCase ? text.split(/[^\x20-\x7e]/) : [text]) {
    const words = (ignoreCase ? part.toLowerCase() : part).split(SEAM)
    for (let at = 0; at < words.length; at += 2) {
      const piece = words.slice(at, at + 2 * MOST_SEAMS + 1).join('')
      if (piece.length > best.length) best = piece
    }
  }
  return best
}

/** Where `logText` may have put a character that the JSON has not; as the odd parts of a split. */
const SEAM = /([ =])/

/**
 * A text as it may stand in the JSON of a line: whole, within a message or a value; from a field's name on, where one of
 * its spaces is that before a name; up to the end of a name, where one of its `=` is that behind it.
 */
function cutsOf(text: string): string[] {
  const cuts = [inJson(text)]
  const parts = text.split(SEAM)
  for (let at = 1; at < parts.length; at += 2) {
    const isSpace = parts[at] === ' '
    const before = parts.slice(0, at).join('')
    const behind = parts.slice(at + 1).join('')
    if (isSpace) cuts.push(`"${inJson(behind.split('=', 1)[0] ?? '')}`)
    else cuts.push(`${inJson(before.slice(before.lastIndexOf(' ') + 1))}":`)
  }
  return cuts
}

function exactly(texts: readonly string[]): NeedleList {
  return { needles: texts.map((text) => Buffer.from(text)), ignoreCase: false }
}

function ofSource(source: string): string {
  return source.endsWith('*') ? inJson(source.slice(0, -1)) : `${inJson(source)}"`
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
