import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { BLOCK_CONTENT_TYPE, BLOCK_HEADERS } from '../../protocol/subjects.ts'
import { BlockArchive, type BlockNote } from './block-archive.ts'
import { chainKeyIn, readOffer, TAKEN_ENCODINGS, unpack } from './offered-block.ts'

const MAX_BLOCK_BYTES = 1024 * 1024
const MAX_LISTED = 1000

/**
 * The demo's small cloud end where there is no nats-server, a receiver as docs/http-receiver.md says: `POST /blocks`
 * compares and stores, `HEAD /blocks` tells what is held last of a subject. For people, `GET /blocks` lists what it holds
 * (`?subject=` narrows) and `GET /blocks/NUMBER` shows the records of one.
 */
export class HttpCloud {
  readonly #dir: string
  #startId = ''
  readonly #sockets = new Set<Socket>()
  #server: http.Server | null = null
  #archive: BlockArchive | null = null

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Listen on a port of the loopback, 0 for a free one; resolves with the port. */
  async start(port: number): Promise<number> {
    const archive = await BlockArchive.open(this.#dir)
    this.#archive = archive
    this.#startId = randomBytes(8).toString('hex')
    const server = http.createServer((request, response) => {
      this.#answer(archive, request, response).catch(() => {
        respond(response, 500, { error: 'the block could not be kept' })
      })
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
    await this.#archive?.close()
    this.#archive = null
  }

  async #answer(archive: BlockArchive, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    response.setHeader(BLOCK_HEADERS.receiver, archive.id)
    response.setHeader(BLOCK_HEADERS.receiverStart, this.#startId)
    response.setHeader('Accept-Encoding', TAKEN_ENCODINGS)
    response.setHeader(BLOCK_HEADERS.maxBody, MAX_BLOCK_BYTES)
    const url = new URL(request.url ?? '/', 'http://cloud')
    const isBlocks = url.pathname === '/blocks'
    if (request.method === 'POST' && isBlocks) return keep(archive, request, response)
    request.resume()
    if (request.method === 'HEAD' && isBlocks) return tell(archive, request, response)
    if (request.method === 'GET' && isBlocks) {
      const listed = archive.list(url.searchParams.get('subject') ?? '', MAX_LISTED)
      const blocks = listed.map(({ index, note }) => ({ number: index, ...note }))
      return respond(response, 200, { blocks })
    }
    const named = /^\/blocks\/(\d{1,9})$/.exec(url.pathname)?.[1]
    if (request.method === 'GET' && named !== undefined) return show(archive, Number(named), response)
    return respond(response, 404, { error: 'POST /blocks, HEAD /blocks, GET /blocks?subject=…, GET /blocks/NUMBER' })
  }
}

async function keep(
  archive: BlockArchive,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of request) {
    size += part.length
    // Read on to its end, else the sender sees a broken connection instead of the answer.
    if (size <= MAX_BLOCK_BYTES) parts.push(part)
  }
  if (size > MAX_BLOCK_BYTES) {
    return respond(response, 413, { error: `a block is at most ${MAX_BLOCK_BYTES} bytes` })
  }
  const offer = await readOffer(request.headers, Buffer.concat(parts), Date.now())
  if (!offer.ok) return respond(response, offer.status, { error: offer.msg })
  const { outcome, last } = await archive.store(offer.block)
  for (const [name, value] of Object.entries(heldHeaders(last))) response.setHeader(name, value)
  if (outcome !== 'conflict') return respond(response, 200, { outcome })
  return respond(response, 409, { error: 'something else than the block named as the one before is held last' })
}

/** What is held last of the chain that was asked about, in headers; without a chain, that the receiver is there. */
function tell(archive: BlockArchive, request: http.IncomingMessage, response: http.ServerResponse): void {
  const key = chainKeyIn(request.headers)
  const lastEpoch = key === null ? null : archive.lastEpoch(key.subject)
  const held = key === null ? null : archive.last(key)
  response
    .writeHead(200, {
      ...heldHeaders(held),
      ...(lastEpoch === null ? {} : { [BLOCK_HEADERS.heldEpoch]: lastEpoch }),
    })
    .end()
}

function heldHeaders(held: BlockNote | null): Record<string, string> {
  if (held === null) return {}
  return {
    [BLOCK_HEADERS.heldFirstSeq]: String(held.firstSeq),
    [BLOCK_HEADERS.heldLastSeq]: String(held.lastSeq),
    [BLOCK_HEADERS.heldDigest]: held.digest,
  }
}

async function show(archive: BlockArchive, index: number, response: http.ServerResponse): Promise<void> {
  const found = await archive.read(index)
  const plain = found === null ? null : await unpack(found.body, found.note.headers['content-encoding'] ?? '')
  if (plain === null || plain === 'too_large') return respond(response, 404, { error: 'no such block' })
  response.writeHead(200, { 'content-type': BLOCK_CONTENT_TYPE }).end(plain)
}

function respond(response: http.ServerResponse, status: number, body: object): void {
  if (response.headersSent) return
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}
