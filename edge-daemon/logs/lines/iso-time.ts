/** A time in the form that nearly all programs write, and how many characters it takes. */
export interface IsoTime {
  /** Unix ms. */
  readonly timestamp: number
  readonly length: number
}

const ZERO = 0x30
/** The day of the last time that was read: of most lines it is that of the next. */
let lastDay = -1
let lastDayMs = 0

/**
 * Read `YYYY-MM-DD`, `T` or a blank, `hh:mm:ss`, up to nine digits of a fraction and `Z` at the beginning of a text, with a
 * blank or nothing behind it. Null for all else, which may still be a time: this is the quick way for the common form.
 */
export function plainIsoTime(text: string): IsoTime | null {
  if (text.length < 20 || text.charCodeAt(4) !== 0x2d || text.charCodeAt(7) !== 0x2d) return null
  const between = text.charCodeAt(10)
  if ((between !== 0x54 && between !== 0x20) || text.charCodeAt(13) !== 0x3a || text.charCodeAt(16) !== 0x3a)
    return null
  const century = twoDigits(text, 0)
  const years = twoDigits(text, 2)
  const month = twoDigits(text, 5)
  const day = twoDigits(text, 8)
  const hour = twoDigits(text, 11)
  const minute = twoDigits(text, 14)
  const second = twoDigits(text, 17)
  if (century < 1 || years < 0 || month < 1 || month > 12 || day < 1 || day > 31) return null
  if (hour < 0 || hour > 24 || minute < 0 || minute > 59 || second < 0 || second > 60) return null
  let at = 19
  let ms = 0
  const mark = text.charCodeAt(at)
  if (mark === 0x2e || mark === 0x2c) {
    at += 1
    const from = at
    let worth = 100
    for (; at - from < 9; at += 1) {
      const digit = text.charCodeAt(at) - ZERO
      if (!(digit >= 0 && digit <= 9)) break
      if (worth >= 1) ms += digit * worth
      worth /= 10
    }
    if (at === from) return null
  }
  if (text.charCodeAt(at) !== 0x5a) return null
  at += 1
  if (at < text.length && text.charCodeAt(at) !== 0x20) return null
  return {
    timestamp: midnightOf(century * 100 + years, month, day) + ((hour * 60 + minute) * 60 + second) * 1000 + ms,
    length: at,
  }
}

/** A number of two digits; -1 when there are none. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - ZERO
  const ones = text.charCodeAt(at + 1) - ZERO
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1
}

function midnightOf(year: number, month: number, day: number): number {
  const key = (year * 16 + month) * 32 + day
  if (key !== lastDay) {
    lastDay = key
    lastDayMs = Date.UTC(year, month - 1, day)
  }
  return lastDayMs
}
