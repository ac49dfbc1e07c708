import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { LIVE_SUBPROTOCOL, MAX_FRAME_BYTES } from '../../protocol/frames.ts'
import type { LinkEvent } from '../fleet/link-event.ts'
import type { Dial } from './dial.ts'
import { LiveSession, type SessionOptions } from './live-session.ts'
import { reasonOfClose, reasonOfError, reasonOfResponse } from './transport-reason.ts'

/** How a connection behaves. */
export interface ConnectionOptions extends SessionOptions {
  /** Time for connecting and, after it, for the welcome. */
  readonly handshakeTimeoutMs: number
  readonly probeEveryMs: number
  /** A session that is silent for so long is cut: the other end may be gone without a word. */
  readonly silenceTimeoutMs: number
  readonly now: () => number
  emit(event: LinkEvent): void
  /** Called once; `penalised` when the peer misbehaved and should be left alone for longer. */
  ended(end: { readonly reason: string; readonly stood: boolean; readonly penalised: boolean }): void
}

/** What a whole answer to the handshake may take over the time for each of its parts. */
const SLOW_ANSWER_MS = 1000
/** Before a peer that says goodbye too slowly is cut. */
const CLOSE_GRACE_MS = 500
const MAX_REFUSAL_BYTES = 2048

/** One socket from connecting to its end. */
export class Connection {
  readonly session: LiveSession
  readonly dial: Dial
  readonly #socket: WebSocket
  readonly #options: ConnectionOptions
  #reason: string | null = null
  #penalised = false
  #opened = false
  #deadline: NodeJS.Timeout | null = null
  #watch: NodeJS.Timeout | null = null
  #grace: NodeJS.Timeout | null = null
  readonly #gone = Promise.withResolvers<void>()

  constructor(dial: Dial, options: ConnectionOptions) {
    this.dial = dial
    this.#options = options
    this.#socket = new WebSocket(dial.url, LIVE_SUBPROTOCOL, {
      ...dial.socket,
      handshakeTimeout: options.handshakeTimeoutMs,
      maxPayload: MAX_FRAME_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
    })
    this.session = new LiveSession(
      {
        send: (text) => {
          if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text)
        },
        emit: options.emit,
        close: (reason) => {
          this.#penalised = true
          this.#cut(reason)
        },
        now: options.now,
      },
      options,
    )
  }

  begin(): void {
    const socket = this.#socket
    // The socket's own timeout begins anew with every byte: a peer that answers one byte at a time would hold it for hours.
    this.#deadline = setTimeout(
      () => this.#cut('it took the connection, but did not answer in time'),
      this.#options.handshakeTimeoutMs + SLOW_ANSWER_MS,
    )
    socket.on('open', () => this.#open())
    socket.on('message', (data, isBinary) => {
      const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)
      this.session.take(isBinary ? null : bytes.toString('utf8'), bytes.byteLength)
    })
    socket.on('unexpected-response', (_request, response) => {
      void refusalIn(response).then((said) => this.#cut(reasonOfResponse(response.statusCode ?? 0, said)))
    })
    socket.on('error', (error) => {
      if (!this.#opened) this.#reason ??= reasonOfError(error)
      else this.#broken(error)
    })
    socket.on('close', (code, text) => this.#closed(code, text.toString('utf8')))
  }

  /** Say goodbye, then cut. */
  async end(): Promise<void> {
    this.#reason ??= 'stopped by this console'
    this.session.finish(this.#reason)
    this.#socket.close(1000)
    this.#grace = setTimeout(() => this.#socket.terminate(), CLOSE_GRACE_MS)
    await this.#gone.promise
  }

  #open(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#opened = true
    const certified = this.dial.certified()
    this.#options.emit({ kind: 'opened', certified: certified !== null })
    this.session.begin(certified)
    const { handshakeTimeoutMs, probeEveryMs, silenceTimeoutMs, now } = this.#options
    const openedMs = now()
    let probedMs = openedMs
    // One slow timer for all watches: revocation, welcome, silence, probes.
    this.#watch = setInterval(
      () => {
        const nowMs = now()
        const revoked = this.dial.revoked()
        if (revoked !== null) return this.#cut(revoked)
        if (!this.session.welcomed) {
          if (nowMs - openedMs >= handshakeTimeoutMs)
            this.#cut(`connected, but no welcome within ${handshakeTimeoutMs} ms`)
          return
        }
        if (nowMs - this.session.lastHeardMs >= silenceTimeoutMs) {
          return this.#cut(`nothing came for ${Math.round((nowMs - this.session.lastHeardMs) / 1000)} s`)
        }
        if (nowMs - probedMs < probeEveryMs) return
        probedMs = nowMs
        this.session.probe()
      },
      Math.max(20, Math.min(1000, handshakeTimeoutMs / 4, probeEveryMs / 2, silenceTimeoutMs / 4)),
    )
  }

  /** The socket failed under a standing session, usually by a frame that breaks WebSocket itself. */
  #broken(error: Error): void {
    const reason = reasonOfError(error)
    this.#reason ??= reason
    if (!('code' in error) || !String(error.code).startsWith('WS_ERR')) return
    this.#penalised = true
    const code = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 'FRAME_TOO_LARGE' : 'FRAME_INVALID'
    this.#options.emit({ kind: 'misbehaved', code, message: reason, dropped: 1 })
  }

  #cut(reason: string): void {
    this.#reason ??= reason
    this.#socket.terminate()
  }

  #closed(code: number, text: string): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    if (this.#watch !== null) clearInterval(this.#watch)
    if (this.#grace !== null) clearTimeout(this.#grace)
    const reason = this.#reason ?? reasonOfClose(code, text)
    const stood = this.session.welcomed
    this.session.finish(reason)
    this.#options.ended({ reason, stood, penalised: this.#penalised })
    this.#gone.resolve()
  }
}

/** What a node that let nobody in says about it, as `{"error": …}`; null when it says nothing of the kind in time. */
async function refusalIn(response: IncomingMessage): Promise<string | null> {
  let text = ''
  try {
    for await (const part of response.setEncoding('utf8')) {
      text += part
      if (text.length > MAX_REFUSAL_BYTES) return null
    }
    const said: unknown = JSON.parse(text)
    const error = typeof said === 'object' && said !== null && 'error' in said ? said.error : null
    return typeof error === 'string' ? error.slice(0, 300) : null
  } catch {
    return null
  }
}
