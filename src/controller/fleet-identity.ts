import { namedBy, type Trust } from '../../identity/verify.ts'
import type { IdentitySource, IdentityState } from '../identity/identity-source.ts'
import { OperatorIdentity } from '../identity/operator-identity.ts'
import type { Authority } from './authority.ts'
import type { OwnCertificate } from './own-certificate.ts'

/**
 * Who a controller is towards the nodes of its fleet: its own certificate, and whom its authority believes now. It signs no
 * command: what it does on a node is what an operator's mandate says.
 */
export class ControllerIdentity implements IdentitySource {
  readonly #authority: Authority
  readonly #own: () => OwnCertificate
  #made: { readonly own: OwnCertificate; readonly trust: Trust; readonly state: IdentityState } | null = null

  constructor(authority: Authority, own: () => OwnCertificate) {
    this.#authority = authority
    this.#own = own
  }

  current(): IdentityState {
    const own = this.#own()
    const { trust, bundle } = this.#authority
    if (this.#made?.own === own && this.#made.trust === trust) return this.#made.state
    const [certificate] = own.chain
    const named = certificate === undefined ? null : namedBy(certificate)
    const state: IdentityState =
      certificate === undefined || named?.kind !== 'controller'
        ? { kind: 'none', reason: 'the controller has no certificate' }
        : {
            kind: 'held',
            identity: new OperatorIdentity({
              named,
              certificate,
              key: own.key,
              tls: { key: own.keyPem, cert: own.chainPem, ca: bundle.roots.join('\n') },
              trust,
            }),
          }
    this.#made = { own, trust, state }
    return state
  }
}
