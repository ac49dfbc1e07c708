import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { DeliveredPackage, DeliveryProgress } from '../../edge-daemon/delivery/contract.ts'
import type { DeliveryOptions } from '../../edge-daemon/delivery/delivery.ts'
import { HttpsSource, type HttpsSourceOptions } from '../../edge-daemon/delivery/https-source.ts'
import { type DeliveryHost, deliveryHost, type HostWishes, itemOf, layOut, noise } from './delivery-host.ts'
import { eventually } from './edge-daemon.ts'
import type { WrittenPackage } from './model-package.ts'
import { type PackageServer, packageServer } from './package-server.ts'

/** Bytes. */
export const MEGABYTE = 1_000_000
/** Files of a package whose model is one MB. */
export const FILES = { 'model.onnx': noise(MEGABYTE), 'manifest.json': '{}', 'samples/a.png': noise(3000, 2) }
const MODEL_BLOB = /^\/blobs\/\w+( bytes=\d+-)?$/

/** A host, a server over its folder, and a package that lies there. */
export async function scene(wishes: HostWishes = {}, files: Record<string, string | Uint8Array> = FILES) {
  const host = await deliveryHost(wishes)
  const server = await packageServer(host.web)
  const made = await host.make(files)
  layOut(host.web, made)
  return {
    host,
    server,
    made,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await host[Symbol.asyncDispose]()
    },
  }
}

/** Have a host fetch a package from web servers, in this order. */
export function fetchFrom(
  host: DeliveryHost,
  urls: readonly string[],
  made: Pick<WrittenPackage, 'signed' | 'digest'>,
  {
    signal = new AbortController().signal,
    told = [] as DeliveryProgress[],
    waits = {},
    ...more
  }: Partial<HttpsSourceOptions> & {
    signal?: AbortSignal
    told?: DeliveryProgress[]
    waits?: Pick<DeliveryOptions, 'nowMs' | 'patienceMs'>
  } = {},
): Promise<DeliveredPackage> {
  const tls = () => ({ ca: null, own: null })
  const delivery = host.delivery(
    (source) =>
      source.kind === 'https'
        ? [new HttpsSource({ url: source.url, tls, insecure: false, silenceMs: 10_000, ...more })]
        : [],
    waits,
  )
  const sources = urls.map((url) => ({ kind: 'https' as const, url }))
  return delivery.deliver({ item: itemOf(made), sources }, { signal, progress: (progress) => told.push(progress) })
}

/** Expect every file of a package to be what was packed. */
export async function isAsMade({ folder }: DeliveredPackage, made: WrittenPackage): Promise<void> {
  for (const { path } of made.signed.statement.files) {
    expect((await readFile(join(folder, path))).equals(await readFile(join(made.folder, path)))).toBe(true)
  }
}

/** Let a delivery that is tried again and again go on until something is said of it, and call it off then. */
export async function goesOnUntil(
  said: RegExp,
  host: DeliveryHost,
  begin: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const enough = new AbortController()
  const refused = expect(begin(enough.signal)).rejects.toThrow('enough')
  await eventually(() => said.test(host.said.join()), { what: `${said}` })
  enough.abort(new Error('enough'))
  await refused
}

/** What a server was asked for of its blobs. */
export function blobsAsked({ asked }: PackageServer): string[] {
  return asked.filter((path) => MODEL_BLOB.test(path))
}
