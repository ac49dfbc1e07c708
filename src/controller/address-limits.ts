/** How much of something an address may do. */
export interface Allowance {
  readonly perSec: number
  readonly burst: number
}

interface Bucket {
  tokens: number
  atMs: number
}

/** Addresses that are remembered at the same time; the longest quiet is forgotten, which only gives it its burst anew. */
const MAX_ADDRESSES = 50_000

/** A token bucket for each address. Times are monotonic ms. */
export class AddressLimits {
  readonly #allowance: Allowance
  readonly #buckets = new Map<string, Bucket>()

  constructor(allowance: Allowance) {
    this.#allowance = allowance
  }

  /** Whether an address may do it once more now; it counts when it may. */
  take(address: string, nowMs: number): boolean {
    const bucket = this.#bucketOf(address, nowMs)
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  /** Whether an address has used up what it may do; nothing is counted. */
  isSpent(address: string, nowMs: number): boolean {
    return this.#buckets.has(networkOf(address)) && this.#bucketOf(address, nowMs).tokens < 1
  }

  #bucketOf(address: string, nowMs: number): Bucket {
    const key = networkOf(address)
    const { perSec, burst } = this.#allowance
    const held = this.#buckets.get(key)
    const tokens = held === undefined ? burst : Math.min(burst, held.tokens + ((nowMs - held.atMs) / 1000) * perSec)
    const bucket = { tokens, atMs: nowMs }
    // Put in anew, so that the first of the map is the one that was quiet longest.
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > MAX_ADDRESSES) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return bucket
  }
}

/** Who is counted together: an IPv4 address, or the /64 that an IPv6 host can choose from. */
export function networkOf(address: string): string {
  if (address.startsWith('::ffff:')) return address.slice('::ffff:'.length)
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const parts = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    while (parts.length + after.length < 8) parts.push('0')
  }
  return `${[...parts, ...(tail === undefined || tail === '' ? [] : tail.split(':'))].slice(0, 4).join(':')}::/64`
}
