import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { FLEET_NAME } from '../../identity/names.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { type BusSeeds, newSeeds } from './accounts.ts'
import { SIGNING_ROLES } from './permissions.ts'
import { readSecret, replaceFile } from './private-file.ts'

const seed = (prefix: string) => z.string().regex(new RegExp(`^S${prefix}[A-Z2-7]{56}$`))

const seedsSchema = z.strictObject({
  operator: seed('O'),
  system: seed('A'),
  archive: seed('A'),
  fleet: seed('A'),
  signing: z.record(z.enum(SIGNING_ROLES), seed('A')),
})

/** What was set up: facts and decisions, no secret. */
const factsSchema = z.strictObject({
  v: z.literal(1),
  fleet: z.string().regex(FLEET_NAME),
  region: z.string().regex(/^[\w-]{1,64}$/),
  /** Sites that the streams hold; empty for all. */
  sites: z.array(z.string().min(1)),
  host: z.string().min(1),
  port: z.int().min(0).max(65_535),
  /** How clients reach it, e.g. `tls://hub.example:4222`; empty when nobody said so. */
  servers: z.array(z.string().min(1)),
  diskBytes: z.int().positive(),
  /** Users that were taken back: public key, and the time (Unix s) up to which credentials of it count no more. */
  revoked: z.record(z.string().regex(/^U[A-Z2-7]{55}$/), z.int().positive()),
})
/** @see factsSchema */
export type BusFacts = z.infer<typeof factsSchema>

/** The folder of a bus: its keys, which stay there, and what is made with them. Only this class knows its files. */
export class BusFolder {
  readonly dir: string

  constructor(dir: string) {
    this.dir = resolve(dir)
  }

  /** Where a file of the folder is. */
  path(...names: string[]): string {
    return join(this.dir, ...names)
  }

  get configFile(): string {
    return this.path('nats-server.conf')
  }

  get issuerFile(): string {
    return this.path('issuer.json')
  }

  get storeDir(): string {
    return this.path('jetstream')
  }

  /** Certificate, key and roots that the server's configuration names. */
  get tls(): { readonly cert: string; readonly key: string; readonly ca: string } {
    return { cert: this.path('tls', 'cert.pem'), key: this.path('tls', 'key.pem'), ca: this.path('tls', 'ca.pem') }
  }

  creds(name: string): string {
    return this.path('creds', `${name}.creds`)
  }

  /** What was set up here; null when nothing was. @throws EdgeError `BUS_UNUSABLE` when it is damaged */
  facts(): BusFacts | null {
    return this.#read('setup.json', factsSchema)
  }

  writeFacts(facts: BusFacts): void {
    this.writeSecret('setup.json', `${JSON.stringify(facts, null, 2)}\n`)
  }

  /**
   * The seeds. They are made when nothing was set up yet, and never again: with others every credential would be void.
   * @throws EdgeError `BUS_UNUSABLE` when they are damaged, or gone while other files are there
   */
  seeds(): BusSeeds {
    const kept = this.#read('seeds.json', seedsSchema)
    if (kept !== null) return kept
    if (this.facts() !== null) {
      throw unusable(`${this.path('seeds.json')} is gone, and ${this.path('setup.json')} is there`, [
        'put the copy back',
        'or set up in another folder, and give credentials to everybody anew',
      ])
    }
    const seeds = newSeeds()
    this.writeSecret('seeds.json', `${JSON.stringify(seeds, null, 2)}\n`)
    return seeds
  }

  /** Claims of the operator; null when they are not made yet. */
  operatorJwt(): string | null {
    try {
      return readFileSync(this.path('operator.jwt'), 'utf8').trim()
    } catch {
      return null
    }
  }

  writeSecret(name: string, text: string): void {
    replaceFile(this.path(name), text, 0o600)
  }

  write(name: string, text: string): void {
    replaceFile(this.path(name), text, 0o644)
  }

  #read<T>(name: string, schema: z.ZodType<T>): T | null {
    const text = readSecret(this.path(name))
    if (text === null) return null
    try {
      return schema.parse(JSON.parse(text))
    } catch {
      throw unusable(`${this.path(name)} is damaged`, ['put the copy back'])
    }
  }
}

function unusable(message: string, next: readonly string[]): EdgeError {
  return new EdgeError('BUS_UNUSABLE', { message, next })
}
