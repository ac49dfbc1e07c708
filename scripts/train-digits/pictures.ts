import { PIXELS, SIDE } from './digits.ts'

/** The frame a digit is drawn on, pixels. */
export const FRAME = { width: 640, height: 480 } as const

/** Move a 28×28 picture by whole pixels; what leaves is lost, what comes in is black. */
export function moved(pixels: Uint8Array, down: number, right: number): Uint8Array {
  const result = new Uint8Array(PIXELS)
  for (let row = 0; row < SIDE; row += 1) {
    for (let column = 0; column < SIDE; column += 1) {
      const fromRow = row - down
      const fromColumn = column - right
      if (fromRow < 0 || fromRow >= SIDE || fromColumn < 0 || fromColumn >= SIDE) continue
      result[row * SIDE + column] = pixels[fromRow * SIDE + fromColumn] ?? 0
    }
  }
  return result
}

/** Where each pixel of an enlarged row lies between two of the 28 pixels. */
interface Taps {
  readonly low: Int32Array
  readonly high: Int32Array
  readonly part: Float64Array
}

/** What each of the 28 pixels covers of a longer row: all of `first` to `last` but for the ends, which count in part. */
interface Cover {
  readonly first: Int32Array
  readonly last: Int32Array
  readonly firstPart: Float64Array
  readonly lastPart: Float64Array
  readonly span: number
}

const COLUMN_TAPS = taps(FRAME.width)
const ROW_TAPS = taps(FRAME.height)
const COLUMN_COVER = cover(FRAME.width)
const ROW_COVER = cover(FRAME.height)

/** Draw a 28×28 picture over a whole 640×480 frame of bytes, interpolating linearly between pixel centres. */
export function drawnOnFrame(pixels: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME.width * FRAME.height)
  const line = new Float64Array(SIDE)
  const { low, high, part } = COLUMN_TAPS
  let position = 0
  for (let row = 0; row < FRAME.height; row += 1) {
    const above = (ROW_TAPS.low[row] as number) * SIDE
    const below = (ROW_TAPS.high[row] as number) * SIDE
    const down = ROW_TAPS.part[row] as number
    for (let column = 0; column < SIDE; column += 1) {
      const upper = pixels[above + column] as number
      line[column] = upper + ((pixels[below + column] as number) - upper) * down
    }
    for (let column = 0; column < FRAME.width; column += 1) {
      const left = line[low[column] as number] as number
      const right = line[high[column] as number] as number
      // Half a step more and cut off by the array is rounding, which as a call costs more than all the rest.
      frame[position] = left + (right - left) * (part[column] as number) + 0.5
      position += 1
    }
  }
  return frame
}

/** Shrink a 640×480 frame to 28×28 by averaging the area that each new pixel covers; values stay 0..255, unrounded. */
export function averagedBack(frame: Uint8Array): Float32Array {
  const narrow = new Float64Array(FRAME.height * SIDE)
  for (let row = 0; row < FRAME.height; row += 1) {
    average(COLUMN_COVER, { from: frame, start: row * FRAME.width, stride: 1 }, (column, value) => {
      narrow[row * SIDE + column] = value
    })
  }
  const picture = new Float32Array(PIXELS)
  for (let column = 0; column < SIDE; column += 1) {
    average(ROW_COVER, { from: narrow, start: column, stride: SIDE }, (row, value) => {
      picture[row * SIDE + column] = value
    })
  }
  return picture
}

interface Row {
  readonly from: Uint8Array | Float64Array
  readonly start: number
  readonly stride: number
}

function average(parts: Cover, { from, start, stride }: Row, put: (position: number, value: number) => void): void {
  for (let position = 0; position < SIDE; position += 1) {
    const first = parts.first[position] as number
    const last = parts.last[position] as number
    let sum = (from[start + first * stride] as number) * (parts.firstPart[position] as number)
    for (let at = first + 1; at < last; at += 1) sum += from[start + at * stride] as number
    sum += (from[start + last * stride] as number) * (parts.lastPart[position] as number)
    put(position, sum / parts.span)
  }
}

function taps(size: number): Taps {
  const result = { low: new Int32Array(size), high: new Int32Array(size), part: new Float64Array(size) }
  for (let position = 0; position < size; position += 1) {
    const at = Math.min(Math.max(((position + 0.5) * SIDE) / size - 0.5, 0), SIDE - 1)
    const low = Math.floor(at)
    result.low[position] = low
    result.high[position] = Math.min(low + 1, SIDE - 1)
    result.part[position] = at - low
  }
  return result
}

function cover(size: number): Cover {
  const span = size / SIDE
  const result = {
    first: new Int32Array(SIDE),
    last: new Int32Array(SIDE),
    firstPart: new Float64Array(SIDE),
    lastPart: new Float64Array(SIDE),
    span,
  }
  for (let position = 0; position < SIDE; position += 1) {
    const start = (position * size) / SIDE
    const stop = ((position + 1) * size) / SIDE
    const first = Math.floor(start)
    const last = Math.ceil(stop) - 1
    result.first[position] = first
    result.last[position] = last
    result.firstPart[position] = first + 1 - start
    result.lastPart[position] = stop - last
  }
  return result
}
