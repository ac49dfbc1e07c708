import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Between two bytes of a server that drips. */
const DRIP_MS = 20

/** What a {@link packageServer} does wrong. */
export interface ServerFaults {
  /** Serves all of a blob whatever range is asked for. */
  ignoresRange?: boolean
  /** Says so many bytes more than come. */
  lengthLie?: number
  /** Says nothing any more after so many bytes of a blob. */
  hangsAfter?: number
  /** Sends only a byte now and then after so many bytes of a blob. */
  dripsAfter?: number
  /** Goes on with a blob after so many bytes of it only when it may. */
  waits?: { readonly afterBytes: number; readonly until: Promise<void> }
  /** Cuts the connection after so many bytes of a blob. */
  cutsAfter?: number
  /** Changes the first byte of every blob. */
  otherBytes?: boolean
  /** Answers every request so. */
  status?: number
}

/** A web server on loopback over a folder, as any would serve it, which can be told to misbehave. */
export interface PackageServer {
  readonly url: string
  readonly port: number
  /** Paths that were asked for with their ranges, e.g. `/blobs/… bytes=5-`. */
  readonly asked: string[]
  /** Bytes of bodies that were handed over. */
  sentBytes(): number
  faults: ServerFaults
  [Symbol.asyncDispose](): Promise<void>
}

/** Serve a folder, over TLS with a certificate and key in PEM. */
export async function packageServer(folder: string, tls?: { cert: string; key: string }): Promise<PackageServer> {
  const asked: string[] = []
  let sentBytes = 0
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { faults } = served
    const path = request.url ?? ''
    const { range } = request.headers
    asked.push(range === undefined ? path : `${path} ${range}`)
    const file = join(folder, path)
    const found = await stat(file).catch(() => null)
    if (faults.status !== undefined || found?.isFile() !== true) {
      response.writeHead(faults.status ?? 404).end()
      return
    }
    const isBlob = path.startsWith('/blobs/')
    const from = faults.ignoresRange === true ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    const length = found.size - from + (isBlob ? (faults.lengthLie ?? 0) : 0)
    const ranged = { 'Content-Range': `bytes ${from}-${found.size - 1}/${found.size}` }
    if (range === undefined || faults.ignoresRange === true) response.writeHead(200, { 'Content-Length': length })
    else response.writeHead(206, { 'Content-Length': length, ...ranged })
    let at = 0
    const stream = createReadStream(file, { start: from, highWaterMark: 16 * 1024 })
    response.on('close', () => stream.destroy())
    for await (const piece of stream as AsyncIterable<Buffer>) {
      const { hangsAfter = Infinity, cutsAfter = Infinity, dripsAfter = Infinity } = faults
      const limit = isBlob ? Math.min(hangsAfter, cutsAfter, dripsAfter) : Infinity
      const part = piece.subarray(0, Math.max(0, limit - at))
      if (isBlob && faults.otherBytes === true && from + at === 0 && part.length > 0) part[0] = (part[0] ?? 0) ^ 1
      at += part.length
      sentBytes += part.length
      if (!response.write(part)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve))
      if (isBlob && at >= (faults.waits?.afterBytes ?? Infinity)) await faults.waits?.until
      if (at < limit) continue
      if (faults.dripsAfter !== undefined) return await drip(response, { file, at: from + at })
      // Cut once all of it is on its way: what was still held here would count as sent and never come.
      if (faults.hangsAfter === undefined) response.write('', () => response.destroy())
      return
    }
    response.end()
  }
  const drip = async (response: ServerResponse, { file, at }: { file: string; at: number }): Promise<void> => {
    const stream = createReadStream(file, { start: at, highWaterMark: 1 })
    response.on('close', () => stream.destroy())
    for await (const byte of stream as AsyncIterable<Buffer>) {
      sentBytes += 1
      response.write(byte)
      await sleep(DRIP_MS)
      if (response.destroyed) return
    }
    response.end()
  }
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response).catch(() => response.destroy())
  }
  const server =
    tls === undefined ? createServer(handle) : createSecureServer({ ...tls, minVersion: 'TLSv1.3' }, handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const served: PackageServer = {
    url: `${tls === undefined ? 'http' : 'https'}://localhost:${port}/`,
    port,
    asked,
    sentBytes: () => sentBytes,
    faults: {},
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return served
}
