import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { removeFile } from '../../durable/durable-file.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { readOwn, replaceFile } from './private-file.ts'

/** Name of the systemd credential that holds the node's key, when it does not lie in the state directory. */
export const KEY_CREDENTIAL = 'edgedeck-node-key'

/** Bits that a systemd credential must not have: its access list shows as rights of a group. */
const OTHERS = 0o007

/** How to come back to whom this node was enrolled by. */
export const enrolmentSchema = z.strictObject({
  v: z.literal(1),
  fleet: z.string(),
  /** Controllers, e.g. `https://controller.example:5444`; none where certificates are carried by hand. */
  controllers: z.array(z.string()).max(16),
  /** Servers of the bus that the node may use; none when nobody said so. */
  natsServers: z.array(z.string()).max(32),
})
/** @see enrolmentSchema */
export type Enrolment = z.infer<typeof enrolmentSchema>

const clockSchema = z.strictObject({ v: z.literal(1), floorMs: z.int().nonnegative() })

/** The files of a node's identity, `<state.dir>/identity`; only this class knows their names. */
export class IdentityFiles {
  readonly dir: string
  readonly #keyCredential: string | null

  constructor(stateDir: string, env: Readonly<Record<string, string | undefined>> = {}) {
    this.dir = join(stateDir, 'identity')
    const credential = join(env.CREDENTIALS_DIRECTORY ?? '', KEY_CREDENTIAL)
    this.#keyCredential = env.CREDENTIALS_DIRECTORY && existsSync(credential) ? credential : null
  }

  /** Where the key is read from, for messages. */
  get keyPath(): string {
    return this.#keyCredential ?? this.path('key.pem')
  }

  /** Private key in PEM; null when none was made yet. @throws EdgeError `IDENTITY_UNUSABLE`. */
  key(): string | null {
    return this.#keyCredential === null ? readOwn(this.keyPath) : readOwn(this.keyPath, OTHERS)
  }

  writeKey(pem: string): void {
    replaceFile(this.path('key.pem'), pem)
  }

  /** Certificate and its issuers in PEM; null while the node has not joined. */
  certificate(): string | null {
    return readOwn(this.path('cert.pem'), 0)
  }

  /** The node has joined from here on. */
  writeCertificate(pem: string): void {
    replaceFile(this.path('cert.pem'), pem, 0o644)
  }

  /** Trust bundle and deny list as JSON, still to be verified; null when there is none. */
  trust(): unknown {
    return this.#json('trust.json')
  }

  writeTrust(bundle: object): void {
    replaceFile(this.path('trust.json'), `${JSON.stringify(bundle)}\n`, 0o644)
  }

  deny(): unknown {
    return this.#json('deny.json')
  }

  writeDeny(list: object): void {
    replaceFile(this.path('deny.json'), `${JSON.stringify(list)}\n`, 0o644)
  }

  /** Unix ms; 0 when nothing is kept, or it is damaged: what was signed is in the other files too, so little is lost. */
  clockFloorMs(): number {
    const text = readOwn(this.path('clock.json'), 0)
    const parsed = clockSchema.safeParse(text === null ? null : jsonIn(text))
    return parsed.success ? parsed.data.floorMs : 0
  }

  writeClockFloor(floorMs: number): void {
    replaceFile(this.path('clock.json'), `${JSON.stringify({ v: 1, floorMs })}\n`)
  }

  enrolment(): Enrolment | null {
    const raw = this.#json('enrolment.json')
    if (raw === null) return null
    const parsed = enrolmentSchema.safeParse(raw)
    if (!parsed.success) throw damaged(this.path('enrolment.json'))
    return parsed.data
  }

  writeEnrolment(enrolment: Enrolment): void {
    replaceFile(this.path('enrolment.json'), `${JSON.stringify(enrolment, null, 2)}\n`)
  }

  /** Where the credentials for the bus are. */
  get natsCredsPath(): string {
    return this.path('nats.creds')
  }

  natsCreds(): string | null {
    return readOwn(this.natsCredsPath)
  }

  writeNatsCreds(text: string): void {
    replaceFile(this.natsCredsPath, text)
  }

  /** Seed of the bus key that a join under way has made. */
  natsSeed(): string | null {
    return readOwn(this.path('nats.seed'))
  }

  /** Keep a seed until there are credentials with it; null when there are. */
  writeNatsSeed(seed: string | null): void {
    if (seed === null) removeFile(this.path('nats.seed'))
    else replaceFile(this.path('nats.seed'), seed)
  }

  /** Where a file of the identity is. */
  path(name: string): string {
    return join(this.dir, name)
  }

  #json(name: string): unknown {
    const text = readOwn(this.path(name), 0)
    if (text === null) return null
    const value = jsonIn(text)
    if (value === undefined) throw damaged(this.path(name))
    return value
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A file that is not what it was when it was written. */
export function damaged(path: string, why = 'it is damaged'): EdgeError {
  return new EdgeError('IDENTITY_UNUSABLE', {
    message: `${path} cannot be used: ${why}`,
    next: ['put the copy back', 'or move the folder away and join anew: edge-daemon join --token TOKEN'],
  })
}
