import { z } from 'zod'
import { unixMs } from './bounds.ts'
import { canonicalJson } from './canonical-json.ts'

/** Port of a controller when nobody says another. */
export const CONTROLLER_PORT = 5444
/** Largest body of a request to a controller. */
export const MAX_REQUEST_BYTES = 32 * 1024
/** Largest answer of a controller: mostly the deny list. */
export const MAX_ANSWER_BYTES = 8 * 1024 * 1024
/** Longest that `GET /v1/deny` is held while nothing changes, s. */
export const MAX_HOLD_SEC = 25
/** How long after the end of its certificate a node's key may still be renewed, ms (requirement S1). */
export const RENEWAL_GRACE_MS = 90 * 86_400_000
/** How far the clock of who logs in may be from the controller's, ms. */
export const LOGIN_SKEW_MS = 300_000

/**
 * The HTTP API of a controller, JSON both ways. What is asked with a body is a POST, the rest a GET; a success is 200 (or
 * the 304 below), everything else carries an {@link EnrolmentError}.
 */
export const CONTROLLER_PATHS = {
  trust: '/v1/trust',
  join: '/v1/join',
  renew: '/v1/renew',
  /**
   * The signed deny list, as `identity/deny-list.ts` reads it. With `?after=VERSION` it is answered when there is a later
   * version; after `hold` seconds (at most and by default {@link MAX_HOLD_SEC}) the answer is 304.
   */
  deny: '/v1/deny',
  time: '/v1/time',
  login: '/v1/login',
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
} as const

const fleet = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
const name = z.string().min(1).max(253)
/** 128 random bits, base64url. */
const nonce = z.string().regex(/^[A-Za-z0-9_-]{22}$/)
/** SHA-256, base64url. */
const digest = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
const signature = z.base64().max(1024)
const controllerUrl = z
  .string()
  .max(512)
  .refine((url) => /^https:\/\/[^/?#@\s]+\/?$/.test(url) && URL.canParse(url), {
    error: 'expected an address such as https://host:5444',
  })
/** A certificate signing request (PKCS #10) in PEM. */
const csr = z.string().max(8192)
/** Public part of an nkey of a NATS user; its seed never leaves the machine that made it. */
const natsKey = z.string().regex(/^U[A-Z2-7]{55}$/)
/** A document whose shape and signature `identity/` reads: here it is only carried. */
const signedDocument = z.record(z.string(), z.json())

/**
 * What a join token says (requirement S1): where to join and as what, a secret that is used once, and which root to
 * believe before anything is sent. Names are short because people copy it.
 */
export const joinTokenSchema = z.strictObject({
  /** Address of the controller. */
  u: controllerUrl,
  f: fleet,
  /** Site. */
  s: name,
  /** Node. */
  n: name,
  /** 256 random bits; the controller keeps their SHA-256 alone. */
  k: digest,
  /** SHA-256 of the root certificate. */
  p: digest,
})
/** @see joinTokenSchema */
export type JoinToken = z.infer<typeof joinTokenSchema>

const TOKEN_HEAD = 'edj1.'
const MAX_TOKEN_CHARS = 2048

/** A token as one word that can be pasted. */
export function joinTokenText(token: JoinToken): string {
  return `${TOKEN_HEAD}${Buffer.from(JSON.stringify(token)).toString('base64url')}`
}

/** Inverse of {@link joinTokenText}, blanks around it aside; null for what is cut off, changed or no token at all. */
export function readJoinToken(text: string): JoinToken | null {
  const word = text.trim()
  if (word.length > MAX_TOKEN_CHARS || !/^edj1\.[A-Za-z0-9_-]+$/.test(word)) return null
  try {
    const value: unknown = JSON.parse(Buffer.from(word.slice(TOKEN_HEAD.length), 'base64url').toString('utf8'))
    const token = joinTokenSchema.safeParse(value)
    return token.success ? token.data : null
  } catch {
    return null
  }
}

/**
 * Answer of `GET /v1/trust`: the signed roots of the fleet. Whoever asks for the first time compares with its pin before
 * it believes or sends anything.
 * @example {"v":1,"trust":{"v":1,"fleet":"acme","version":1,"roots":["-----BEGIN CERTIFICATE-----…"]}}
 */
export const trustAnswerSchema = z.strictObject({ v: z.literal(1), trust: signedDocument })
/** @see trustAnswerSchema */
export type TrustAnswer = z.infer<typeof trustAnswerSchema>

/**
 * `POST /v1/join`: a new node asks for its first certificate. Sending the same again, with the same key, is fine: the
 * answer may have been lost.
 * @example {"token":"edj1.eyJ1IjoiaHR0cHM6Ly9jOjU0NDQifQ","csr":"-----BEGIN CERTIFICATE REQUEST-----…"}
 */
export const joinRequestSchema = z.strictObject({
  token: z.string().max(MAX_TOKEN_CHARS),
  csr,
  natsKey: natsKey.optional(),
})
/** @see joinRequestSchema */
export type JoinRequest = z.infer<typeof joinRequestSchema>

/**
 * `POST /v1/renew`: a node asks for a new certificate for the key it has. The signature is by that key, so that an ended
 * certificate, which no TLS takes any more, can be renewed; a copy of the request gets its sender nothing without the key.
 * @example {"certificate":"-----BEGIN CERTIFICATE-----…","csr":"-----BEGIN CERTIFICATE REQUEST-----…","signature":"c2lnbmF0dXJl"}
 */
export const renewRequestSchema = z.strictObject({
  /** The certificate in force or ended, PEM, leaf first. */
  certificate: z.string().max(16_384),
  /** Of the same key. */
  csr,
  natsKey: natsKey.optional(),
  /** Over {@link renewText}, base64 (IEEE P1363). */
  signature,
})
/** @see renewRequestSchema */
export type RenewRequest = z.infer<typeof renewRequestSchema>

