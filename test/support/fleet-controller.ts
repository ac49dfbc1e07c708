import type { KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { issueLeaf, pemOf } from '../../identity/issue.ts'
import { newKey, pemOfKey, publicOf } from '../../identity/keys.ts'
import { makeRequest } from '../../identity/request.ts'
import { signText } from '../../identity/signing.ts'
import { CONTROLLER_PATHS, type EnrolmentAnswer, type EnrolmentError, renewText } from '../../protocol/enrolment.ts'
import { loadController } from '../../src/controller/config.ts'
import { Controller } from '../../src/controller/controller.ts'
import { JsonLog } from '../../src/controller/log.ts'
import { newToken } from '../../src/controller/new-token.ts'
import type { AuthorityFolder } from '../../src/pki/authority-folder.ts'
import { createAuthority } from '../../src/pki/create-authority.ts'

/** Passphrase of the test authorities' keys. */
export const PASSPHRASE = 'four words of a test'

/** An answer of a controller. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** An authority as `edgedeck pki init` makes it and the configuration of a controller for it, in a temporary folder. */
export class ControllerHome {
  readonly dir: string
  readonly authority: AuthorityFolder
  readonly configFile: string
  readonly stateDir: string
  readonly passphraseFile: string

  private constructor(dir: string, authority: AuthorityFolder) {
    this.dir = dir
    this.authority = authority
    this.configFile = join(dir, 'controller.yaml')
    this.stateDir = join(dir, 'state')
    this.passphraseFile = join(dir, 'passphrase')
    writeFileSync(this.passphraseFile, `${PASSPHRASE}\n`, { mode: 0o600 })
    this.configure({})
  }

  static async create(nowMs = Date.now()): Promise<ControllerHome> {
    const dir = mkdtempSync(join(tmpdir(), 'edgedeck-controller-'))
    const passphrases = { rootPassphrase: PASSPHRASE, issuingPassphrase: PASSPHRASE }
    return new ControllerHome(
      dir,
      await createAuthority({ dir: join(dir, 'pki'), fleet: 'acme', ...passphrases, nowMs }),
    )
  }

  /** Write the configuration: loopback and a free port, with `changes` over it. */
  configure(changes: Readonly<Record<string, unknown>>): void {
    const settings = {
      listen: '127.0.0.1:0',
      publicUrl: 'https://127.0.0.1:5444',
      pki: { dir: this.authority.dir, passphraseFile: this.passphraseFile },
      state: { dir: this.stateDir },
      ...changes,
    }
    writeFileSync(this.configFile, JSON.stringify(settings))
  }

  /** A join token, made as `edgedeck pki token` makes it. */
  token(site: string, node: string, wish: { ttlMs?: number; replace?: boolean; nowMs?: number } = {}): string {
    const { ttlMs = 900_000, replace = false, nowMs = Date.now() } = wish
    const replaceBy = replace ? this.authority.unlockIssuing(PASSPHRASE) : null
    const { config } = loadController(this.configFile)
    return newToken({ site, node, ttlMs, replaceBy, nowMs }, { config, authority: this.authority }).text
  }

  /** The identity of an admin of the fleet, put into a folder; resolves with that. */
  async operator(name: string, dir: string, nowMs = Date.now()): Promise<string> {
    const key = newKey()
    const { fleet, bundle } = this.authority
    const rights = { role: 'admin', permissions: [], sites: '*' } as const
    const named = { kind: 'operator', fleet, name, rights } as const
    const issuing = this.authority.unlockIssuing(PASSPHRASE)
    const leaf = await issueLeaf(issuing, { named, publicKey: publicOf(key), nowMs })
    writeFileSync(join(dir, 'key.pem'), pemOfKey(key), { mode: 0o600 })
    writeFileSync(join(dir, 'cert.pem'), pemOf(leaf, issuing.certificate))
    writeFileSync(join(dir, 'trust.json'), JSON.stringify(bundle))
    return dir
  }

  /** Revoke a name, as `edgedeck pki revoke` does in another process. */
  revoke(name: string, nowMs = Date.now()): void {
    const entry = { name, before: Math.floor(nowMs / 1000) * 1000 + 1000, why: 'taken back' }
    const issuing = this.authority.unlockIssuing(PASSPHRASE)
    this.authority.deny(issuing, (held) => ({ ...held, names: [...held.names, entry] }), nowMs)
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10 })
  }
}

/** A controller in this process, with a clock that can be set. */
export class LocalController {
  readonly home: ControllerHome
  readonly lines: string[] = []
  /** What is added to the wall clock, ms. */
  shiftMs = 0
  client = new ControllerClient(0)
  metricsPort: number | null = null
  readonly #controller: Controller

  constructor(home: ControllerHome) {
    this.home = home
    const { config } = loadController(home.configFile)
    const stream = { write: (line: string) => this.lines.push(line) } as unknown as NodeJS.WritableStream
    const log = new JsonLog(stream, 'debug')
    this.#controller = new Controller({ config, version: '0.0.0', env: {}, log, now: () => Date.now() + this.shiftMs })
  }

  async start(): Promise<this> {
    const { port, metricsPort } = await this.#controller.start()
    this.metricsPort = metricsPort
    this.client = new ControllerClient(port)
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#controller.stop()
  }

  /** Events of its log. */
  events(event: string): Record<string, unknown>[] {
    const lines = this.lines.map((line) => JSON.parse(line) as { msg: string; fields: Record<string, unknown> })
    return lines.filter(({ fields }) => fields.event === event).map(({ msg, fields }) => ({ msg, ...fields }))
  }
}

/** Asks a controller as a node or operator does, and takes whatever certificate it shows. */
export class ControllerClient {
  readonly port: number

  constructor(port: number) {
    this.port = port
  }

  /** One request on a connection of its own. */
  ask(path: string, options: RequestOptions & { readonly body?: string } = {}): Promise<Answer> {
    const { body, ...others } = options
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: '127.0.0.1',
          port: this.port,
          path,
          rejectUnauthorized: false,
          agent: false,
          method: body === undefined ? 'GET' : 'POST',
          ...others,
          headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...others.headers },
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (part: string) => {
            text += part
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
          response.on('error', reject)
        },
      )
      request.on('error', reject)
      request.end(body)
    })
  }

  post(path: string, body: object): Promise<Answer> {
    return this.ask(path, { body: JSON.stringify(body) })
  }

  /** Join with a token and a key. */
  async join(token: string, key: KeyObject = newKey()): Promise<Answer> {
    return this.post(CONTROLLER_PATHS.join, { token, csr: await makeRequest(key) })
  }

  /** Renew a certificate with the key it is of, or with another. */
  async renew(certificate: string, key: KeyObject, signer: KeyObject = key): Promise<Answer> {
    const body = { certificate, csr: await makeRequest(key) }
    return this.post(CONTROLLER_PATHS.renew, { ...body, signature: signText(renewText(body), signer) })
  }

  /** The deny list as somebody with a certificate sees it. */
  deny(query: string, who: { readonly certificate: string; readonly key: KeyObject }): Promise<Answer> {
    return this.ask(`${CONTROLLER_PATHS.deny}${query}`, { cert: who.certificate, key: pemOfKey(who.key) })
  }
}

/** The body of a success; fails for any other answer. */
export function given({ status, text }: Answer): EnrolmentAnswer {
  if (status !== 200) throw new Error(`${status}: ${text}`)
  return JSON.parse(text) as EnrolmentAnswer
}

/** The code of a refusal. */
export function refused({ text }: Answer): string {
  return (JSON.parse(text) as EnrolmentError).code
}
