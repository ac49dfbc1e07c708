import { createUser, fromPublic, fromSeed } from '@nats-io/nkeys'
import { z } from 'zod'
import { MAX_TIME_MS } from '../protocol/bounds.ts'
import { DOMAIN_TAG, OURS_TAG } from '../protocol/bus-users.ts'

/** A key of a user of the bus (an nkey, Ed25519); the seed is the secret and stays where it was made. */
export interface NatsKey {
  /** `U…`, 56 characters. */
  readonly publicKey: string
  /** `SU…`, 58 characters. */
  readonly seed: string
}

/** What a user of the bus shows to a server: who it is, by whom and until when, and the key to prove it. */
export interface NatsCredentials {
  readonly jwt: string
  readonly key: NatsKey
  /** Name of the user, as `protocol/bus-users.ts` makes it. */
  readonly name: string
  /** Whether they are for a bus that `edgedeck nats setup` made, with its permissions. */
  readonly isOurs: boolean
  /** JetStream domain that the bus asks to be spoken to in; null for the server's own. */
  readonly domain: string | null
  /** Unix ms; null for ever. */
  readonly expiresAtMs: number | null
}

const claimsSchema = z.object({
  sub: z.string(),
  name: z.string().min(1),
  exp: z
    .int()
    .nonnegative()
    .max(MAX_TIME_MS / 1000)
    .optional(),
  nats: z.object({ tags: z.array(z.string()).optional() }).optional(),
})
const DOMAIN = new RegExp(`^${DOMAIN_TAG}:([\\w-]{1,64})$`)
const encoder = new TextEncoder()

/** A fresh key. */
export function newNatsKey(): NatsKey {
  const pair = createUser()
  return { publicKey: pair.getPublicKey(), seed: new TextDecoder().decode(pair.getSeed()) }
}

/** The key of a seed; null for what is no seed of a user. */
export function natsKeyOf(seed: string): NatsKey | null {
  try {
    const publicKey = fromSeed(encoder.encode(seed)).getPublicKey()
    return publicKey.startsWith('U') ? { publicKey, seed } : null
  } catch {
    return null
  }
}

/** Whether a text is the public key of a user, checksum included. */
export function isNatsUserKey(text: string): boolean {
  try {
    return /^U[A-Z2-7]{55}$/.test(text) && fromPublic(text).getPublicKey() === text
  } catch {
    return false
  }
}

/** The text of a `.creds` file, as every NATS client reads it. */
export function credentialsText(jwt: string, { seed }: Pick<NatsKey, 'seed'>): string {
  return `-----BEGIN NATS USER JWT-----
${jwt}
------END NATS USER JWT------

Whoever has the seed below is this user of the bus: keep the file to yourself.

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`
}

/** Inverse of {@link credentialsText}; null for what is damaged, or where key and user are not of each other. Believes nothing. */
export function readCredentials(text: string): NatsCredentials | null {
  const jwt = /BEGIN NATS USER JWT-+\s+(\S+)\s+-+END/.exec(text)?.[1]
  const seed = /BEGIN USER NKEY SEED-+\s+(\S+)\s+-+END/.exec(text)?.[1]
  const key = seed === undefined ? null : natsKeyOf(seed)
  const claims = jwt === undefined ? null : claimsIn(jwt)
  if (jwt === undefined || key === null || claims === null || claims.sub !== key.publicKey) return null
  const { name, exp, nats } = claims
  const tags = nats?.tags ?? []
  const [domain = null] = tags.flatMap((tag) => DOMAIN.exec(tag)?.[1] ?? [])
  return {
    jwt,
    key,
    name,
    isOurs: tags.includes(OURS_TAG),
    domain,
    expiresAtMs: exp === undefined || exp === 0 ? null : exp * 1000,
  }
}

function claimsIn(jwt: string): z.infer<typeof claimsSchema> | null {
  try {
    return claimsSchema.parse(JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()))
  } catch {
    return null
  }
}
