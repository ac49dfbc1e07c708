import { z } from 'zod'
import { packageItemSchema } from './change.ts'
import { MAX_PACKAGE_BYTES, MAX_PACKAGE_FILE_BYTES } from './package.ts'

/**
 * How a console brings a package to a node over its link, for fleets without a store that nodes reach. `package.offer`
 * says which, once, signed; the node answers what it wants of it. `package.put` then carries stretches of that: the
 * statement first, and nothing else before that is believed. Everything is named by its content, so each may be sent again.
 */

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const count = z.int().nonnegative().max(MAX_PACKAGE_BYTES)
/** `statement` is `package.sig`; else a file of the package. */
const blobName = z.union([z.literal('statement'), sha256])

/** Most bytes that one `package.put` carries. */
export const PUT_BYTES = 128 * 1024
/** How many of them a console has under way, so that the node holds no more. */
export const PUTS_UNDER_WAY = 3

/** Arguments by verb. */
export const DELIVERY_ARGS = {
  'package.offer': z.strictObject({
    item: packageItemSchema,
    statementBytes: z.int().min(1).max(MAX_PACKAGE_FILE_BYTES),
  }),
  'package.put': z.strictObject({
    digest: sha256,
    blob: blobName,
    offset: count,
    data: z.base64().max(Math.ceil(PUT_BYTES / 3) * 4),
  }),
} as const

/** What of a package a node wants, and how much of that it has. */
export const wantedSchema = z.object({ blob: blobName, bytes: count, have: count })
/** @see wantedSchema */
export type Wanted = z.infer<typeof wantedSchema>

/**
 * Answer to both verbs. `kept` when the package is there whole. `wanted` in the answer to an offer, and to the put that
 * completed the statement; `have` in that to a put: from where on the node wants this blob, which after a doubt is
 * elsewhere than the console thought.
 */
export const takenSchema = z.object({
  kept: z.boolean(),
  have: count.optional(),
  wanted: z.array(wantedSchema).max(513).optional(),
})
/** @see takenSchema */
export type Taken = z.infer<typeof takenSchema>
