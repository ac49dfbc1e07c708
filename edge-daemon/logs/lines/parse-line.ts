import type { LineFormat } from '../../config/followed-logs.ts'
import { parseJsonLine } from './json-line.ts'
import { parseKlogLine } from './klog-line.ts'
import { levelInText } from './level.ts'
import { parseLogfmtLine } from './logfmt-line.ts'
import type { ParsedLine } from './parsed.ts'
import { parsePlainLine } from './plain-line.ts'

// Colours are what is cut out.
const ANSI = /\u001b(?:\[[0-9;:?]*[ -/]*[@-~]?|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|.)?/g

/** A line as programs mean it: without colours and other terminal codes, NULs and the carriage return at its end. */
export function cleanLine(raw: string): string {
  let text = raw
  if (text.includes('\u001b')) text = text.replace(ANSI, '')
  if (text.includes('\0')) text = text.replaceAll('\0', '')
  return text.endsWith('\r') ? text.slice(0, -1) : text
}

/**
 * What a line tells, by how it is written; a line that is not written so is text. Never throws; time grows with the length.
 * @param nowMs when it was read, Unix ms: infers years, and what is absurdly far from it is not believed
 */
export function parseLine(text: string, format: LineFormat, nowMs: number): ParsedLine {
  switch (format) {
    case 'json':
      return parseJsonLine(text, nowMs) ?? cutShort(text, nowMs)
    case 'logfmt':
      return parseLogfmtLine(text, nowMs) ?? parsePlainLine(text, nowMs)
    case 'klog':
      return parseKlogLine(text, nowMs) ?? parsePlainLine(text, nowMs)
    case 'plain':
      return parsePlainLine(text, nowMs)
    case 'auto':
      return parseAny(text, nowMs)
  }
}

function parseAny(text: string, nowMs: number): ParsedLine {
  const first = text.charCodeAt(0)
  if (first === 0x7b) return parseJsonLine(text, nowMs) ?? cutShort(text, nowMs)
  if (/^[IWEF]\d{4} /.test(text)) return parseKlogLine(text, nowMs) ?? parsePlainLine(text, nowMs)
  // Most lines have no `=` so near their begin, which is sooner seen than that they do not match.
  const assigns = text.indexOf('=')
  if (assigns > 0 && assigns <= 64 && /^[\w.@-]{1,64}=/.test(text))
    return parseLogfmtLine(text, nowMs) ?? parsePlainLine(text, nowMs)
  return parsePlainLine(text, nowMs)
}

/** JSON that was longer than a line may be still names its level. */
function cutShort(text: string, nowMs: number): ParsedLine {
  if (!text.startsWith('{')) return parsePlainLine(text, nowMs)
  return { timestamp: null, level: levelInText(text.slice(0, 4096)), msg: text, fields: null }
}
