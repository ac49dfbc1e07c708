/** Shape of a reduction, in pixels. */
export interface AreaShape {
  readonly fromWidth: number
  readonly fromHeight: number
  readonly toWidth: number
  readonly toHeight: number
}

interface Span {
  readonly first: Int32Array
  readonly last: Int32Array
  /** Weight of the first and of the last source pixel of a cell; those between weigh 1. */
  readonly firstWeight: Float64Array
  readonly lastWeight: Float64Array
}

/**
 * Resize rows of luma (0..255) by area average: each target pixel is the mean of the source area it
 * covers, fractions included. Takes rows as a decoder makes them, so that the whole picture need not be held.
 */
export class AreaAverage {
  readonly #shape: AreaShape
  readonly #columns: Span
  readonly #rows: Span
  readonly #line: Float64Array
  readonly #sum: Float64Array
  #y = 0

  constructor(shape: AreaShape) {
    this.#shape = shape
    this.#columns = spans(shape.fromWidth, shape.toWidth)
    this.#rows = spans(shape.fromHeight, shape.toHeight)
    this.#line = new Float64Array(shape.toWidth)
    this.#sum = new Float64Array(shape.toWidth * shape.toHeight)
  }

  /** Add the next source row; `luma` holds at least `fromWidth` values. */
  addRow(luma: Uint8Array | Float32Array): void {
    const { toWidth, fromHeight, toHeight } = this.#shape
    this.#reduceLine(luma)
    const y = this.#y
    this.#y += 1
    const { first, last, firstWeight, lastWeight } = this.#rows
    const top = Math.floor((y * toHeight) / fromHeight)
    for (let row = top; row < toHeight && (first[row] as number) <= y; row += 1) {
      if ((last[row] as number) < y) continue
      const weight = y === first[row] ? (firstWeight[row] as number) : y === last[row] ? (lastWeight[row] as number) : 1
      const base = row * toWidth
      for (let x = 0; x < toWidth; x += 1) this.#sum[base + x] = this.#at(base + x) + (this.#line[x] as number) * weight
    }
  }

  /** The finished picture, row by row, every value divided by `divideBy`. */
  finish(divideBy: number): Float32Array {
    const { fromWidth, fromHeight, toWidth, toHeight } = this.#shape
    const scale = (toWidth * toHeight) / (fromWidth * fromHeight * divideBy)
    const pixels = new Float32Array(this.#sum.length)
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = this.#at(i) * scale
    return pixels
  }

  #at(index: number): number {
    return this.#sum[index] as number
  }

  #reduceLine(luma: Uint8Array | Float32Array): void {
    const { first, last, firstWeight, lastWeight } = this.#columns
    for (let cell = 0; cell < this.#line.length; cell += 1) {
      const from = first[cell] as number
      const to = last[cell] as number
      let sum = (luma[from] as number) * (firstWeight[cell] as number)
      for (let x = from + 1; x < to; x += 1) sum += luma[x] as number
      if (to > from) sum += (luma[to] as number) * (lastWeight[cell] as number)
      this.#line[cell] = sum
    }
  }
}

function spans(from: number, to: number): Span {
  const result = {
    first: new Int32Array(to),
    last: new Int32Array(to),
    firstWeight: new Float64Array(to),
    lastWeight: new Float64Array(to),
  }
  for (let cell = 0; cell < to; cell += 1) {
    // Whole-number arithmetic keeps the edges exact: start and end are in units of 1/to of a source pixel.
    const start = cell * from
    const end = start + from
    const first = Math.floor(start / to)
    const last = Math.ceil(end / to) - 1
    result.first[cell] = first
    result.last[cell] = last
    result.firstWeight[cell] = first === last ? from / to : 1 - (start - first * to) / to
    result.lastWeight[cell] = (end - last * to) / to
  }
  return result
}
