import { fromPairs } from './json-line.ts'
import type { ParsedLine } from './parsed.ts'

const NAME = /[\w.@/-]{1,128}=/y
const BARE = /[^\s"]*/y
const QUOTED = /"(?:[^"\\]|\\.)*"/y

/** Parse a line of `name=value` pairs, values quoted where they hold blanks; null when anything else stands in it. */
export function parseLogfmtLine(text: string, nowMs: number): ParsedLine | null {
  const pairs = pairsIn(text, 0)
  return pairs === null || Object.keys(pairs).length < 2 ? null : fromPairs(pairs, text, nowMs)
}

/** The pairs from an offset to the end of a text; null when it holds anything else. Numbers and booleans are read as such. */
export function pairsIn(text: string, offset: number): Record<string, unknown> | null {
  // Without a prototype, so that every name is one like any other.
  const pairs: Record<string, unknown> = Object.create(null)
  let at = offset
  while (at < text.length) {
    if (text[at] === ' ') {
      at += 1
      continue
    }
    NAME.lastIndex = at
    const name = NAME.exec(text)?.[0]
    if (name === undefined) return null
    at += name.length
    const pattern = text[at] === '"' ? QUOTED : BARE
    pattern.lastIndex = at
    const raw = pattern.exec(text)?.[0]
    if (raw === undefined) return null
    at += raw.length
    if (at < text.length && text[at] !== ' ') return null
    pairs[name.slice(0, -1)] = readValue(raw)
  }
  return pairs
}

function readValue(raw: string): unknown {
  if (raw.startsWith('"')) return unquoted(raw)
  if (raw === 'true' || raw === 'false') return raw === 'true'
  return /^-?\d{1,15}(?:\.\d{1,12})?$/.test(raw) ? Number(raw) : raw
}

/** A text in double quotes as Go and JSON write it; what is no such thing comes back without the quotes. */
export function unquoted(raw: string): string {
  if (!raw.includes('\\')) return raw.slice(1, -1)
  try {
    return JSON.parse(raw)
  } catch {
    return raw.slice(1, -1)
  }
}
