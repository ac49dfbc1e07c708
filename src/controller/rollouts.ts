import { readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import type { BusAccess } from '../../identity/bus-access.ts'
import { readCredentials } from '../../identity/nats-key.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { Fleet } from '../fleet/fleet.ts'
import type { IdentitySource } from '../identity/identity-source.ts'
import { FleetLinks } from '../link/fleet-links.ts'
import { operatorBus } from '../link/operator-bus.ts'
import { type OpenRollouts, openRollouts } from '../rollout/open-rollouts.ts'
import type { ControllerLog } from './log.ts'

/** What a controller drives rollouts with. */
export interface ControllerRolloutsOptions {
  /** Servers of the fleet's bus. */
  readonly servers: readonly string[]
  /** File that `edgedeck nats user controller` made. */
  readonly credentials: string
  readonly identity: IdentitySource
  readonly name: string
  readonly version: string
  readonly log: ControllerLog
}

/** Figures for `/metrics`. */
export interface RolloutFacts {
  readonly driving: number
  readonly nodes: number
  /** Nodes that are reached now, for the rollouts that are driven. */
  readonly sessions: number
  readonly decisions: number
  readonly decidingSec: number
  readonly faults: number
}

const OTHERS = 0o077

/**
 * Drives the rollouts of a fleet that nobody else drives, without a screen: nodes are found by their heartbeats on the bus
 * and reached through it, each step goes with the mandate of the operator who began the rollout.
 */
export class ControllerRollouts {
  readonly #options: ControllerRolloutsOptions
  readonly #fleet = new Fleet({ schedule, maxLogRows: 1, historySec: 60 })
  readonly #links: FleetLinks
  readonly #ended = new AbortController()
  #rollouts: OpenRollouts | null = null
  #driving: Promise<void> | null = null
  #decisions = 0
  #decidingMs = 0
  #faults = 0

  constructor(options: ControllerRolloutsOptions) {
    this.#options = options
    const { servers, identity, version } = options
    const access = (): BusAccess => this.#access()
    this.#links = new FleetLinks({
      nodes: [],
      access: { version, identity, bus: operatorBus({ servers, access, identity, as: 'controller' }) },
      interest: { status: true, alertBacklog: null, logs: null },
      sink: (key, event) => this.#fleet.apply(key, event, Date.now()),
      onFound: (key) => this.#fleet.add(key, { nowMs: Date.now() }),
      // Hundreds of nodes that nothing is done to cost a heartbeat each, and no session.
      onDemand: { onLeft: (key) => this.#forget(key) },
    })
  }

  /** Begin. @throws EdgeError `CONFIG_UNSERVABLE` when the credentials cannot be used */
  async start(): Promise<void> {
    const { servers, identity, name, log } = this.#options
    try {
      this.#access()
    } catch (cause) {
      throw new EdgeError('CONFIG_UNSERVABLE', {
        message: `rollouts.credentials: ${messageOf(cause)}`,
        next: ['make them: edgedeck nats user controller NAME --in DIR --out FILE'],
        cause,
      })
    }
    this.#links.start()
    this.#rollouts = await openRollouts({
      place: { kind: 'bus', servers, access: () => this.#access(), as: 'controller' },
      fleet: {
        fleet: this.#fleet,
        link: (key) => this.#links.byKey.get(key),
        attend: (...of) => this.#links.attend(...of),
      },
      identity,
      holder: `controller ${name} at ${hostname()}`,
      onDecided: (ms) => {
        this.#decisions += 1
        this.#decidingMs += ms
      },
      onFault: (rollout, error) => {
        this.#faults += 1
        log.log('warn', 'rollout.failed', `${rollout ?? 'rollouts'}: ${error.toLine()}`)
      },
    })
    this.#driving = this.#rollouts.service.drive(null, this.#ended.signal)
    this.#driving.catch((error: unknown) => log.log('error', 'rollouts.died', messageOf(error)))
    log.log('info', 'rollouts.driven', 'rollouts that nobody drives are driven here', { servers: servers.join(', ') })
  }

  /** Give every lease back. */
  async stop(): Promise<void> {
    this.#ended.abort()
    await this.#driving?.catch(() => undefined)
    await this.#rollouts?.close()
    await this.#links.stop()
  }

  /** @see RolloutFacts */
  facts(): RolloutFacts {
    return {
      driving: this.#rollouts?.service.driving().length ?? 0,
      nodes: this.#fleet.keys().length,
      sessions: this.#links.byKey.size,
      decisions: this.#decisions,
      decidingSec: this.#decidingMs / 1000,
      faults: this.#faults,
    }
  }

  /** Of a node that no rollout needs only its next heartbeats are kept: what it told is not the newest any more. */
  #forget(key: string): void {
    this.#fleet.remove(key)
    this.#fleet.add(key, { nowMs: Date.now() })
  }

  #access(): BusAccess {
    const { credentials: file, identity } = this.#options
    const text = readFileSync(file, 'utf8')
    if ((statSync(file).mode & OTHERS) !== 0) throw new Error(`${file} can be read by others: chmod 600 ${file}`)
    const credentials = readCredentials(text)
    if (credentials === null) throw new Error(`${file} holds no credentials of a NATS user`)
    const state = identity.current()
    const tls = state.kind === 'held' ? state.identity.tls : null
    return { credentials, tls: { ca: tls?.ca ?? null, own: tls === null ? null : { cert: tls.cert, key: tls.key } } }
  }
}

function schedule(fn: () => void, delayMs: number): () => void {
  const timer = setTimeout(fn, delayMs)
  return () => clearTimeout(timer)
}
