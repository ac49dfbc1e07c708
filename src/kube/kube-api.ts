import { type IncomingMessage, request as plainRequest } from 'node:http'
import { type RequestOptions, request as tlsRequest } from 'node:https'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { KubeCluster } from './kube-config.ts'
import { type Asked, refusal } from './refusal.ts'

/** Parameters of a request; of one with several values each is sent. */
export type Query = Readonly<Record<string, string | readonly string[]>>

/** What may be asked, how long to wait for the first byte of an answer, and when to give up. */
export interface Ask {
  readonly path: string
  readonly query?: Query
  /** For a refusal. */
  readonly asked: Asked
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 10_000
const KEEP_ALIVE_MS = 15_000
/** A page of pods is some megabytes; what is longer is no answer of an API server. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
const MAX_REFUSAL_BYTES = 64 * 1024

/** An API server: requests with what the kubeconfig says, and refusals in words. */
export class KubeApi {
  readonly cluster: KubeCluster

  constructor(cluster: KubeCluster) {
    this.cluster = cluster
  }

  /**
   * An answer's JSON.
   * @throws EdgeError `KUBE_UNREACHABLE`, `KUBE_LOGIN_REFUSED`, `RIGHT_MISSING`, `POD_UNUSABLE`, `KUBE_REFUSED`
   */
  async json(ask: Ask): Promise<unknown> {
    const answer = await this.stream(ask)
    const text = await textOf(answer, MAX_ANSWER_BYTES).catch((error) => {
      throw this.unreachable(error)
    })
    try {
      return JSON.parse(text)
    } catch (error) {
      throw this.unreachable(error)
    }
  }

  /**
   * An answer whose body is still to be read; it ends with an error when `signal` aborts.
   * @throws EdgeError as {@link json}
   */
  async stream(ask: Ask): Promise<IncomingMessage> {
    const options = await this.cluster.requestOptions()
    ask.signal.throwIfAborted()
    const answer = await this.#send(this.urlOf(ask.path, ask.query ?? {}), options, ask)
    if (answer.statusCode === 200) return answer
    throw await this.refused(answer, ask.asked)
  }

  /** The error that an answer other than a success is. */
  async refused(answer: IncomingMessage, asked: Asked): Promise<EdgeError> {
    const body = await textOf(answer, MAX_REFUSAL_BYTES).catch(() => '')
    return refusal(answer.statusCode ?? 0, body, asked, this.cluster)
  }

  /** The error that a failed connection is. */
  unreachable(error: unknown): EdgeError {
    const { context, server } = this.cluster
    return new EdgeError('KUBE_UNREACHABLE', {
      message: `the API server ${untrusted(server)} of the Kubernetes context ${context} does not answer: ${reasonOf(error)}`,
      next: [`try kubectl --context ${context} get --raw /readyz`],
      cause: error,
    })
  }

  /** Address of a path with its parameters. */
  urlOf(path: string, query: Query): URL {
    const url = new URL(`${this.cluster.server}${path}`)
    for (const [name, value] of Object.entries(query)) {
      for (const one of typeof value === 'string' ? [value] : value) url.searchParams.append(name, one)
    }
    return url
  }

  #send(url: URL, options: RequestOptions, { signal, timeoutMs = TIMEOUT_MS }: Ask): Promise<IncomingMessage> {
    const send = url.protocol === 'http:' ? plainRequest : tlsRequest
    return new Promise((resolve, reject) => {
      const sent = send(url, { ...options, signal })
      const timer = setTimeout(() => sent.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)), timeoutMs)
      sent.once('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS))
      sent.once('response', (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      sent.on('error', (error) => {
        clearTimeout(timer)
        reject(signal.aborted ? signal.reason : this.unreachable(error))
      })
      sent.end()
    })
  }
}

async function textOf(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length
    if (bytes > maxBytes) throw new Error(`its answer is over ${maxBytes} bytes`)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Why a connection failed. Several addresses of a name fail together, without words of their own. */
function reasonOf(error: unknown): string {
  const one = error instanceof AggregateError ? error.errors[0] : error
  return untrusted(messageOf(one)).slice(0, 200)
}
