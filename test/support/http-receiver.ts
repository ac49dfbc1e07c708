import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One block as the receiver got it. */
export interface ReceivedBlock {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What the receiver does with a post: answer a status (with headers), never answer, or cut in the middle of the answer. */
export type ReceiverMood =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | 'hang'
  | 'cut'

/** A scripted receiver of posted blocks; it keeps those it answers 2xx. */
export interface HttpReceiver {
  readonly url: string
  readonly port: number
  readonly held: ReceivedBlock[]
  /** Every post that arrived whole, held or not. */
  readonly posts: ReceivedBlock[]
  mood: ReceiverMood | ((block: ReceivedBlock) => ReceiverMood)
  /** What is answered to anything but a post, as when it is asked what it holds. */
  told: { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  [Symbol.asyncDispose](): Promise<void>
}

/** Start a receiver; `await using` ends it. */
export async function httpReceiver(): Promise<HttpReceiver> {
  const held: ReceivedBlock[] = []
  const posts: ReceivedBlock[] = []
  const answer = (response: ServerResponse, block: ReceivedBlock): void => {
    const mood = typeof receiver.mood === 'function' ? receiver.mood(block) : receiver.mood
    if (mood === 'hang') return
    if (mood === 'cut') {
      response.writeHead(200, { 'Content-Length': '100' })
      response.write('half', () => response.destroy())
      return
    }
    if (mood.status >= 200 && mood.status < 300) held.push(block)
    response.writeHead(mood.status, mood.headers)
    response.end()
  }
  const server = createServer((request, response) => {
    if (request.method !== 'POST') return void response.writeHead(receiver.told.status, receiver.told.headers).end()
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const block = { headers: request.headers, body: Buffer.concat(chunks) }
      posts.push(block)
      answer(response, block)
    })
    request.on('error', () => {})
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const receiver: HttpReceiver = {
    url: `http://127.0.0.1:${port}/blocks`,
    port,
    held,
    posts,
    mood: { status: 204 },
    told: { status: 405 },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return receiver
}
