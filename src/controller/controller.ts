import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { makeFolderSync } from '../../durable/make-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { AddressLimits } from './address-limits.ts'
import { Authority } from './authority.ts'
import { busCredentials } from './bus-credentials.ts'
import { clockFault } from './clock.ts'
import type { ControllerConfig } from './config.ts'
import { type ControllerFacts, Counters } from './counters.ts'
import { DenyWaiters } from './deny-waiters.ts'
import { Door, listenError } from './door.ts'
import { Enrolment } from './enrolment.ts'
import { ControllerIdentity } from './fleet-identity.ts'
import { Journal } from './journal.ts'
import { Ledger, type LedgerEntry, ledgerEntrySchema } from './ledger.ts'
import { lockFolder } from './lock.ts'
import type { ControllerLog } from './log.ts'
import { Login } from './login.ts'
import { OperatorBook } from './operator-book.ts'
import { refuse } from './outcome.ts'
import { type OwnCertificate, ownCertificate } from './own-certificate.ts'
import { ownerOfName } from './owner-of-name.ts'
import { passphraseOf } from './passphrase.ts'
import { ControllerRollouts } from './rollouts.ts'
import { Routes } from './routes.ts'

/** File of joins in the state folder. */
export const JOINS_FILE = 'joins.ndjson'

/** What a {@link Controller} is made of. */
export interface ControllerOptions {
  readonly config: ControllerConfig
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: ControllerLog
  /** Unix ms. */
  readonly now?: () => number
}

/** How often changed files are looked for, ms: what the command line revokes is served within two seconds. */
const LOOK_EVERY_MS = 500
const LOOK_AT_CERTIFICATE_MS = 3_600_000
const STOP_GRACE_MS = 10_000

