import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { CONTROLLER_PATHS, MAX_HOLD_SEC } from '../../protocol/enrolment.ts'
import { replaceFile } from './durable-file.ts'

/** What a {@link DenyFollower} asks, and where it keeps what it gets. */
export interface DenyFollowerOptions {
  /** `https://host:5444`. */
  readonly controller: string
  /** Folder of the identity. */
  readonly dir: string
  /** What the operator shows, PEM; null while nobody is logged in. */
  readonly own: () => { readonly cert: string; readonly key: string } | null
  /** Before the first question, so that a command that is over soon asks nothing, ms. */
  readonly firstMs?: number
  /** How long a question is held while nothing changes, s. */
  readonly holdSec?: number
  readonly timeoutMs?: number
  readonly random?: () => number
}

const FIRST_MS = 1000
const TIMEOUT_MS = 10_000
const [RETRY_MS, MAX_RETRY_MS] = [1000, 60_000]
/** A list is asked for again when its signature is so old, so that its age can be told, ms. */
const FRESH_MS = 3_600_000

const listSchema = z.record(z.string(), z.json()).nullable()

/**
 * Keeps an operator's deny list as fresh as the controller's, for as long as a console runs: each question is held until there is
 * another list. What comes is verified and put beside the identity, where everybody who judges looks (requirement S3).
 */
export class DenyFollower {
  readonly #options: DenyFollowerOptions
  #stop: AbortController | null = null
  #running: Promise<void> | null = null

  constructor(options: DenyFollowerOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#stop !== null) return
    this.#stop = new AbortController()
    this.#running = this.#follow(this.#stop.signal)
  }

  async stop(): Promise<void> {
    this.#stop?.abort()
    await this.#running
    this.#stop = null
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { firstMs = FIRST_MS, random = Math.random } = this.#options
    await pause(firstMs, signal)
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#ask(signal)
        failures = 0
      } catch {
        // Doctor tells why: a console goes on by the list that it has.
        failures += 1
        await pause(Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(failures, 10)) * (1 - random() / 2), signal)
      }
    }
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const { controller, dir, own, holdSec = MAX_HOLD_SEC, timeoutMs = TIMEOUT_MS } = this.#options
    // No first frame waits for what reads and makes certificates.
    const { callKnown, heldTrust } = await import('./fleet-trust.ts')
    const trust = heldTrust(dir)
    const shown = own()
    if (trust === null || shown === null) throw new Error('nobody is logged in')
    const { denied } = trust
    const isFresh = denied !== null && Date.now() - denied.issuedAt < FRESH_MS
    const query = isFresh ? `after=${denied.version}&hold=${holdSec}` : 'hold=0'
    const { answer, held } = await callKnown(trust, {
      controller,
      path: `${CONTROLLER_PATHS.deny}?${query}`,
      answer: listSchema,
      unchanged: null,
      own: shown,
      timeoutMs: timeoutMs + holdSec * 1000,
      signal,
    })
    if (held !== trust) replaceFile(join(dir, 'trust.json'), `${JSON.stringify(held.bundle)}\n`)
    if (answer === null) return
    // Somebody may have logged in meanwhile, and have a later one.
    const now = (heldTrust(dir) ?? held).with(held.bundle, answer)
    replaceFile(join(dir, 'deny.json'), `${JSON.stringify(now.denied)}\n`)
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
