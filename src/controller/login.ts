import type { Named } from '../../identity/names.ts'
import { readRequest } from '../../identity/request.ts'
import { sshFingerprintOf } from '../../identity/ssh-key.ts'
import { verifySshSignature } from '../../identity/ssh-signature.ts'
import {
  type EnrolmentAnswer,
  LOGIN_NAMESPACE,
  LOGIN_SKEW_MS,
  type LoginRequest,
  loginText,
} from '../../protocol/enrolment.ts'
import { AddressLimits } from './address-limits.ts'
import type { Authority } from './authority.ts'
import type { Enrolment } from './enrolment.ts'
import type { ControllerLog } from './log.ts'
import type { Operator } from './operators.ts'
import { type Outcome, refuse } from './outcome.ts'

/** What {@link Login} works with. */
export interface LoginOptions {
  readonly authority: Authority
  readonly enrolment: Pick<Enrolment, 'give'>
  /** Who may log in now. */
  readonly operators: () => ReadonlyMap<string, Operator>
  readonly log: ControllerLog
  /** Unix ms. */
  readonly now: () => number
}

const LOGINS = { perSec: 1 / 30, burst: 20 }
const NOT_BELIEVED = 'the login is not by a key of such an operator'

/** Gives operators the certificate of a shift for proof by their SSH key (requirement S3). */
export class Login {
  readonly #options: LoginOptions
  readonly #logins = new AddressLimits(LOGINS)

  constructor(options: LoginOptions) {
    this.#options = options
  }

  /** Who asks is told little of why not; the log says it. */
  async login(request: LoginRequest, address: string): Promise<Outcome<EnrolmentAnswer>> {
    const { authority, enrolment, operators, log, now } = this.#options
    const { name } = request
    const no = (why: string, message = NOT_BELIEVED, next = 'ask an admin of the fleet about operators.yaml') => {
      log.log('warn', 'login.refused', why, { name, address })
      return refuse('LOGIN_REFUSED', message, next)
    }
    const operator = operators().get(name)
    if (operator === undefined) return no('there is no such operator')
    const { signature, ...signed } = request
    const read = verifySshSignature(signature, {
      message: loginText(signed, authority.fleet),
      namespace: LOGIN_NAMESPACE,
      keys: operator.keys,
    })
    if (!read.ok) return no(read.msg)
    if (Math.abs(now() - request.at) > LOGIN_SKEW_MS) {
      const said = `the clock here says ${new Date(now()).toISOString()}, and the login was signed at ${new Date(request.at).toISOString()}`
      return no(said, said, 'set the clock of your machine, and log in again')
    }
    const named: Named = { kind: 'operator', fleet: authority.fleet, name, rights: operator.rights }
    authority.refresh()
    const deniedMs = authority.deniedMs(named)
    if (deniedMs !== null && deniedMs > (operator.sinceMs ?? 0)) {
      log.log('warn', 'login.refused', 'the name was revoked', { name, address })
      const cure = `an admin can let ${name} in again with "since" in operators.yaml`
      return refuse('IDENTITY_REVOKED', `${name} was revoked`, cure)
    }
    const asked = await readRequest(request.csr)
    const key = sshFingerprintOf(read.key)
    if (!asked.ok) {
      log.log('warn', 'login.refused', asked.msg, { name, key, address })
      return refuse('REQUEST_MALFORMED', asked.msg)
    }
    if (!this.#logins.take(name, performance.now())) {
      log.log('warn', 'login.refused', 'the operator logs in too often', { name, key, address })
      return refuse('RATE_LIMITED', `${name} logs in too often`, 'wait a minute')
    }
    log.log('info', 'login.proved', 'an operator proved who they are', {
      name,
      key,
      address,
    })
    return enrolment.give(named, asked.publicKey, request.natsKey, address)
  }
}
