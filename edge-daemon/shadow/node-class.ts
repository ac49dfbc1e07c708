import { availableParallelism, totalmem } from 'node:os'

/** What a node is able to do, as far as its class depends on it. */
export interface Machine {
  readonly cores: number
  readonly memoryBytes: number
  /** The reference run, ms; see {@link referenceMs}. */
  readonly referenceMs: number
}

/**
 * From here on a node is heavy: half of what requirement I3 calls heavy (8 cores, 16 GB; a little is always missing to
 * the full gigabyte), and cores of at least a third of the speed of a server's.
 */
export const HEAVY = { cores: 4, memoryBytes: 7e9, referenceMs: 5 } as const

/** Class of a node by what was measured on it (requirement I3). */
export function nodeClassOf({ cores, memoryBytes, referenceMs }: Machine): 'light' | 'heavy' {
  const isHeavy = cores >= HEAVY.cores && memoryBytes >= HEAVY.memoryBytes && referenceMs <= HEAVY.referenceMs
  return isHeavy ? 'heavy' : 'light'
}

/** What this process may use of its machine. */
export function machine(): Machine {
  const limit = process.constrainedMemory()
  const memoryBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  return { cores: availableParallelism(), memoryBytes, referenceMs: referenceMs() }
}

const SIDE = 96
const RUNS = 15

/**
 * The quickest of some products of two 96×96 matrices of 32-bit floats, ms: what a core is able to do, whatever else the
 * machine does meanwhile. Takes tens of milliseconds of the thread, so ask before anything is served.
 */
function referenceMs(): number {
  const a = new Float32Array(SIDE * SIDE).fill(0.5)
  const b = new Float32Array(SIDE * SIDE).fill(0.25)
  const product = new Float32Array(SIDE * SIDE)
  let quickest = Number.POSITIVE_INFINITY
  for (let run = 0; run < RUNS; run += 1) {
    const startedAtMs = performance.now()
    multiply(a, b, product)
    quickest = Math.min(quickest, performance.now() - startedAtMs)
  }
  return quickest
}

function multiply(a: Float32Array, b: Float32Array, product: Float32Array): void {
  for (let row = 0; row < SIDE; row += 1) {
    for (let inner = 0; inner < SIDE; inner += 1) {
      const factor = a[row * SIDE + inner] as number
      for (let column = 0; column < SIDE; column += 1) {
        const at = row * SIDE + column
        product[at] = (product[at] as number) + factor * (b[inner * SIDE + column] as number)
      }
    }
  }
}
