import { MAX_AUDIT_ARGS_CHARS } from './audit.ts'
import type { Json } from './canonical-json.ts'

/** What is never repeated, by the name it is given under. */
const SECRET = /pass|secret|token|credential|private/i
const KEY = /(?:^|[_-])key(?:$|[_-])|Key(?:$|[A-Z_-])/
const LEFT_OUT = '…'
const MAX_STRING_CHARS = 200
const MAX_ITEMS = 20
const MAX_DEPTH = 4

/**
 * Arguments as an audit repeats them: without what is called a secret, long texts and lists cut, nothing deeper than four
 * levels, {@link MAX_AUDIT_ARGS_CHARS} in all. Where something is left out stands an ellipsis.
 */
export function auditArgs(args: Readonly<Record<string, Json>>): Record<string, Json> {
  const told = brief(args, 0) as Record<string, Json>
  return JSON.stringify(told).length > MAX_AUDIT_ARGS_CHARS ? { [LEFT_OUT]: Object.keys(args).length } : told
}

function brief(value: Json, depth: number): Json {
  if (typeof value === 'string') {
    return value.length > MAX_STRING_CHARS ? `${value.slice(0, MAX_STRING_CHARS)}${LEFT_OUT}` : value
  }
  if (value === null || typeof value !== 'object') return value
  if (depth === MAX_DEPTH) return LEFT_OUT
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ITEMS).map((item) => brief(item, depth + 1))
    return value.length > MAX_ITEMS ? [...items, LEFT_OUT] : items
  }
  const entries = Object.entries(value as Readonly<Record<string, Json>>)
  const told = entries
    .slice(0, MAX_ITEMS)
    .map(
      ([key, held]) =>
        [key.slice(0, 64), SECRET.test(key) || KEY.test(key) ? LEFT_OUT : brief(held, depth + 1)] as const,
    )
  return Object.fromEntries(entries.length > MAX_ITEMS ? [...told, [LEFT_OUT, entries.length]] : told)
}
