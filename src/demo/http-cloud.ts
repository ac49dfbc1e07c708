import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import path from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'

const MAX_BLOCK_BYTES = 1024 * 1024
const MAX_LISTED = 1000

/** What is kept of a block besides its body. */
interface BlockNote {
  readonly file: string
  readonly receivedAt: number
  readonly headers: Readonly<Record<string, string>>
}

/**
 * The demo's small cloud end where there is no nats-server: `POST /blocks` keeps a block in a folder, `GET /blocks`
 * lists what it holds (`?subject=` narrows), `GET /blocks/FILE` shows the records of one. For looking, not for keeping.
 */
export class HttpCloud {
  readonly #dir: string
  readonly #sockets = new Set<Socket>()
  #server: http.Server | null = null
  #count = 0
  readonly #run = Date.now().toString(36)

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Listen on a port of the loopback, 0 for a free one; resolves with the port. */
  async start(port: number): Promise<number> {
    mkdirSync(this.#dir, { recursive: true })
    const server = http.createServer((request, response) => {
      this.#answer(request, response).catch(() => respond(response, 500, { error: 'the block could not be kept' }))
    })
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    this.#server = server
    return (server.address() as AddressInfo).port
  }

  /** Close the port and every connection; the blocks stay. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://cloud')
    if (request.method === 'POST' && url.pathname === '/blocks') return this.#keep(request, response)
    if (request.method === 'GET' && url.pathname === '/blocks') {
      const blocks = await this.#list(url.searchParams.get('subject') ?? '')
      return respond(response, 200, { blocks })
    }
    const named = /^\/blocks\/([\w-]+)$/.exec(url.pathname)?.[1]
    if (request.method === 'GET' && named !== undefined) return this.#show(named, response)
    request.resume()
    return respond(response, 404, { error: 'POST /blocks, GET /blocks?subject=…, GET /blocks/FILE' })
  }

  async #keep(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    let size = 0
    for await (const part of request) {
      size += part.length
      if (size > MAX_BLOCK_BYTES)
        return respond(response, 413, { error: `a block is at most ${MAX_BLOCK_BYTES} bytes` })
      parts.push(part)
    }
    this.#count += 1
    const file = `${this.#run}-${String(this.#count).padStart(6, '0')}`
    const kept = ['content-type', 'content-encoding']
    const headers = Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) =>
        typeof value === 'string' && (name.startsWith('edge-') || kept.includes(name)) ? [[name, value]] : [],
      ),
    )
    await writeFile(path.join(this.#dir, `${file}.block`), Buffer.concat(parts))
    const note: BlockNote = { file, receivedAt: Date.now(), headers }
    await writeFile(path.join(this.#dir, `${file}.json`), JSON.stringify(note))
    respond(response, 200, { file })
  }

  async #list(subject: string): Promise<BlockNote[]> {
    const notes = (await readdir(this.#dir)).filter((name) => name.endsWith('.json')).sort()
    const read = await Promise.all(notes.slice(-MAX_LISTED).map((name) => readFile(path.join(this.#dir, name), 'utf8')))
    return read
      .map((note) => JSON.parse(note) as BlockNote)
      .filter((note) => (note.headers['edge-subject'] ?? '').includes(subject))
  }

  async #show(file: string, response: http.ServerResponse): Promise<void> {
    try {
      const note = JSON.parse(await readFile(path.join(this.#dir, `${file}.json`), 'utf8')) as BlockNote
      const body = await readFile(path.join(this.#dir, `${file}.block`))
      const encoding = note.headers['content-encoding']
      const text = encoding === 'gzip' ? gunzipSync(body) : encoding === 'zstd' ? zstdDecompressSync(body) : body
      response.writeHead(200, { 'content-type': note.headers['content-type'] ?? 'application/x-ndjson' }).end(text)
    } catch {
      respond(response, 404, { error: 'no such block' })
    }
  }
}

function respond(response: http.ServerResponse, status: number, body: object): void {
  if (response.headersSent) return
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}
