import { type Document, isScalar, LineCounter, parseDocument, type Scalar } from 'yaml'
import type { z } from 'zod'

/** One fault in a file that a user wrote. */
export interface DocumentFault {
  /** 1-based; null when the fault belongs to the file as a whole. */
  readonly line: number | null
  /** 1-based, where it is known to the character. */
  readonly column?: number
  /** Dotted path of the key. */
  readonly path: string
  /** What is wrong and what to write instead. */
  readonly message: string
}

/** A YAML document read against a schema: the value, or every fault with its line. */
export type DocumentResult<T> = { ok: true; value: T } | { ok: false; faults: DocumentFault[] }

/** A YAML document with positions, before any schema. */
export interface ParsedDocument {
  readonly value: unknown
  /** 1-based line of the nearest key on this path that exists; null when none does. */
  lineOf(path: readonly PropertyKey[]): number | null
  /**
   * 1-based place of the character at `offset` of the text at a path; null where the text is not written as it is read
   * (folded over lines, with escapes) and the place cannot be told.
   */
  placeIn(path: readonly PropertyKey[], offset: number): { readonly line: number; readonly column: number } | null
}

const MAX_FAULTS = 10
const MAX_MESSAGE_CHARS = 200

/** Longest file that is read, characters: no person writes more. */
const MAX_TEXT_CHARS = 1024 * 1024
/** Deepest nesting; each level is indented by at most four. */
const MAX_DEPTH = 64

/** Parse YAML 1.2 text, keeping positions. Size and aliases are bounded; an empty text is an empty mapping. */
export function parseYaml(text: string): DocumentResult<ParsedDocument> {
  if (text.length > MAX_TEXT_CHARS) {
    const message = `the file has ${text.length} characters, and at most ${MAX_TEXT_CHARS} are read`
    return { ok: false, faults: [{ line: null, path: '', message }] }
  }
  const deep = tooDeep(text)
  if (deep !== null) {
    const message = `it is nested more than ${MAX_DEPTH} deep`
    return { ok: false, faults: [{ line: deep, path: '', message }] }
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  if (document.errors.length > 0) {
    const faults = document.errors.map((error) => ({
      line: lines.linePos(error.pos[0]).line,
      path: '',
      message: error.message,
    }))
    return { ok: false, faults: bounded(faults) }
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 50 }) ?? {}
  } catch (error) {
    return {
      ok: false,
      faults: [{ line: null, path: '', message: error instanceof Error ? error.message : String(error) }],
    }
  }
  const lineOf = (path: readonly PropertyKey[]): number | null => {
    for (let depth = path.length; depth > 0; depth -= 1) {
      const node: unknown = document.getIn(path.slice(0, depth), true)
      const range = (node as { range?: [number, number, number] } | undefined)?.range
      if (range) return lines.linePos(range[0]).line
    }
    return null
  }
  const placeIn: ParsedDocument['placeIn'] = (path, offset) => {
    const at = sourceOffset(document, text, { path, offset })
    if (at === null) return null
    const { line, col } = lines.linePos(at)
    return { line, column: col }
  }
  return { ok: true, value: { value, lineOf, placeIn } }
}

/**
 * The first line, from 1, that is nested deeper than any file of ours; null when none is. The parser takes time in squares
 * of the depth, and the stack ends somewhere. Looks at indents, dashes and brackets alone, wherever they stand.
 */
function tooDeep(text: string): number | null {
  let open = 0
  for (const [index, line] of text.split('\n').entries()) {
    const blocks = /^[\s?-]*/.exec(line)?.[0].length ?? 0
    for (const char of line) {
      if (char === '[' || char === '{') open += 1
      else if (char === ']' || char === '}') open = Math.max(0, open - 1)
      if (open > MAX_DEPTH) return index + 1
    }
    if (blocks > 4 * MAX_DEPTH) return index + 1
  }
  return null
}

/** Where in the source a character of a scalar stands. */
function sourceOffset(
  document: Document.Parsed,
  text: string,
  { path, offset }: { path: readonly PropertyKey[]; offset: number },
): number | null {
  const node: unknown = document.getIn(path, true)
  if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return null
  const [from, to] = node.range
  const source = text.slice(from, to)
  if (node.type === 'BLOCK_LITERAL') return from + literalOffset(source, node as Scalar<string>, offset)
  const at = source.indexOf(node.value)
  return at < 0 ? null : from + at + offset
}

/** In a literal block each line stands behind its indentation; the first line of the source is the block's header. */
function literalOffset(source: string, { value }: Scalar<string>, offset: number): number {
  const before = value.slice(0, offset).split('\n')
  const sourceLines = source.split('\n')
  const start = sourceLines.slice(0, before.length).reduce((sum, line) => sum + line.length + 1, 0)
  const written = sourceLines[before.length] ?? ''
  const read = value.split('\n')[before.length - 1] ?? ''
  return start + Math.max(0, written.length - read.length) + (before.at(-1)?.length ?? 0)
}

/** Read YAML text against a schema; unknown keys are answered with the nearest known one. */
export function readDocument<T>(text: string, schema: z.ZodType<T>): DocumentResult<T> {
  const parsed = parseYaml(text)
  if (!parsed.ok) return parsed
  const checked = schema.safeParse(parsed.value.value)
  if (checked.success) return { ok: true, value: checked.data }
  return { ok: false, faults: bounded(checked.error.issues.flatMap((issue) => faultsOf(issue, parsed.value))) }
}

/** `file:line: path: message`, one fault; `file:line:column` where the column is known. */
export function describeFault(file: string, fault: DocumentFault): string {
  const line = fault.line === null ? file : `${file}:${fault.line}`
  const where = fault.column === undefined ? line : `${line}:${fault.column}`
  return fault.path === '' ? `${where}: ${fault.message}` : `${where}: ${fault.path}: ${fault.message}`
}

function faultsOf(issue: z.core.$ZodIssue, document: ParsedDocument): DocumentFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      line: document.lineOf([...issue.path, key]),
      path: [...issue.path, key].join('.'),
      message: 'unknown key; remove it or correct its spelling',
    }))
  }
  return [{ line: document.lineOf(issue.path), path: issue.path.join('.'), message: messageOf(issue) }]
}

/** The schema library's own words say what is wrong with a type, but not what to do about what is not there. */
function messageOf(issue: z.core.$ZodIssue): string {
  const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  return missing
    ? `is missing; write it as a ${issue.expected === 'object' ? 'mapping' : issue.expected}`
    : issue.message
}

/** What a person can read: the first faults in the order of the file, without a page of quoted bytes. */
function bounded(faults: readonly DocumentFault[]): DocumentFault[] {
  const inOrder = faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
  const shown = inOrder.slice(0, MAX_FAULTS).map((fault) => ({ ...fault, message: shortened(fault.message) }))
  const rest = inOrder.length - shown.length
  return rest === 0 ? shown : [...shown, { line: null, path: '', message: `and ${rest} more faults` }]
}

function shortened(message: string): string {
  const [first = ''] = message.split('\n')
  return first.length <= MAX_MESSAGE_CHARS ? first : `${first.slice(0, MAX_MESSAGE_CHARS)}…`
}

/** The candidate nearest to what was typed, for "did you mean"; null when none is near. */
export function nearest(typed: string, candidates: Iterable<string>): string | null {
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(typed.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(typed.toLowerCase(), candidate.toLowerCase())
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (beforePrevious[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      current.push(Math.min(substitution, swap, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1))
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length] ?? Math.max(a.length, b.length)
}
