import type { KeyObject, X509Certificate } from 'node:crypto'
import type { Named } from '../../identity/names.ts'
import { digestOf, newNonce, signEnvelope, signText } from '../../identity/signing.ts'
import { readPem, type Trust, type Verdict, verifyChain } from '../../identity/verify.ts'
import type { Json } from '../../protocol/canonical-json.ts'
import type { Envelope } from '../../protocol/envelope.ts'
import type { Rights } from '../../protocol/rights.ts'

/** How long a command that this console signs may be carried out, ms. */
export const SIGNED_FOR_MS = 60_000

const LOOKING: Rights = { role: 'viewer', permissions: [], sites: '*' }

/** The texts that TLS needs, PEM. */
export interface TlsTexts {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

/** What is to be signed, for whom. */
export interface CommandWish {
  readonly node: { readonly site: string; readonly name: string }
  readonly verb: string
  readonly args: Readonly<Record<string, Json>>
  /** For the audit; null to say nothing. */
  readonly why: string | null
  /** Unix ms by the clock of the node. */
  readonly nowMs: number
}

/** Who the operator (or a controller) is for as long as their certificate lasts: what they show, whom they believe, what they sign with. */
export class OperatorIdentity {
  readonly name: string
  readonly fleet: string
  readonly rights: Rights
  /** It signs no command: nodes take from it what a mandate says. */
  readonly isController: boolean
  /** When the certificate ends, Unix ms. */
  readonly untilMs: number
  readonly certificate: X509Certificate
  readonly tls: TlsTexts
  readonly #key: KeyObject
  readonly #trust: Trust

  constructor(parts: {
    readonly named: Extract<Named, { kind: 'operator' | 'controller' }>
    readonly certificate: X509Certificate
    readonly key: KeyObject
    readonly tls: TlsTexts
    readonly trust: Trust
  }) {
    this.name = parts.named.name
    this.fleet = parts.named.fleet
    this.rights = parts.named.kind === 'operator' ? parts.named.rights : LOOKING
    this.isController = parts.named.kind === 'controller'
    this.untilMs = parts.certificate.validToDate.getTime()
    this.certificate = parts.certificate
    this.tls = parts.tls
    this.#key = parts.key
    this.#trust = parts.trust
  }

  /** Whom the chain of a server names (leaf first), or why it is not believed. */
  judgeServer(chain: readonly X509Certificate[], nowMs: number): Verdict {
    return verifyChain(chain, { trust: this.#trust, nowMs, use: 'server' })
  }

  /** Whom the chain of somebody who signed something names (leaf first), as of when they signed it. */
  judgeSigner(chain: readonly X509Certificate[], atMs: number): Verdict {
    return verifyChain(chain, { trust: this.#trust, nowMs: atMs, use: 'client' })
  }

  /** Sign a text that is kept; base64, with the certificates that prove it, DER in base64. */
  signKept(text: string): { readonly signature: string; readonly chain: readonly string[] } {
    const chain = readPem(this.tls.cert).map(({ raw }) => raw.toString('base64'))
    return { signature: signText(text, this.#key), chain }
  }

  /** Sign a command for one node. */
  sign({ node, verb, args, why, nowMs }: CommandWish): Envelope {
    const issuedAt = Math.max(0, Math.floor(nowMs))
    return signEnvelope(
      {
        v: 1,
        verb,
        args: digestOf(args),
        site: node.site,
        node: node.name,
        nonce: newNonce(),
        issuedAt,
        expiresAt: issuedAt + SIGNED_FOR_MS,
        ...(why === null ? {} : { why }),
      },
      this.#key,
    )
  }
}
