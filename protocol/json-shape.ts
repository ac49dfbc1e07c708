/** How deep and how large a JSON text may be. */
export interface JsonShape {
  /** Arrays and objects inside each other; 1 is a flat one. */
  readonly depth: number
  /** Values of all kinds together; keys count as well. */
  readonly values: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_ARRAY = 0x5b
const OPEN_OBJECT = 0x7b
const CLOSE_ARRAY = 0x5d
const CLOSE_OBJECT = 0x7d
const COMMA = 0x2c
const COLON = 0x3a

/**
 * Why a JSON text is over a shape; null when it is not. Looks at the text alone, in one pass and without memory, so it goes
 * before the parser and the schema: what they build of 256 KiB can be a hundred times as large. Does not tell whether the
 * text is JSON.
 */
export function shapeFault(text: string, shape: JsonShape): string | null {
  let depth = 0
  let values = 1
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at)
        break
      case OPEN_ARRAY:
      case OPEN_OBJECT:
        depth += 1
        values += 1
        if (depth > shape.depth) return `it is nested more than ${shape.depth} deep`
        break
      case CLOSE_ARRAY:
      case CLOSE_OBJECT:
        depth -= 1
        break
      case COMMA:
      case COLON:
        values += 1
        break
      default:
    }
    if (values > shape.values) return `it holds more than ${shape.values} values`
  }
  return null
}

/** Place of the quote that ends the string which begins here; the end of the text when none does. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char === BACKSLASH) at += 1
    else if (char === QUOTE) return at
  }
  return text.length
}

/** Outcome of reading a JSON text from outside. */
export type ReadJson = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly msg: string }

/** Parse a JSON text that is within a shape. Never throws. */
export function readJson(text: string, shape: JsonShape): ReadJson {
  const fault = shapeFault(text, shape)
  if (fault !== null) return { ok: false, msg: fault }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false, msg: 'it is not JSON' }
  }
}
