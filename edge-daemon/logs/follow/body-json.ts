import type { FieldValue } from '../lines/fields.ts'
import type { Draft } from './record-maker.ts'

/** Quotes, backslashes, controls and halves of pairs must be escaped; looked for one by one only in short texts. */
const QUOTE = 0x22
const BACKSLASH = 0x5c
const FIRST_PLAIN = 0x20
const FIRST_HALF = 0xd800
const LONG_CHARS = 512
/** The last source that was quoted: a batch is mostly of one. */
let lastSource = ''
let lastSourceJson = '""'

/** A body as `JSON.stringify` writes it, for the few shapes there are and so several times as quick. @param isBare @see Draft.isBare */
export function bodyJson(
  { level, source, msg, fields, origin, cut_chars: cutChars, before }: Draft['body'],
  isBare = false,
): string {
  if (source !== lastSource) {
    lastSource = source
    lastSourceJson = JSON.stringify(source)
  }
  let json = `{"level":"${level}","source":${lastSourceJson},"msg":${isBare ? `"${msg}"` : quoted(msg)}`
  if (fields !== undefined) json += `,"fields":${fieldsJson(fields)}`
  if (origin !== undefined) json += `,"origin":${quoted(origin)}`
  if (cutChars !== undefined) json += `,"cut_chars":${cutChars}`
  if (before !== undefined) json += `,"before":${JSON.stringify(before)}`
  return `${json}}`
}

function fieldsJson(fields: Readonly<Record<string, FieldValue>>): string {
  let json = ''
  for (const name of Object.keys(fields)) {
    const value = fields[name] ?? null
    const valueJson = typeof value === 'string' ? quoted(value) : Number.isNaN(value) ? 'null' : `${value}`
    json += `${json === '' ? '{' : ','}${quoted(name)}:${valueJson}`
  }
  return json === '' ? '{}' : `${json}}`
}

function quoted(text: string): string {
  if (text.length > LONG_CHARS) return JSON.stringify(text)
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < FIRST_PLAIN || code === QUOTE || code === BACKSLASH || code >= FIRST_HALF) return JSON.stringify(text)
  }
  return `"${text}"`
}
