import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
  randomFillSync,
} from 'node:crypto'

/**
 * Keys of a store as they go from thread to thread. The last of `keys` seals what is written; all of them open what is
 * read. `lost` are the numbers of keys that an operator has declared gone for good.
 */
export interface StoreKeys {
  readonly keys: readonly StoreKey[]
  readonly lost: readonly number[]
}

/** One key: its number (1 up, as frames name it) and its 32 bytes. */
export interface StoreKey {
  readonly id: number
  readonly secret: Uint8Array
}

/** Seals the payloads of new frames. `header` is what the tag covers besides the payload. */
export interface Sealer {
  readonly keyId: number
  seal(header: Buffer, payload: Buffer): Buffer
}

const CIPHER = 'aes-256-gcm'
const SALT_BYTES = 16
const NONCE_BYTES = 12
const COUNTER_BYTES = 4
const TAG_BYTES = 16
/** By how much a sealed payload is longer: salt, nonce and tag. */
export const SEAL_BYTES = SALT_BYTES + NONCE_BYTES + TAG_BYTES
const CIPHERTEXT_AT = SALT_BYTES + NONCE_BYTES
const FRAMES_PER_SALT = 2 ** 20
const PURPOSE = 'edgedeck store frame 1'
const OPEN_SUBKEYS = 64
const RANDOM_AHEAD_BYTES = 512

/**
 * The keys of a store. Each sealed payload is `salt (16) ‖ nonce (12) ‖ AES-256-GCM ciphertext ‖ tag (16)`, under
 * HKDF-SHA-256(key, salt), so that it opens wherever it is copied to.
 *
 * No nonce comes twice under one key: a salt is 128 random bits, drawn at each start and after 2^20 frames, and the nonce is
 * a count of 32 bits and 64 random ones. Within a salt the count cannot repeat. Salts repeat by chance only: at 1 000 frames
 * a second for 100 years (2^42 frames, 2^22 salts, and as many starts) with 2^-83, however often the disk is restored or
 * copied, since nothing of this is read from it. Not covered is a machine whose running memory
 * is resumed twice, with the state of its random generator: such a twin must start its daemon anew. Data under one salt
 * stays under 2^44 bytes, far from what GCM bears.
 */
export class KeyRing {
  #keys: ReadonlyMap<number, Uint8Array> = new Map()
  #lost: ReadonlySet<number> = new Set()
  #sealer: FrameSealer | null = null
  readonly #subkeys = new Map<string, KeyObject>()

  /** @param keys null for a store that is not sealed */
  constructor(keys: StoreKeys | null) {
    if (keys !== null) this.replace(keys)
  }

  /** Go on with other keys. */
  replace({ keys, lost }: StoreKeys): void {
    this.#keys = new Map(keys.map(({ id, secret }) => [id, secret]))
    this.#lost = new Set(lost)
    this.#subkeys.clear()
    const active = keys.at(-1)
    this.#sealer = active === undefined ? null : new FrameSealer(active)
  }

  /** Seals under the active key; null when frames stay plain. */
  get sealer(): Sealer | null {
    return this.#sealer
  }

  get size(): number {
    return this.#keys.size
  }

  /** Whether what is sealed under this number can be opened; 0, a plain payload, always can. */
  has(keyId: number): boolean {
    return keyId === 0 || this.#keys.has(keyId)
  }

  /** Whether an operator said that this key will not come back. */
  isLost(keyId: number): boolean {
    return this.#lost.has(keyId)
  }

  /** Open a sealed payload; null without its key, or when payload or header are not what was sealed. */
  open(keyId: number, header: Buffer, sealed: Buffer): Buffer | null {
    const secret = this.#keys.get(keyId)
    if (secret === undefined || sealed.length < SEAL_BYTES) return null
    const subkey = this.#subkey(keyId, secret, sealed.subarray(0, SALT_BYTES))
    const decipher = createDecipheriv(CIPHER, subkey, sealed.subarray(SALT_BYTES, CIPHERTEXT_AT))
    decipher.setAAD(header)
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
    try {
      const payload = decipher.update(sealed.subarray(CIPHERTEXT_AT, sealed.length - TAG_BYTES))
      decipher.final()
      return payload
    } catch {
      return null
    }
  }

  #subkey(keyId: number, secret: Uint8Array, salt: Buffer): KeyObject {
    const name = `${keyId} ${salt.toString('latin1')}`
    const known = this.#subkeys.get(name)
    if (known !== undefined) return known
    const subkey = derive(secret, salt)
    const oldest = this.#subkeys.keys().next().value
    if (this.#subkeys.size >= OPEN_SUBKEYS && oldest !== undefined) this.#subkeys.delete(oldest)
    this.#subkeys.set(name, subkey)
    return subkey
  }
}

class FrameSealer implements Sealer {
  readonly keyId: number
  readonly #secret: Uint8Array
  #salt: Buffer = Buffer.alloc(0)
  #subkey: KeyObject | null = null
  /** Random bytes drawn ahead, and how many are used: drawing eight at a time costs as much as sealing. */
  readonly #random = Buffer.alloc(RANDOM_AHEAD_BYTES)
  #randomAt = RANDOM_AHEAD_BYTES
  #count = 0

  constructor({ id, secret }: StoreKey) {
    this.keyId = id
    this.#secret = secret
  }

  seal(header: Buffer, payload: Buffer): Buffer {
    const subkey = this.#subkeyInForce()
    const sealed = Buffer.allocUnsafe(payload.length + SEAL_BYTES)
    this.#salt.copy(sealed)
    sealed.writeUInt32LE(this.#count, SALT_BYTES)
    this.#takeRandom(sealed, SALT_BYTES + COUNTER_BYTES, NONCE_BYTES - COUNTER_BYTES)
    this.#count += 1
    const cipher = createCipheriv(CIPHER, subkey, sealed.subarray(SALT_BYTES, CIPHERTEXT_AT))
    cipher.setAAD(header)
    cipher.update(payload).copy(sealed, CIPHERTEXT_AT)
    cipher.final()
    cipher.getAuthTag().copy(sealed, sealed.length - TAG_BYTES)
    return sealed
  }

  #subkeyInForce(): KeyObject {
    if (this.#subkey !== null && this.#count < FRAMES_PER_SALT) return this.#subkey
    this.#salt = randomBytes(SALT_BYTES)
    this.#count = 0
    this.#subkey = derive(this.#secret, this.#salt)
    return this.#subkey
  }

  #takeRandom(into: Buffer, at: number, bytes: number): void {
    if (this.#randomAt + bytes > RANDOM_AHEAD_BYTES) {
      randomFillSync(this.#random)
      this.#randomAt = 0
    }
    this.#random.copy(into, at, this.#randomAt, this.#randomAt + bytes)
    this.#randomAt += bytes
  }
}

/** As a key object: one made of bytes anew for each frame takes three times as long as sealing 1 KiB. */
function derive(secret: Uint8Array, salt: Buffer): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, salt, PURPOSE, 32)))
}
