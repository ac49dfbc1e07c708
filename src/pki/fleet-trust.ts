import type { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { type DenyList, denyListSchema, revokedBy, verifyDenyList } from '../../identity/deny-list.ts'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import { pemOf } from '../../identity/issue.ts'
import { trustOf } from '../../identity/trust.ts'
import {
  type TrustBundle,
  trustBundleSchema,
  verifyPinnedBundle,
  verifyTrustBundle,
} from '../../identity/trust-bundle.ts'
import type { Trust } from '../../identity/verify.ts'
import { CONTROLLER_PATHS, trustAnswerSchema } from '../../protocol/enrolment.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { type ControllerCall, callController, UntrustedController } from './controller-call.ts'
import { readText } from './durable-file.ts'

/** How it is decided which fleet a controller speaks for at the first time. */
export interface FirstTrust {
  /** SHA-256 of the root, base64url, as `edgedeck pki init` told it; null to ask. */
  readonly pin: string | null
  /** Whether a person recognizes the root by its fingerprint; null where nobody can be asked. */
  readonly confirm: ((fleet: string, fingerprint: string) => Promise<boolean>) | null
}

type Link = Pick<ControllerCall<unknown>, 'controller' | 'timeoutMs' | 'signal'>

/** Whom an operator believes: the roots of one fleet, and what is denied. Kept in the folder of their identity. */
export class FleetTrust {
  readonly bundle: TrustBundle
  readonly roots: readonly X509Certificate[]
  readonly denied: DenyList | null

  constructor(parts: Pick<FleetTrust, 'bundle' | 'roots' | 'denied'>) {
    this.bundle = parts.bundle
    this.roots = parts.roots
    this.denied = parts.denied
  }

  /** For judging certificates. */
  get trust(): Trust {
    return trustOf(this, this.denied)
  }

  /** For asking a controller of the fleet. */
  get forCalls(): NonNullable<ControllerCall<unknown>['trust']> {
    return { fleet: this.bundle.fleet, revoked: revokedBy(this.denied), ca: pemOf(...this.roots) }
  }

  /** What somebody sent of trust and denial, when it may take the place of this. @throws EdgeError `LOGIN_REFUSED` */
  with(bundle: unknown, denied: unknown): FleetTrust {
    const { fleet } = this.bundle
    const read = verifyTrustBundle(bundle, { fleet, trusted: this.roots, held: this.bundle })
    if (!read.ok) throw notBelieved(read.msg)
    if (denied === null) return new FleetTrust({ ...read, denied: this.denied })
    const list = verifyDenyList(denied, { trust: trustOf(read, null), held: this.denied })
    if (!list.ok) throw notBelieved(list.msg)
    return new FleetTrust({ ...read, denied: list.list })
  }
}

/** What is held in a folder; null when nothing is, or what is there is damaged. */
export function heldTrust(dir: string): FleetTrust | null {
  const bundle = trustBundleSchema.safeParse(jsonIn(join(dir, 'trust.json')))
  if (!bundle.success) return null
  // A bundle of one's own was verified when it was taken, and is whole when its own roots signed it.
  const { fleet } = bundle.data
  const pins = bundle.data.signatures.map(({ root }) => root)
  const read = pins.map((pin) => verifyPinnedBundle(bundle.data, { fleet, pin })).find(({ ok }) => ok)
  if (read?.ok !== true) return null
  const denied = denyListSchema.safeParse(jsonIn(join(dir, 'deny.json')))
  return new FleetTrust({ ...read, denied: denied.success ? denied.data : null })
}

/**
 * Ask a controller for the fleet's roots, which are believed by their pin, or by a person who compares it.
 * @throws EdgeError `LOGIN_REFUSED` when they are not believed, or as {@link callController}
 */
export async function firstTrust(link: Link, { pin, confirm }: FirstTrust): Promise<FleetTrust> {
  const { trust } = await callController({
    ...link,
    path: CONTROLLER_PATHS.trust,
    answer: trustAnswerSchema,
    trust: null,
  })
  const { fleet = '', signatures = [] } = trustBundleSchema.safeParse(trust).data ?? {}
  const [by] = signatures
  const asked = pin ?? by?.root ?? ''
  const read = verifyPinnedBundle(trust, { fleet, pin: asked })
  if (!read.ok) throw notBelieved(read.msg)
  if (pin === null) {
    const root = read.roots.find((one) => fingerprintOf(one) === asked)
    const isRight = root !== undefined && confirm !== null && (await confirm(fleet, asked))
    if (!isRight) {
      throw new EdgeError('LOGIN_REFUSED', {
        message: `nothing says yet that ${link.controller} speaks for your fleet`,
        next: [`compare with whoever made the fleet, then say --pin ${asked}`],
      })
    }
  }
  return new FleetTrust({ ...read, denied: null })
}

/**
 * Ask a controller of a fleet that is known. When it is not below the roots that are held, the roots may have been changed:
 * then it is asked for the new ones, which those that are held have to have signed.
 * @throws EdgeError as {@link callController}, or `LOGIN_REFUSED`
 */
export async function callKnown<Answer>(
  held: FleetTrust,
  call: Omit<ControllerCall<Answer>, 'trust'>,
): Promise<{ readonly answer: Answer; readonly held: FleetTrust }> {
  try {
    return { answer: await callController({ ...call, trust: held.forCalls }), held }
  } catch (error) {
    if (!(error instanceof UntrustedController)) throw error
  }
  const { controller, timeoutMs, signal } = call
  const { trust } = await callController({
    controller,
    timeoutMs,
    signal,
    path: CONTROLLER_PATHS.trust,
    answer: trustAnswerSchema,
    trust: null,
  })
  const changed = held.with(trust, null)
  try {
    return { answer: await callController({ ...call, trust: changed.forCalls }), held: changed }
  } catch (error) {
    if (error instanceof UntrustedController)
      throw notBelieved(`${call.controller} is not of the fleet ${held.bundle.fleet}`)
    throw error
  }
}

function notBelieved(message: string): EdgeError {
  return new EdgeError('LOGIN_REFUSED', {
    message,
    next: ['check the address of the controller', 'for another fleet use another --context'],
  })
}

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(readText(file) ?? 'null')
  } catch (error) {
    if (error instanceof EdgeError) throw error
    return null
  }
}
