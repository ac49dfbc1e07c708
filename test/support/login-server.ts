import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { issueLeaf, pemOf } from '../../identity/issue.ts'
import { readRequest } from '../../identity/request.ts'
import type { SshKey } from '../../identity/ssh-key.ts'
import { verifySshSignature } from '../../identity/ssh-signature.ts'
import {
  CONTROLLER_PATHS,
  type EnrolmentAnswer,
  LOGIN_NAMESPACE,
  type LoginRequest,
  loginRequestSchema,
  loginText,
} from '../../protocol/enrolment.ts'
import type { Rights } from '../../protocol/rights.ts'
import type { FleetAuthority, IssuedIdentity } from './fleet-authority.ts'

/** What a {@link LoginServer} does; a scripted one can lie. */
export interface LoginScript {
  readonly authority: FleetAuthority
  /** Whom it shows itself as. */
  readonly shown: IssuedIdentity
  readonly keys: readonly SshKey[]
  readonly rights: Rights
  /** What `GET /v1/trust` answers instead of the authority's bundle. */
  readonly trust?: unknown
  /** Name in the certificate instead of the one asked for. */
  readonly named?: string
}

/** The part of a controller that operators log in at, small enough to be made to lie. */
export class LoginServer {
  readonly url: string
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(script: LoginScript): Promise<LoginServer> {
    const { keyPem: key, certPem: cert } = script.shown
    const server = createServer({ key, cert, minVersion: 'TLSv1.3' }, async (request, response) => {
      const parts: Buffer[] = []
      for await (const part of request) parts.push(part as Buffer)
      const { status, body } =
        request.url === CONTROLLER_PATHS.trust
          ? { status: 200, body: { v: 1, trust: script.trust ?? script.authority.bundle } }
          : await answerLogin(script, loginRequestSchema.parse(JSON.parse(Buffer.concat(parts).toString())))
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new LoginServer(server)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

async function answerLogin(
  { authority, keys, rights, trust, named: other }: LoginScript,
  { signature, ...said }: LoginRequest,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const { fleet, bundle, issuing } = authority
  const read = verifySshSignature(signature, { message: loginText(said, fleet), namespace: LOGIN_NAMESPACE, keys })
  const request = await readRequest(said.csr)
  if (!read.ok || !request.ok) {
    const message = read.ok ? 'no request' : read.msg
    return { status: 403, body: { code: 'LOGIN_REFUSED', message, next: ['ask an admin'] } }
  }
  const named = { kind: 'operator', fleet, name: other ?? said.name, rights } as const
  const leaf = await issueLeaf(issuing, { named, publicKey: request.publicKey, nowMs: Date.now() })
  const answer: EnrolmentAnswer = {
    v: 1,
    fleet,
    certificate: pemOf(leaf, issuing.certificate),
    trust: (trust ?? bundle) as EnrolmentAnswer['trust'],
    deny: authority.denyList(),
    controllers: [],
  }
  return { status: 200, body: answer }
}
