import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import type { KeyPair } from './authority.ts'

/** An answer of the API server that is no success. */
export class ApiFailure extends Error {
  readonly status: number

  constructor(status: number, text: string) {
    super(`${status}: ${text}`)
    this.status = status
  }
}

/** The API server as the cluster's administrator, for tests to make things with: JSON in and out. What comes is of
 * the type that the test says. */
export class AdminApi {
  readonly #server: string
  readonly #tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer }

  constructor(server: string, caFile: string, { certFile, keyFile }: KeyPair) {
    this.#server = server
    this.#tls = { ca: readFileSync(caFile), cert: readFileSync(certFile), key: readFileSync(keyFile) }
  }

  /** @throws ApiFailure for an answer that is no success */
  get<T>(path: string): Promise<T> {
    return this.#ask<T>('GET', path)
  }

  /** @throws ApiFailure for an answer that is no success */
  create(path: string, body: unknown): Promise<unknown> {
    return this.#ask('POST', path, body)
  }

  /** @throws ApiFailure for an answer that is no success */
  merge(path: string, body: unknown): Promise<unknown> {
    return this.#ask('PATCH', path, body)
  }

  /** @throws ApiFailure for an answer that is no success */
  remove(path: string): Promise<unknown> {
    return this.#ask('DELETE', path, { gracePeriodSeconds: 0 })
  }

  /** Whether the path answers with success. */
  async answers(path: string): Promise<boolean> {
    return this.#ask('GET', path).then(
      () => true,
      () => false,
    )
  }

  #ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    return new Promise((resolve, reject) => {
      const asked = request(
        `${this.#server}${path}`,
        { method, ...this.#tls, headers: { 'content-type': type }, agent: false, timeout: 10_000 },
        (answer) => {
          let text = ''
          answer.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          answer.once('error', reject)
          answer.once('end', () => {
            const status = answer.statusCode ?? 0
            if (status >= 300) reject(new ApiFailure(status, text))
            else resolve((text.startsWith('{') ? JSON.parse(text) : { text }) as T)
          })
        },
      )
      asked.once('timeout', () => asked.destroy(new Error(`no answer to ${method} ${path}`)))
      asked.once('error', reject)
      asked.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}
