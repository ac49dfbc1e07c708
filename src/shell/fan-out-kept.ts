import { createHash, type Hash } from 'node:crypto'

/** What is kept of an output: its first bytes, and how many there were in all. */
export interface KeptText {
  /** What is not UTF-8 stands as U+FFFD; untrusted. */
  readonly text: string
  readonly keptBytes: number
  readonly totalBytes: number
  /** Tells outputs apart that differ in what was not kept: a digest of every byte. */
  readonly digest: string
}

/** Nothing was written. */
export const NO_OUTPUT: KeptText = { text: '', keptBytes: 0, totalBytes: 0, digest: '' }

/** Keeps the first bytes of a program's outputs within one bound for all of them, and counts the rest. */
export class KeptOutputs {
  readonly stdout = new KeptOutput(this)
  readonly stderr = new KeptOutput(this)
  /** Whether anything is kept at all. */
  readonly isWanted: boolean
  #roomBytes: number

  constructor(maxBytes: number) {
    this.isWanted = maxBytes > 0
    this.#roomBytes = maxBytes
  }

  /** How many of so many bytes may still be kept; they count as taken. */
  take(bytes: number): number {
    const granted = Math.min(bytes, this.#roomBytes)
    this.#roomBytes -= granted
    return granted
  }
}

class KeptOutput {
  readonly #budget: KeptOutputs
  readonly #chunks: Buffer[] = []
  #keptBytes = 0
  #totalBytes = 0
  #hash: Hash | null = null

  constructor(budget: KeptOutputs) {
    this.#budget = budget
  }

  push(chunk: Buffer): void {
    this.#totalBytes += chunk.length
    if (this.#budget.isWanted) {
      this.#hash ??= createHash('sha256')
      this.#hash.update(chunk)
    }
    const kept = this.#budget.take(chunk.length)
    if (kept === 0) return
    // A copy: a piece of a network buffer would keep the whole of it.
    this.#chunks.push(Buffer.from(chunk.subarray(0, kept)))
    this.#keptBytes += kept
  }

  done(): KeptText {
    const bytes = Buffer.concat(this.#chunks)
    const isCut = this.#keptBytes < this.#totalBytes
    const text = (isCut ? bytes.subarray(0, wholeCharacters(bytes)) : bytes).toString('utf8')
    return { text, keptBytes: this.#keptBytes, totalBytes: this.#totalBytes, digest: this.#hash?.digest('hex') ?? '' }
  }
}

/** Bytes up to where the last character is whole; a bound does not turn half a character into a stand-in. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return bytes.length
    if (byte < 0xc0) continue
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
    return needed > back ? bytes.length - back : bytes.length
  }
  return bytes.length
}
