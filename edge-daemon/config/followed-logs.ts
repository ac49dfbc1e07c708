import { compileRegex } from '../../regex/linear-regex.ts'
import type { Kind, Read } from '../../settings/kinds.ts'

/** How a line is written; `auto` looks at each. */
export const LINE_FORMATS = ['auto', 'json', 'logfmt', 'klog', 'plain'] as const
/** @see LINE_FORMATS */
export type LineFormat = (typeof LINE_FORMATS)[number]

/** Log files that are followed. */
export interface FollowedFiles {
  /** An absolute path, or a glob of such. */
  readonly path: string
  /** What their lines are called; null for the file's name without `.log`. */
  readonly source: string | null
  readonly format: LineFormat
  /** RE2 pattern of the first line of a record that may have several; null where each line is one. */
  readonly multiline: string | null
}

/** Most entries of a list here: each costs a look at the disk, or at every line. */
const MAX_ENTRIES = 64
const MAX_SOURCE_CHARS = 200
const EXPECTED_FILES =
  'a list such as [{path: /var/log/app/*.log, source: app, format: json, multiline: "^[0-9]{4}-"}], all but path optional'

/** Log files in a file; in a variable, paths separated by commas. */
export function followedFiles(): Kind<readonly FollowedFiles[]> {
  return {
    read: (raw) => {
      const list = typeof raw === 'string' ? pathsIn(raw) : raw
      if (!Array.isArray(list)) return wrong(`expected ${EXPECTED_FILES}`)
      if (list.length > MAX_ENTRIES) return wrong(`expected at most ${MAX_ENTRIES} entries; use globs`)
      const found: FollowedFiles[] = []
      for (const [index, item] of list.entries()) {
        const read = entryIn(typeof item === 'string' ? { path: item } : item)
        if (!read.ok) return { ok: false, message: read.message, at: { path: [index], offset: 0 } }
        found.push(read.value)
      }
      return { ok: true, value: found }
    },
    show: (list) => JSON.stringify(list.map(shown)),
  }
}

/** RE2 patterns; in a variable, a JSON list, since a pattern may hold a comma. */
export function patternList(): Kind<readonly string[]> {
  return {
    read: (raw) => {
      const list = typeof raw === 'string' ? (raw.trim() === '' ? [] : parsedJson(raw)) : raw
      const isList = Array.isArray(list) && list.every((item) => typeof item === 'string' && item !== '')
      if (!isList) return wrong('expected a list of patterns (RE2) such as ["tok_[a-z0-9]{20}"]')
      if (list.length > MAX_ENTRIES) return wrong(`expected at most ${MAX_ENTRIES} patterns`)
      for (const [index, pattern] of list.entries()) {
        const compiled = compileRegex(pattern)
        if (!compiled.ok) return { ok: false, message: compiled.message, at: { path: [index], offset: 0 } }
      }
      return { ok: true, value: list }
    },
    show: (list) => JSON.stringify(list),
  }
}

function entryIn(item: unknown): Read<FollowedFiles> {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return wrong(`expected ${EXPECTED_FILES}`)
  const { path, source = null, format = 'auto', multiline = null, ...rest } = item as Record<string, unknown>
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) return wrong(`unknown key ${unknown}; expected ${EXPECTED_FILES}`)
  if (typeof path !== 'string' || !path.startsWith('/'))
    return wrong('expected an absolute path, such as /var/log/app.log')
  if (source !== null && (typeof source !== 'string' || source === '' || source.length > MAX_SOURCE_CHARS)) {
    return wrong(`expected a source of 1 to ${MAX_SOURCE_CHARS} characters`)
  }
  const known = LINE_FORMATS.find((name) => name === format)
  if (known === undefined) return wrong(`expected a format of ${LINE_FORMATS.join(', ')}`)
  if (multiline === null) return { ok: true, value: { path, source, format: known, multiline } }
  if (typeof multiline !== 'string') return wrong('expected a pattern (RE2) such as multiline: "^[0-9]{4}-"')
  const compiled = compileRegex(multiline)
  if (!compiled.ok) return wrong(`multiline: ${compiled.message}`)
  return { ok: true, value: { path, source, format: known, multiline } }
}

function pathsIn(text: string): unknown {
  if (text.trimStart().startsWith('[')) return parsedJson(text)
  return text
    .split(',')
    .map((path) => path.trim())
    .filter((path) => path !== '')
}

function shown({ path, source, format, multiline }: FollowedFiles): object {
  return {
    path,
    ...(source === null ? {} : { source }),
    ...(format === 'auto' ? {} : { format }),
    ...(multiline === null ? {} : { multiline }),
  }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function wrong(message: string): Read<never> {
  return { ok: false, message }
}