/** The text that the signature of a renewal is over. */
export function renewText({ certificate, csr: request, natsKey: key }: Omit<RenewRequest, 'signature'>): string {
  return `edgedeck renew v1\n${canonicalJson({ certificate, csr: request, ...(key === undefined ? {} : { natsKey: key }) })}`
}

/**
 * `POST /v1/login`: an operator asks for a certificate of a shift for a fresh session key, and proves who they are by the
 * SSH key that the controller knows of them.
 * @example {"name":"mia","csr":"-----BEGIN CERTIFICATE REQUEST-----…","at":1793000000000,"nonce":"q83vASNFZ4mrze8BI0VniQ","signature":"-----BEGIN SSH SIGNATURE-----…"}
 */
export const loginRequestSchema = z.strictObject({
  name,
  /** Of the session key. */
  csr,
  natsKey: natsKey.optional(),
  /** Unix ms of the operator's clock; see {@link LOGIN_SKEW_MS}. */
  at: unixMs,
  nonce,
  /** SSHSIG, armoured as `ssh-keygen -Y sign` writes it, over {@link loginText} in {@link LOGIN_NAMESPACE}. */
  signature: z.string().max(16_384),
})
/** @see loginRequestSchema */
export type LoginRequest = z.infer<typeof loginRequestSchema>

/** Namespace of the SSH signatures of logins (`ssh-keygen -Y sign -n`), which keeps them apart from all others. */
export const LOGIN_NAMESPACE = 'edgedeck-login'

/** The text that the signature of a login is over; `fleet` is who is asked, so that no other fleet can use it. */
export function loginText(
  { name: who, csr: request, natsKey: key, at, nonce: once }: Omit<LoginRequest, 'signature'>,
  fleetName: string,
): string {
  const said = { fleet: fleetName, name: who, csr: request, at, nonce: once }
  return `edgedeck login v1\n${canonicalJson({ ...said, ...(key === undefined ? {} : { natsKey: key }) })}`
}

/**
 * What whoever was enrolled takes home: answer of join, renew and login, and the file that `edgedeck pki sign` writes for
 * a site without a network.
 * @example {"v":1,"fleet":"acme","certificate":"-----BEGIN CERTIFICATE-----…","trust":{"v":1},"deny":null,"controllers":["https://c.example:5444"],"nats":{"servers":["tls://hub.example:4222"],"jwt":"eyJ0eXAiOiJKV1QifQ.e30.c2ln"}}
 */
export const enrolmentAnswerSchema = z.strictObject({
  v: z.literal(1),
  fleet,
  /** Leaf first, then what leads to the root; PEM. */
  certificate: z.string().max(65_536),
  /** The signed roots; `identity/trust-bundle.ts` reads them. */
  trust: signedDocument,
  /** The signed deny list; `identity/deny-list.ts` reads it. Null when there is none yet. */
  deny: signedDocument.nullable(),
  /** Where to renew; empty where no controller runs. */
  controllers: z.array(controllerUrl).max(8),
  /** How to reach NATS with the nkey that was sent; absent when none was, or when none is given out here. */
  nats: z.strictObject({ servers: z.array(z.string().max(512)).max(16), jwt: z.string().max(16_384) }).optional(),
})
/** @see enrolmentAnswerSchema */
export type EnrolmentAnswer = z.infer<typeof enrolmentAnswerSchema>

/**
 * Answer of `GET /v1/time?nonce=N`: what time it is, signed by the controller for this nonce, and which lists are in force.
 * @example {"v":1,"fleet":"acme","nonce":"q83vASNFZ4mrze8BI0VniQ","at":1793000000000,"deny":4,"trust":1,"signature":"c2lnbmF0dXJl","chain":["MIIB"]}
 */
export const timeAnswerSchema = z.strictObject({
  v: z.literal(1),
  fleet,
  nonce,
  /** Unix ms. */
  at: unixMs,
  /** Version of the deny list in force; 0 when there is none. */
  deny: z.int().nonnegative(),
  /** Version of the trust bundle in force. */
  trust: z.int().nonnegative(),
  /** Over {@link timeText}, base64 (IEEE P1363), by the first certificate of `chain`, which names a controller. */
  signature,
  /** DER in base64. */
  chain: z.array(z.base64().max(8192)).min(1).max(4),
})
/** @see timeAnswerSchema */
export type TimeAnswer = z.infer<typeof timeAnswerSchema>

/** The text that the signature of a time is over. */
export function timeText({
  v,
  fleet: of,
  nonce: once,
  at,
  deny,
  trust,
}: Omit<TimeAnswer, 'signature' | 'chain'>): string {
  return `edgedeck time v1\n${canonicalJson({ v, fleet: of, nonce: once, at, deny, trust })}`
}

/** Whether a text can be the nonce of a question. */
export function isNonce(text: string): boolean {
  return nonce.safeParse(text).success
}

/**
 * Body of every answer of a controller that is no success. `code` is one of `protocol/errors.ts` where the asker knows it.
 * @example {"code":"TOKEN_USED","message":"the token was used for another key","next":["ask for a new one: edgedeck pki token --site plant-a --node press-4"]}
 */
export const enrolmentErrorSchema = z.strictObject({
  code: z.string().regex(/^[A-Z][A-Z_]{2,40}$/),
  message: z.string().max(500),
  next: z.array(z.string().max(300)).max(8),
})
/** @see enrolmentErrorSchema */
export type EnrolmentError = z.infer<typeof enrolmentErrorSchema>
