import { eastAsianWidth } from 'get-east-asian-width'
import { isSafe, untrusted } from '../../../protocol/untrusted-text.ts'

const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\ud7b0-\ud7ff]$/u
const PICTOGRAPH = /^\p{Extended_Pictographic}$/u
const EMOJI = /^\p{Emoji}$/u
const MAX_MARKS = 4
const ZWJ = 0x200d
const EMOJI_SELECTOR = 0xfe0f

/** One column or two of a terminal row. */
export interface Cluster {
  /** What is written, always safe; see `isSafe`. */
  readonly text: string
  readonly columns: 1 | 2
}

/**
 * Cut text into what terminals put into one cell: a letter with its marks, a CJK character (2 columns), an emoji with
 * its modifiers and joined parts (2), a flag (2). Anything unsafe is replaced by its stand-in, floods of marks are cut.
 * After UAX #29 and UAX #11.
 */
export function* clustersOf(text: string): Generator<Cluster> {
  const clean = isSafe(text) ? text : untrusted(text)
  let index = 0
  while (index < clean.length) {
    if (isDrawing(clean.charCodeAt(index)) && !isExtender(clean.codePointAt(index + 1))) {
      yield { text: clean[index] ?? ' ', columns: 1 }
      index += 1
      continue
    }
    const end = clusterEnd(clean, index)
    const raw = clean.slice(index, end)
    index = end
    yield clusterFrom(raw)
  }
}

/** Columns that text takes on the screen. */
export function widthOf(text: string): number {
  if (isPlain(text)) return text.length
  let columns = 0
  for (const cluster of clustersOf(text)) columns += cluster.columns
  return columns
}

/** Cut text to at most so many columns; what is cut ends in `…`. A wide character is never split. */
export function truncate(text: string, maxColumns: number, ellipsis = '…'): string {
  if (maxColumns <= 0) return ''
  if (widthOf(text) <= maxColumns) return text
  const room = maxColumns - widthOf(ellipsis)
  let out = ''
  let columns = 0
  for (const cluster of clustersOf(text)) {
    if (columns + cluster.columns > room) break
    out += cluster.text
    columns += cluster.columns
  }
  return room < 0 ? '' : out + ellipsis
}

/** Text in lines of at most so many columns, broken between words; a word that is longer is cut into several. */
export function wrapWords(text: string, maxColumns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= maxColumns)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(...piecesOf(word, maxColumns))
  }
  return lines
}

function piecesOf(word: string, maxColumns: number): string[] {
  const pieces = ['']
  for (const { text, columns } of clustersOf(word)) {
    const last = pieces.at(-1) ?? ''
    if (last !== '' && widthOf(last) + columns > maxColumns) pieces.push(text)
    else pieces[pieces.length - 1] = last + text
  }
  return pieces
}

/** Cut or fill text to exactly so many columns. */
export function fitText(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const cut = truncate(text, columns)
  const blank = ' '.repeat(Math.max(0, columns - widthOf(cut)))
  return align === 'left' ? cut + blank : blank + cut
}

/** Columns of one code point; 0 for marks that sit on the character before. */
export function codePointColumns(codePoint: number): 0 | 1 | 2 {
  if (codePoint < 0x300 || isDrawing(codePoint)) return 1
  if (codePoint >= 0x4e00 && codePoint < 0xa000) return 2
  if (ZERO_WIDTH.test(String.fromCodePoint(codePoint))) return 0
  return eastAsianWidth(codePoint) === 2 ? 2 : 1
}

/**
 * How far terminals agree on the columns of a cluster: on `narrow` all do, on `wide` (CJK) those that know East Asian
 * widths, on `contested` (emoji, flags, joined marks) hardly two.
 */
export function agreementOn(cluster: string): 'narrow' | 'wide' | 'contested' {
  const code = cluster.charCodeAt(0)
  if (cluster.length > 1) return 'contested'
  if (code < 0x300 || isDrawing(code)) return 'narrow'
  if (PICTOGRAPH.test(cluster)) return 'contested'
  return codePointColumns(code) === 2 ? 'wide' : 'narrow'
}

/** Columns of a terminal that knows no clusters and counts code points alone: the most that a cluster may smear. */
export function smearColumns(cluster: string): number {
  let columns = 0
  for (const char of cluster) columns += codePointColumns(char.codePointAt(0) ?? 0)
  return columns
}

function clusterEnd(text: string, start: number): number {
  const first = text.codePointAt(start) ?? 0
  let end = start + unitsOf(first)
  if (first < 0x300 && !isExtender(text.codePointAt(end))) return end
  if (isRegional(first)) {
    const second = text.codePointAt(end)
    return second !== undefined && isRegional(second) ? end + 2 : end
  }
  const pictograph = PICTOGRAPH.test(String.fromCodePoint(first))
  for (;;) {
    const next = text.codePointAt(end)
    if (next === undefined) return end
    if (next === ZWJ && pictograph) {
      end += 1
      const joined = text.codePointAt(end)
      if (joined !== undefined && PICTOGRAPH.test(String.fromCodePoint(joined))) end += unitsOf(joined)
    } else if (pictograph && next >= 0x1f3fb && next <= 0x1f3ff) end += 2
    else if (isExtender(next)) end += unitsOf(next)
    else return end
  }
}

function clusterFrom(raw: string): Cluster {
  const first = raw.codePointAt(0) ?? 0x20
  if (raw.length === 1 && first < 0x300) return { text: raw, columns: 1 }
  const points = [...raw]
  if (codePointColumns(first) === 0) return { text: ` ${points.slice(0, MAX_MARKS).join('')}`, columns: 1 }
  if (isRegional(first)) return { text: raw, columns: points.length > 1 ? 2 : 1 }
  const emoji = EMOJI.test(points[0] ?? '') && raw.includes(String.fromCodePoint(EMOJI_SELECTOR))
  if (emoji) return { text: raw, columns: 2 }
  const base = codePointColumns(first) === 2 ? 2 : 1
  const joined = PICTOGRAPH.test(points[0] ?? '') && points.length > 1 && raw.includes(String.fromCodePoint(ZWJ))
  return { text: points.slice(0, joined ? 16 : 1 + MAX_MARKS).join(''), columns: joined ? 2 : base }
}

/** Box drawing, blocks and braille: one column everywhere, and most of what charts are made of. */
function isDrawing(codePoint: number): boolean {
  return (codePoint >= 0x2500 && codePoint < 0x25a0) || (codePoint >= 0x2800 && codePoint < 0x2900)
}

function isExtender(codePoint: number | undefined): boolean {
  return codePoint !== undefined && codePoint >= 0x300 && codePointColumns(codePoint) === 0
}

function isRegional(codePoint: number): boolean {
  return codePoint >= 0x1f1e6 && codePoint <= 0x1f1ff
}

function unitsOf(codePoint: number): 1 | 2 {
  return codePoint > 0xffff ? 2 : 1
}

/** ASCII and drawing alone: one column each, and nothing that joins them. */
function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if ((code < 0x20 || code > 0x7e) && !isDrawing(code)) return false
  }
  return true
}
