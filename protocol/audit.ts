import { z } from 'zod'
import { unixMs } from './bounds.ts'
import { ROLES } from './rights.ts'

/**
 * What is written down of whoever acts on a node: one record before a command is carried out and one after it, one for
 * what was refused, one for a picture that somebody was given, one when a session begins and one when it ends. Each names the one before it by its hash
 * (`audit-chain.ts`). Times are Unix ms, durations ms, names snake_case as in all records.
 */
export const AUDIT_PHASES = ['intent', 'outcome', 'refused', 'opened', 'closed'] as const
/** @see AUDIT_PHASES */
export type AuditPhase = (typeof AUDIT_PHASES)[number]

/** The verb of records that tell of a session and of no command. */
export const SESSION_VERB = 'session'
/** The verb of records that tell who was given a picture of a device, or was refused it. */
export const PICTURE_VERB = 'fetch'
/** The verb of the record behind which an account goes on that could not go on where it ended. */
export const BREAK_VERB = 'audit.break'
/** Most characters of arguments that a record repeats; the digest is over all of them. */
export const MAX_AUDIT_ARGS_CHARS = 2048

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const name = z.string().max(253)

/** Who it was, by their certificate; `local` came over the plain loopback listener, `unknown` showed no name that counts. */
export const auditWhoSchema = z.object({
  kind: z.enum(['local', 'operator', 'controller', 'service', 'node', 'unknown']),
  name,
  role: z.enum(ROLES).nullable(),
  /** Serial number of the certificate, hex. */
  serial: z.string().max(64).optional(),
  /** SHA-256 of the certificate, hex. */
  fingerprint: sha256.optional(),
})
/** @see auditWhoSchema */
export type AuditWho = z.infer<typeof auditWhoSchema>

/** Place in the chain of its writer: `n` counts from 1, `prev` is the hash of the record before, 64 zeros for none. */
export const auditChainSchema = z.object({ n: z.int().positive(), prev: sha256, hash: sha256 })
/** @see auditChainSchema */
export type AuditChain = z.infer<typeof auditChainSchema>

/** What the records of a node and those of an operator's console have in common. */
const said = {
  phase: z.enum(AUDIT_PHASES),
  verb: z.string().max(64),
  /** The arguments, secrets left out and bounded. */
  args: z.record(z.string(), z.json()).optional(),
  /** SHA-256 of the canonical JSON of all arguments, hex. */
  args_digest: sha256.optional(),
  /** Why, in the words of whoever signed it. */
  why: z.string().max(200).optional(),
  /** Nonce of the signed command: the records of one command have one, at both ends. */
  nonce: z.string().max(64).optional(),
  /** `n` of the intent that an outcome belongs to. */
  of: z.int().positive().optional(),
  /** `OK`, or the error code. */
  code: z.string().max(64).optional(),
  msg: z.string().max(500).optional(),
  duration_ms: z.number().nonnegative().optional(),
}

/**
 * What a node writes down.
 *
 * @example {"seq":7,"node_id":"n1","timestamp":1793000000000,"phase":"intent","verb":"resend","args":{"requestId":"r1","fromMs":0,"toMs":1},"args_digest":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","why":"hub lost a day","nonce":"q83vASNFZ4mrze8BI0VniQ","who":{"kind":"operator","name":"mia","role":"operator","serial":"0a1b","fingerprint":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"route":"direct","address":"10.0.0.9","chain":{"n":1,"prev":"0000000000000000000000000000000000000000000000000000000000000000","hash":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}}
 */
const auditRecord = {
  seq: z.int().nonnegative(),
  node_id: z.string().min(1),
  timestamp: unixMs,
  ...said,
  who: auditWhoSchema,
  /** Whose session carried the command, when it is not who signed it. */
  carrier: auditWhoSchema.optional(),
  route: z.enum(['direct', 'nats']),
  address: z.string().max(253),
  /** How many alike this record stands for, since the time `from`: a flood of refusals is summed up. */
  count: z.int().positive().optional(),
  from: unixMs.optional(),
  chain: auditChainSchema,
}
const plainAuditRecord = z.object(auditRecord)
/** @see auditRecord — what a newer node says besides stays, since the hash is over it too. */
export const auditRecordSchema = z.looseObject(auditRecord)
/** @see auditRecord */
export type AuditRecord = z.infer<typeof plainAuditRecord>
/** A record before it has its place on the node and in the chain. */
export type AuditEntry = Omit<AuditRecord, 'seq' | 'node_id' | 'chain'>

/**
 * What an operator's console writes down of what it sends, in a journal of its own. `node` is null for what goes to no
 * node, such as a login.
 *
 * @example {"journal":"0f3c9a5e7b1d42680f3c9a5e7b1d4268","operator":"mia","host":"bastion-1","timestamp":1793000000000,"phase":"outcome","verb":"resend","node":{"key":"press-4","site":"plant-a","name":"press-4"},"nonce":"q83vASNFZ4mrze8BI0VniQ","of":1,"code":"OK","duration_ms":12,"chain":{"n":2,"prev":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","hash":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}}
 */
const operatorAudit = {
  /** 128 random bits of the file, hex: one operator may have several machines, each with a journal. */
  journal: z.string().regex(/^[0-9a-f]{32}$/),
  operator: name,
  host: name,
  timestamp: unixMs,
  ...said,
  /** The operator's own word for it, and what it is called where that is known. */
  node: z.object({ key: name, site: name.optional(), name: name.optional() }).nullable(),
  chain: auditChainSchema,
}
const plainOperatorAudit = z.object(operatorAudit)
/** @see operatorAudit — loose, as {@link auditRecordSchema}. */
export const operatorAuditSchema = z.looseObject(operatorAudit)
/** @see operatorAudit */
export type OperatorAuditRecord = z.infer<typeof plainOperatorAudit>
/** A record before it has its place in the journal. */
export type OperatorAuditEntry = Omit<OperatorAuditRecord, 'journal' | 'operator' | 'host' | 'chain'>
