import { z } from 'zod'
import { askTime } from '../../identity/signed-time.ts'
import type { Trust } from '../../identity/verify.ts'
import { CONTROLLER_PATHS, CONTROLLER_PORT, timeAnswerSchema } from '../../protocol/enrolment.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { callController } from '../pki/controller-call.ts'
import type { FleetTrust } from '../pki/fleet-trust.ts'
import { probeEndpoint } from './endpoint-probe.ts'
import { type Finding, FindingsOf } from './finding.ts'
import { judgeOwnClock } from './judge-clock.ts'
import { judgeEndpoint } from './judge-endpoint.ts'

/** What a controller is asked with. */
export interface ControllerQuestion {
  /** `https://host:5444`. */
  readonly controller: string
  /** Whom the operator believes; null before the first login. */
  readonly held: FleetTrust | null
  /** Where the address stands, for cures. */
  readonly configured: string
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Unix ms. */
  readonly now: () => number
}

/** What a controller says beside its findings. */
export interface ControllerFacts {
  readonly findings: readonly Finding[]
  /** Version of the deny list that is in force; null when it did not say. */
  readonly denyVersion: number | null
}

const readySchema = z.object({ status: z.string() })

/** Look at a controller: how it is reached, who it is, what time it is there, whether it is well, and which lists are in force. */
export async function checkController(question: ControllerQuestion): Promise<ControllerFacts> {
  const { controller, held, configured, timeoutMs, now } = question
  const say = new FindingsOf('controller', controller)
  const endpoint = { host: hostOf(controller), port: portOf(controller), speaks: 'tls' } as const
  const probe = await probeEndpoint({ ...endpoint, tls: { ca: null, own: null } }, timeoutMs)
  const isGood = judgeEndpoint(
    probe,
    {
      endpoint,
      expected: held === null ? { by: 'nobody' } : { by: 'fleet', trust: held.trust, kind: 'controller', name: null },
      what: 'edgedeck controller',
      configured,
      nowMs: now(),
    },
    say,
  )
  if (held === null) {
    if (isGood)
      say.untested(
        'certificate',
        'whether it is of your fleet is not known before the first login',
        'edgedeck login --pin SHA256',
      )
    return { findings: say.all, denyVersion: null }
  }
  const denyVersion = probe.tls === null || !('chain' in probe.tls) ? null : await askClock(question, held.trust, say)
  if (isGood) await askReady(question, held, say)
  const own = held.denied?.version ?? 0
  if (denyVersion !== null && denyVersion > own) {
    say.note(
      'deny',
      `its deny list is version ${denyVersion}, this machine holds ${own}`,
      'let a console run, or: edgedeck login',
    )
  }
  return { findings: say.all, denyVersion }
}

/** The answer is signed, so a certificate whose time is over here does not keep it from telling what time it is. */
async function askClock(
  { controller, timeoutMs, signal, now }: ControllerQuestion,
  trust: Trust,
  say: FindingsOf,
): Promise<number | null> {
  const startedMs = performance.now()
  try {
    const time = await askTime(
      (nonce) =>
        callController({
          controller,
          path: `${CONTROLLER_PATHS.time}?nonce=${nonce}`,
          answer: timeAnswerSchema,
          trust: null,
          timeoutMs,
          signal,
        }),
      { trust },
    )
    judgeOwnClock(now() - time.nowMs, (performance.now() - startedMs) / 2, say)
    return time.denyVersion
  } catch (error) {
    say.untested(
      'clock',
      `it tells no time that can be believed: ${untrusted(messageOf(error))}`,
      'look at the log of the controller',
    )
    return null
  }
}

async function askReady(
  { controller, timeoutMs, signal }: ControllerQuestion,
  held: FleetTrust,
  say: FindingsOf,
): Promise<void> {
  try {
    await callController({
      controller,
      path: CONTROLLER_PATHS.ready,
      answer: readySchema,
      trust: held.forCalls,
      timeoutMs,
      signal,
    })
    say.ok('ready', 'it enrols, renews and lets operators log in')
  } catch (error) {
    const next =
      error instanceof EdgeError && error.next.length > 0 ? error.next.join('; ') : 'look at the log of the controller'
    say.fault('ready', `it is not ready: ${untrusted(messageOf(error))}`, next)
  }
}

function hostOf(controller: string): string {
  return new URL(controller).hostname.replace(/^\[|\]$/g, '')
}

/** As it was written: `URL` forgets a 443. */
function portOf(controller: string): number {
  return Number(/:(\d{1,5})\/?$/.exec(controller)?.[1] ?? (controller.startsWith('https://') ? 443 : CONTROLLER_PORT))
}
