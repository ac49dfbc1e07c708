import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { readSshKey, type SshKey, sshFingerprintOf } from '../../identity/ssh-key.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { PERMISSIONS, type Rights, ROLES } from '../../protocol/rights.ts'
import { describeFault, readDocument } from '../../settings/document.ts'

/** Somebody who may log in, with the SSH keys that prove it. */
export interface Operator {
  readonly name: string
  readonly rights: Rights
  readonly keys: readonly SshKey[]
  /** Revocations of the name from before this time (Unix ms) do not keep the operator from logging in; null: any does. */
  readonly sinceMs: number | null
}

const MAX_OPERATORS = 10_000

const key = z.string().transform((line, context): SshKey => {
  const read = readSshKey(line)
  if (typeof read !== 'string') return read
  context.addIssue({ code: 'custom', message: read })
  return z.NEVER
})

/** A time with its zone, to Unix ms. */
const time = z
  .string({ error: 'expected a time such as "2026-11-25T10:32:07Z", in quotes' })
  .regex(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/,
    'expected a time such as "2026-11-25T10:32:07Z"',
  )
  .transform((text) => Date.parse(text))
  // The pattern knows no calendar: the 99th of a month has no time, and nothing is later than that.
  .refine((ms) => Number.isFinite(ms), 'there is no such day or hour')

const operator = z
  .strictObject({
    name: z.string().min(1).max(64),
    role: z.enum(ROLES, { error: `expected one of ${ROLES.join(', ')}` }),
    permissions: z.array(z.enum(PERMISSIONS, { error: `expected one of ${PERMISSIONS.join(', ')}` })).default([]),
    sites: z.union([z.literal('*'), z.array(z.string().min(1).max(253)).min(1)], {
      error: 'expected a list of sites, or "*" for all of them',
    }),
    since: time.optional(),
    keys: z.array(key, { error: 'expected a list of public SSH keys' }).min(1, 'expected at least one key').max(16),
  })
  .transform(({ name, role, permissions, sites, keys, since: sinceMs = null }): Operator => {
    return { name, rights: { role, permissions, sites }, keys, sinceMs }
  })

const schema = z.strictObject({
  operators: z
    .array(operator, { error: 'expected a list of operators, each "- name: NAME" with role, sites and keys' })
    .max(MAX_OPERATORS)
    .superRefine((operators, context) => {
      const names = new Set<string>()
      const owners = new Map<string, string>()
      operators.forEach(({ name, keys }, index) => {
        const blame = (path: PropertyKey[], message: string): void =>
          context.addIssue({ code: 'custom', path: [index, ...path], message })
        if (names.has(name)) blame(['name'], `"${name}" is listed twice; rename one`)
        names.add(name)
        keys.forEach((one, at) => {
          const id = sshFingerprintOf(one)
          const owner = owners.get(id)
          if (owner !== undefined) blame(['keys', at], `this key is listed for ${owner} too; a key is one person's`)
          owners.set(id, name)
        })
      })
    }),
})

/**
 * Read the file of operators (`operators.yaml`); `file` is for messages.
 * @throws EdgeError `CONFIG_INVALID` with every fault, its line and what to write instead.
 */
export function parseOperators(text: string, file: string): ReadonlyMap<string, Operator> {
  const read = readDocument(text, schema)
  if (read.ok) return new Map(read.value.operators.map((one) => [one.name, one]))
  throw new EdgeError('CONFIG_INVALID', {
    message: read.faults.map((fault) => describeFault(file, fault)).join('\n'),
    next: ['correct the lines named above'],
  })
}

/** {@link parseOperators} of a file. @throws EdgeError also `CONFIG_UNREADABLE`. */
export function loadOperators(file: string): ReadonlyMap<string, Operator> {
  try {
    return parseOperators(readFileSync(file, 'utf8'), file)
  } catch (cause) {
    if (cause instanceof EdgeError) throw cause
    throw new EdgeError('CONFIG_UNREADABLE', {
      message: `${file} cannot be read: ${messageOf(cause)}`,
      next: ['let it be readable for the controller, or correct operators.file'],
      cause,
    })
  }
}
