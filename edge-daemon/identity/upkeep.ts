import { setTimeout as sleep } from 'node:timers/promises'
import { askTime, faultOfController, faultOfControllerAtAnyTime } from '../../identity/signed-time.ts'
import { MAX_HOLD_SEC } from '../../protocol/enrolment.ts'
import { messageOf } from '../../protocol/errors.ts'
import { type Finding, findingsOf, type Standing } from './certificate-findings.ts'
import { ControllerClient, ControllerRefusal } from './controller-client.ts'
import type { NodeIdentity, Taken } from './node-identity.ts'
import { renew, renewalDueMs } from './renewal.ts'

/** Where it tells what it did. */
export interface UpkeepLog {
  info(event: string, msg?: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void
  warn(event: string, msg?: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void
  error(event: string, msg?: string, fields?: Readonly<Record<string, string | number | boolean | null>>): void
}

/** What an {@link IdentityUpkeep} is made of. */
export interface UpkeepOptions {
  readonly identity: NodeIdentity
  readonly log: UpkeepLog
  /** Waits after a failure, ms. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number }
  /** Waits after a renewal that was refused, ms. */
  readonly refusedBackoff?: { readonly firstMs: number; readonly maxMs: number }
  /** From 0 to 1. */
  readonly random?: () => number
  readonly timeoutMs?: number
}

const BACKOFF = { firstMs: 1000, maxMs: 30_000 } as const
const REFUSED_BACKOFF = { firstMs: 60_000, maxMs: 3_600_000 } as const
const TIME_EVERY_MS = 600_000
/** How often a deny list that does not change is taken again, for its later signature. */
const DENY_EVERY_MS = 3_600_000

/**
 * Keeps an identity good while the daemon runs: learns the time, renews the certificate well before its end, and follows
 * the deny list by requests that the controller holds until there is news (requirement S3: 60 s). Controllers take turns
 * when one does not answer. Nothing of it stops the node from serving.
 */
export class IdentityUpkeep {
  readonly #options: UpkeepOptions
  readonly #random: () => number
  readonly #stop = new AbortController()
  #running: Promise<void> | null = null
  #turn = 0
  #failures = 0
  #timeAskedMs = Number.NEGATIVE_INFINITY
  #denyTakenMs = Number.NEGATIVE_INFINITY
  #renewAgainMs = Number.NEGATIVE_INFINITY
  #refusals = 0
  #denyRefusals = 0
  /** Whether who answered last was no controller of this fleet, as far as is known here. */
  #notBelieved = false
  #standing: Standing = { unreachableSince: null, unreachable: null, notRenewed: null }

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** What is wrong with certificate, clock and controllers now. */
  findings(): readonly Finding[] {
    return findingsOf(this.#options.identity, this.#standing)
  }

  async #run(): Promise<void> {
    const { identity, log } = this.#options
    const controllers = identity.files.enrolment()?.controllers ?? []
    if (controllers.length === 0) return
    while (!this.#stop.signal.aborted) {
      const url = controllers[this.#turn % controllers.length] ?? ''
      try {
        await this.#serveBy(url)
      } catch (error) {
        if (this.#stop.signal.aborted) return
        if (this.#notBelieved && (await this.#takesRootsFrom(url))) continue
        this.#turn += 1
        const { unreachableSince } = this.#standing
        this.#standing = {
          ...this.#standing,
          unreachable: messageOf(error),
          unreachableSince: unreachableSince ?? Date.now(),
        }
        if (unreachableSince === null) log.warn('identity.controller_lost', messageOf(error), { url })
        await this.#pause(this.#options.backoff ?? BACKOFF, this.#failures)
        this.#failures += 1
      }
    }
  }

  /** Go on with one controller until it does not answer, which throws. */
  async #serveBy(url: string): Promise<void> {
    const { identity, log, timeoutMs } = this.#options
    this.#notBelieved = false
    const client = new ControllerClient({
      url,
      judge: (chain) => {
        const why = identity.clock.isConfirmed
          ? faultOfController(chain, identity.trust, identity.nowMs())
          : faultOfControllerAtAnyTime(chain, identity.trust)
        this.#notBelieved = why !== null
        return why
      },
      own: () => identity.tls(),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
    const abort = (): void => client.close()
    this.#stop.signal.addEventListener('abort', abort, { once: true })
    try {
      while (!this.#stop.signal.aborted) {
        const wasLost = this.#standing.unreachable !== null
        await this.#learnTime(client)
        await this.#renewIfDue(client)
        await this.#followDeny(client, wasLost || this.#denyTakenMs < 0 ? 0 : MAX_HOLD_SEC)
        this.#failures = 0
        if (wasLost) log.info('identity.controller_found', `${url} answers`, { url })
        this.#standing = { ...this.#standing, unreachable: null, unreachableSince: null }
      }
    } finally {
      this.#stop.signal.removeEventListener('abort', abort)
      client.close()
    }
  }

  /**
   * Whoever is not below the roots that are held may be below the next ones, when they were changed while this node slept:
   * the new ones are believed for the signature of the old ones, whoever hands them on.
   */
  async #takesRootsFrom(url: string): Promise<boolean> {
    const { timeoutMs } = this.#options
    const client = new ControllerClient({
      url,
      judge: () => null,
      own: () => null,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
    const abort = (): void => client.close()
    this.#stop.signal.addEventListener('abort', abort, { once: true })
    // One that does not answer is no controller at all; what it was refused for is told.
    const bundle = await client.trust().catch(() => null)
    this.#stop.signal.removeEventListener('abort', abort)
    client.close()
    return bundle !== null && this.#takesRoots(bundle)
  }

  /** Whether other roots, or fewer issuing certificates, are believed from now on. */
  #takesRoots(value: unknown): boolean {
    const { identity } = this.#options
    const before = identity.bundle.version
    const taken = identity.takeTrust(value)
    if (identity.bundle.version === before && taken.ok) return false
    this.#note('trust bundle', taken, 'identity.trust_taken')
    if (!taken.ok) return false
    // Who is not trusted any more may have told the time, too.
    this.#askTimeSoon()
    return true
  }

  /** With the time comes the version of what is trusted; where something changed or does not fit, that may be why. */
  #askTimeSoon(): void {
    this.#timeAskedMs = Number.NEGATIVE_INFINITY
  }

  async #learnTime(client: ControllerClient): Promise<void> {
    const { identity, log } = this.#options
    if (performance.now() - this.#timeAskedMs < TIME_EVERY_MS) return
    const { nowMs, trustVersion } = await askTime((nonce) => client.time(nonce), { trust: identity.trust })
    const isFirst = !identity.clock.isConfirmed
    identity.clock.confirm(nowMs)
    this.#timeAskedMs = performance.now()
    if (isFirst) {
      const aheadMs = Math.round(identity.clock.wallAheadMs)
      log.info('identity.time_told', 'a controller told the time', { aheadMs })
    }
    if (trustVersion > identity.bundle.version && this.#takesRoots(await client.trust())) await this.#learnTime(client)
  }

  async #renewIfDue(client: ControllerClient): Promise<void> {
    const { identity, log } = this.#options
    const isDue = identity.ownFault !== null || identity.nowMs() >= renewalDueMs(identity.leaf)
    if (!isDue || performance.now() < this.#renewAgainMs) return
    let why: string | null
    try {
      const taken = await renew(identity, (request) => client.renew(request))
      why = taken.ok ? null : taken.msg
    } catch (error) {
      // Who does not answer is asked again like everything else; who says no is not asked so soon.
      if (!(error instanceof ControllerRefusal)) throw error
      why = [`the controller refuses it: ${error.message}`, ...error.next].join('; ')
    }
    if (why !== null) this.#askTimeSoon()
    this.#standing = { ...this.#standing, notRenewed: why }
    if (why === null) {
      this.#refusals = 0
      // What is shown changed, so the next connection is another.
      client.close()
      const until = identity.leaf.validToDate.toISOString()
      log.info('identity.renewed', `the certificate was renewed, until ${until}`, { until })
      return
    }
    this.#renewAgainMs =
      performance.now() + waitMs(this.#options.refusedBackoff ?? REFUSED_BACKOFF, this.#refusals, this.#random)
    this.#refusals += 1
    log.error('identity.not_renewed', why)
  }

  async #followDeny(client: ControllerClient, holdSec: number): Promise<void> {
    const { identity } = this.#options
    const isStale = performance.now() - this.#denyTakenMs >= DENY_EVERY_MS
    const after = isStale ? null : (identity.deny?.version ?? null)
    const before = identity.deny?.version ?? -1
    let list: unknown
    try {
      list = await client.deny(after, isStale ? 0 : holdSec, this.#stop.signal)
    } catch (error) {
      if (!(error instanceof ControllerRefusal)) throw error
      await this.#denyRefused(error.message)
      return
    }
    const taken = list === null ? { ok: true as const } : identity.takeDeny(list)
    // A list that cannot be taken would be answered at once again.
    if (!taken.ok) return this.#denyRefused(taken.msg)
    this.#denyRefusals = 0
    if (list !== null) this.#denyTakenMs = performance.now()
    if (identity.deny?.version === before) return
    this.#note('deny list', taken, 'identity.deny_taken')
    this.#askTimeSoon()
  }

  async #denyRefused(msg: string): Promise<void> {
    if (this.#denyRefusals === 0) this.#note('deny list', { ok: false, msg }, '')
    this.#denyRefusals += 1
    this.#askTimeSoon()
    await this.#pause(this.#options.backoff ?? BACKOFF, this.#denyRefusals)
  }

  #note(what: string, taken: Taken, event: string): void {
    const { identity, log } = this.#options
    if (!taken.ok) log.warn('identity.not_taken', `the ${what} was not taken: ${taken.msg}`)
    else {
      const versions = { denyVersion: identity.deny?.version ?? null, trustVersion: identity.bundle.version }
      log.info(event, `a new ${what} is in force`, versions)
    }
  }

  async #pause(bounds: { readonly firstMs: number; readonly maxMs: number }, tries: number): Promise<void> {
    const ms = waitMs(bounds, tries, this.#random)
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined)
  }
}

/** Waits that double up to a bound, each with up to half taken off, so that a fleet does not knock in step. */
function waitMs({ firstMs, maxMs }: { firstMs: number; maxMs: number }, tries: number, random: () => number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(tries, 30)) * (1 - random() / 2)
}
