import type { LogFilter } from '../../protocol/log-filter.ts'
import { LOG_LEVELS } from '../../protocol/records.ts'
import { mostTelling, requiredLiterals } from '../../regex/required-literals.ts'

/** Texts, in bytes, of which at least one stands in every kept line that passes a filter. */
export interface NeedleList {
  readonly needles: readonly Buffer[]
  /** Whether they are written in lower case and stand for any. */
  readonly ignoreCase: boolean
}

/** Over this many texts in a list, looking for each costs more than it saves. */
const MOST_NEEDLES = 4
/** Levels of which there are few lines; who wants a lesser one wants nearly all. */
const RARE_FROM = LOG_LEVELS.indexOf('warn')

/**
 * What can be looked for in the bytes of kept lines before any of them is parsed, the most telling first. Kept lines are
 * compact JSON, so a text is looked for as JSON writes it, and never over the places where `logText` puts a space or `=`
 * that the JSON has not.
 */
export function needlesOf({ pattern, ignoreCase = false, fields = [], level, sources }: LogFilter): NeedleList[] {
  const texts = pattern === undefined ? [] : ofPattern(pattern, ignoreCase)
  for (const { test, name, value } of fields) {
    if (test === '=') texts.push(exactly([inJson(value)]))
    else if (test === '~') texts.push(...ofPattern(value, false))
    if (test !== '!=') texts.push(exactly([`"${inJson(name)}":`]))
  }
  texts.sort((a, b) => worth(b) - worth(a))
  if (sources !== undefined) texts.push(exactly(sources.map((source) => `"source":"${ofSource(source)}`)))
  if (level !== undefined && LOG_LEVELS.indexOf(level) >= RARE_FROM) {
    texts.push(exactly(LOG_LEVELS.slice(LOG_LEVELS.indexOf(level)).map((name) => `"level":"${name}"`)))
  }
  return texts.filter(({ needles }) => needles.length <= MOST_NEEDLES && needles.every(({ length }) => length > 0))
}

function ofPattern(pattern: string, ignoreCase: boolean): NeedleList[] {
  return requiredLiterals(pattern).flatMap((texts) => {
    const pieces = texts.map((text) => pieceOf(text, ignoreCase)).filter((piece) => piece !== null)
    return pieces.length < texts.length ? [] : [{ needles: pieces.map((piece) => Buffer.from(piece)), ignoreCase }]
  })
}

/** The longest stretch of a text that stands in the JSON of a line as it stands in the line; null when there is none. */
function pieceOf(text: string, ignoreCase: boolean): string | null {
  // Letters beyond ASCII have more than two forms.
  const parts = ignoreCase ? text.toLowerCase().split(/[^\x21-\x7e]|=/) : text.split(/[ =]/)
  return mostTelling(parts.filter((part) => part !== '').map((part) => [inJson(part)]))?.[0] ?? null
}

function exactly(texts: readonly string[]): NeedleList {
  return { needles: texts.map((text) => Buffer.from(text)), ignoreCase: false }
}

function worth({ needles }: NeedleList): number {
  return Math.min(...needles.map(({ length }) => length)) / needles.length
}

function ofSource(source: string): string {
  return source.endsWith('*') ? inJson(source.slice(0, -1)) : `${inJson(source)}"`
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}