/** The control plane of a fleet in its first form: it enrols nodes and operators, serves trust and deny lists, and tells its health. */
export class Controller {
  readonly #options: ControllerOptions
  readonly #now: () => number
  readonly #counters = new Counters()
  readonly #waiters = new DenyWaiters()
  readonly #ledger = new Ledger()
  readonly #startedAtMs: number
  readonly #undo: (() => void | Promise<void>)[] = []
  #lastLookMs = performance.now()
  #isMakingCertificate = false

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#startedAtMs = this.#now()
  }

  /**
   * Open everything and listen; {@link stop} undoes whatever was done, also after a start that failed.
   * @returns the port
   * @throws EdgeError
   */
  async start(): Promise<{ readonly port: number; readonly metricsPort: number | null }> {
    const { config, env, log } = this.#options
    const now = this.#now
    makeFolder(config.state.dir)
    this.#undo.push(lockFolder(config.state.dir))
    const ledger = this.#ledger
    const authority = new Authority({
      dir: config.pki.dir,
      passphrase: () => passphraseOf(config.pki.passphraseFile, env),
      log,
      now,
      onOffline: (record) => ownerOfName(record, ledger),
    })
    this.#undo.push(() => authority.close())
    const journal = new Journal<LedgerEntry>(join(config.state.dir, JOINS_FILE), ledgerEntrySchema, (e) =>
      ledger.add(e),
    )
    await journal.open().catch((cause: unknown) => {
      throw unusable(config.state.dir, cause)
    })
    this.#undo.push(() => journal.close())
    const book = new OperatorBook(config.operators.file, log)
    const credentials = config.nats.issuer === null ? null : busCredentials(config.nats.issuer, authority.fleet)
    const fault = (): string | null =>
      clockFault(now(), Math.max(authority.newestMs, ledger.newestMs), authority.issuing.validToDate.getTime())
    const atStart = fault()
    if (atStart !== null) log.log('error', 'clock.wrong', `nothing is given out: ${atStart}`)
    let own = await this.#ownCertificate(authority)
    const rollouts = this.#rollouts(authority, () => own)

    const perAddress = { perSec: config.limits.perAddressPerSec, burst: config.limits.burst }
    const addresses = new AddressLimits(perAddress)
    const perMin = config.limits.refusalsPerMin
    const counters = this.#counters
    const enrolment = new Enrolment({
      authority,
      ledger,
      journal,
      log,
      sites: config.sites,
      controllers: [config.publicUrl],
      credentials,
      now,
    })
    const facts = (): ControllerFacts => this.#facts(authority, { own, door, book, fault, rollouts })
    const routes = new Routes({
      authority,
      enrolment,
      login: new Login({ authority, enrolment, operators: () => book.operators, log, now }),
      own: () => own,
      waiters: this.#waiters,
      addresses,
      refusals: new AddressLimits({ perSec: perMin / 60, burst: perMin }),
      counters,
      metricsText: () => counters.render(facts()),
      fault,
      log,
      now,
    })
    const { listen, limits } = config
    const door = new Door({ listen, limits, addresses, counters, onRequest: routes.handle }, own)
    this.#undo.push(authority.onChange(() => this.#waiters.wake()))
    const look = setInterval(() => {
      authority.refresh()
      book.refresh()
      this.#lookAtCertificate(authority, own, (next) => {
        own = next
        door.use(next)
      })
    }, LOOK_EVERY_MS)
    this.#undo.push(() => clearInterval(look))
    const metricsPort = config.metrics.listen === null ? null : await this.#serveMetrics(config.metrics.listen, routes)
    const port = await door.start()
    this.#undo.push(async () => {
      this.#waiters.wake()
      await door.stop(STOP_GRACE_MS)
    })
    await rollouts?.start()
    if (rollouts !== null) this.#undo.push(() => rollouts.stop())
    const ready = { port, metricsPort, fleet: authority.fleet, names: ledger.names, operators: book.operators.size }
    log.log('info', 'listening', `the controller of ${authority.fleet} listens`, { ...ready, pid: process.pid })
    return { port, metricsPort }
  }

  /** Finish what is being answered and give everything back. */
  async stop(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo()
  }

  #ownCertificate(authority: Authority): Promise<OwnCertificate> {
    const { config } = this.#options
    const { hostname } = new URL(config.publicUrl)
    const hosts = [hostname.replace(/^\[|\]$/g, ''), ...config.hosts]
    return ownCertificate(authority, { dir: config.state.dir, name: config.name, hosts, nowMs: this.#now() })
  }

  #rollouts(authority: Authority, own: () => OwnCertificate): ControllerRollouts | null {
    const { config, version, log } = this.#options
    const { servers, credentials } = config.rollouts
    if (servers.length === 0) return null
    if (credentials === null) {
      throw new EdgeError('CONFIG_UNSERVABLE', {
        message: 'rollouts.servers is set and rollouts.credentials is not',
        next: ['make them: edgedeck nats user controller NAME --in DIR --out FILE, and name that file'],
      })
    }
    const identity = new ControllerIdentity(authority, own)
    return new ControllerRollouts({ servers, credentials, identity, name: config.name, version, log })
  }

  /** Make the own certificate anew when the authority was changed, and look now and then whether it is about to end. */
  #lookAtCertificate(authority: Authority, own: OwnCertificate, use: (next: OwnCertificate) => void): void {
    const nowMs = performance.now()
    const isOfIssuing = own.chain[1]?.raw.equals(authority.issuing.raw) === true
    if (this.#isMakingCertificate) return
    if (isOfIssuing && nowMs - this.#lastLookMs < LOOK_AT_CERTIFICATE_MS) return
    this.#lastLookMs = nowMs
    this.#isMakingCertificate = true
    this.#ownCertificate(authority).then(
      (next) => {
        this.#isMakingCertificate = false
        if (next.chainPem !== own.chainPem) use(next)
      },
      (error: unknown) => {
        this.#isMakingCertificate = false
        const msg = `the controller's own certificate cannot be made anew: ${messageOf(error)}`
        this.#options.log.log('error', 'certificate.failed', msg)
      },
    )
  }

  #facts(
    authority: Authority,
    {
      own,
      door,
      book,
      fault,
      rollouts,
    }: {
      own: OwnCertificate
      door: Door
      book: OperatorBook
      fault: () => string | null
      rollouts: ControllerRollouts | null
    },
  ): ControllerFacts {
    const leftSec = (endsMs: number): number => (endsMs - this.#now()) / 1000
    const denied = authority.denyList()
    return {
      fleet: authority.fleet,
      version: this.#options.version,
      startedAtMs: this.#startedAtMs,
      connections: door.connections,
      held: this.#waiters.size,
      names: this.#ledger.names,
      denyVersion: denied.version,
      denied: denied.names.length + denied.serials.length,
      trustVersion: authority.bundle.version,
      endsInSec: {
        root: leftSec(Math.min(...authority.roots.map(({ validToDate }) => validToDate.getTime()))),
        issuing: leftSec(authority.issuing.validToDate.getTime()),
        controller: leftSec(own.chain[0]?.validToDate.getTime() ?? 0),
      },
      operators: book.operators.size,
      ready: fault() === null,
      rollouts: rollouts?.facts() ?? null,
    }
  }

  async #serveMetrics(listen: { readonly host: string; readonly port: number }, routes: Routes): Promise<number> {
    const server: Server = createServer({ headersTimeout: 5000, requestTimeout: 10_000 }, (request, response) => {
      if (routes.open(request, response)) return
      const { refusal } = refuse('REQUEST_MALFORMED', 'there are /metrics, /healthz and /readyz here')
      response.writeHead(404, { 'Content-Type': 'application/json' }).end(JSON.stringify(refusal))
    })
    server.maxConnections = 32
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen({ host: listen.host, port: listen.port }, resolve)
    await promise.catch((cause: unknown) => {
      throw listenError(cause, 'metrics.listen', `${listen.host}:${listen.port}`)
    })
    this.#undo.push(() => {
      server.close()
      server.closeAllConnections()
    })
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : listen.port
  }
}

function makeFolder(dir: string): void {
  try {
    makeFolderSync(dir, { mode: 0o700 })
  } catch (cause) {
    throw unusable(dir, cause)
  }
}

function unusable(dir: string, cause: unknown): EdgeError {
  return new EdgeError('CONFIG_UNSERVABLE', {
    message: `state.dir ${dir} cannot be used: ${messageOf(cause)}`,
    next: ['make the folder and give it to the user that the controller runs as'],
    cause,
  })
}
