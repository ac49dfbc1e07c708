import { connect, type Socket } from 'node:net'

/** One answer of a server. */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly tookMs: number
}

const HEAD_END = Buffer.from('\r\n\r\n')

/**
 * One connection that sends prepared requests one after the other, over a bare socket: what an HTTP client costs would
 * else be part of what is measured. It connects anew when the server closes, as HTTP/1.0 servers do after each answer;
 * that then is part of the request's time. It reads answers that have a `Content-Length`, and no others.
 */
export class Connection {
  readonly #port: number
  #socket: Socket | null = null
  #received: Buffer = Buffer.alloc(0)
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void; startedAt: number } | null = null

  constructor(port: number) {
    this.#port = port
  }

  /** Send one request and wait for its answer. Rejects when the connection breaks before it. */
  send(request: Buffer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject, startedAt: performance.now() }
      this.#socket ??= this.#open()
      this.#socket.write(request)
    })
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }

  #open(): Socket {
    this.#received = Buffer.alloc(0)
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    const lost = (error?: Error): void => {
      if (socket !== this.#socket) return
      this.#socket = null
      this.#settle?.reject(error ?? new Error('the server closed the connection before it answered'))
      this.#settle = null
    }
    socket.on('data', (chunk) => this.#take(chunk))
    socket.once('error', lost)
    socket.once('close', () => lost())
    return socket
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk])
    const headEnd = this.#received.indexOf(HEAD_END)
    if (headEnd < 0 || this.#settle === null) return
    const head = this.#received.toString('latin1', 0, headEnd)
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? Number.NaN)
    if (Number.isNaN(length)) {
      this.#socket?.destroy(new Error('the answer has no Content-Length'))
      return
    }
    const bodyStart = headEnd + HEAD_END.length
    if (this.#received.length < bodyStart + length) return
    const { resolve, startedAt } = this.#settle
    const body = this.#received.toString('utf8', bodyStart, bodyStart + length)
    this.#settle = null
    this.#received = Buffer.alloc(0)
    if (head.startsWith('HTTP/1.0') || /\r\nconnection: *close/i.test(head)) this.close()
    resolve({ status: Number(head.slice(9, 12)), body, tookMs: performance.now() - startedAt })
  }
}
