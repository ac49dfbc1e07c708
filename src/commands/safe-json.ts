import { isSafe } from '../../protocol/untrusted-text.ts'

/**
 * A value as one line of JSON of which a terminal executes nothing, and which still says all: characters that are not
 * safe to show are escaped. They stand inside strings only, since all else of JSON is plain ASCII.
 */
export function safeJson(value: unknown): string {
  const text = JSON.stringify(value)
  if (isSafe(text)) return text
  return Array.from(text, (char) => (isSafe(char) ? char : escaped(char))).join('')
}

function escaped(char: string): string {
  return Array.from({ length: char.length }, (_, unit) => {
    return `\\u${char.charCodeAt(unit).toString(16).padStart(4, '0')}`
  }).join('')
}
