import { Worker } from 'node:worker_threads'
import type { OpenedPackage, OpenOptions } from '../../packages/model-package.ts'
import type { VerifiedPackage, VerifyOptions } from '../../packages/verify-folder.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { FromPackages, PackageWish, ToPackages } from './package-messages.ts'

/** What a {@link PackageReader} is made of. */
export interface PackageReaderOptions {
  /** Starts the thread; that of {@link startPackageWorker} when it is left out. */
  readonly startWorker?: () => Worker
  /** The thread is ended when nothing was asked of it for this long: a node changes its model once in weeks. */
  readonly idleMs?: number
}

const IDLE_MS = 10_000

/** Start the thread that reads packages: `package-worker.ts` in a checkout, `package-worker.js` beside a bundle. */
export function startPackageWorker(): Worker {
  const file = import.meta.url.endsWith('.ts') ? './package-worker.ts' : './package-worker.js'
  return new Worker(new URL(file, import.meta.url), { execArgv: [], name: 'packages' })
}

interface Waiting {
  readonly resolve: (found: VerifiedPackage | OpenedPackage) => void
  readonly reject: (error: unknown) => void
}

/**
 * Verifies packages and looks into the graphs of models in a thread of its own, so that the one that answers devices does
 * not stand still for them: a digest over a large file takes seconds, a graph of many operators is read in one go.
 */
export class PackageReader {
  readonly #startWorker: () => Worker
  readonly #idleMs: number
  #worker: Worker | null = null
  #idle: NodeJS.Timeout | null = null
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  constructor({ startWorker = startPackageWorker, idleMs = IDLE_MS }: PackageReaderOptions = {}) {
    this.#startWorker = startWorker
    this.#idleMs = idleMs
  }

  /** As `openPackage`. @throws EdgeError as there, `PACKAGE_UNREAD` also when the thread was lost; what `signal` was aborted for */
  async open(folder: string, { signal, ...options }: OpenOptions): Promise<OpenedPackage> {
    return (await this.#ask('open', { folder, ...options }, signal)) as OpenedPackage
  }

  /** As `verifyFolder`. @throws EdgeError as there, `PACKAGE_UNREAD` also when the thread was lost; what `signal` was aborted for */
  async verify({ signal, ...wish }: VerifyOptions): Promise<VerifiedPackage> {
    return await this.#ask('verify', wish, signal)
  }

  /** End the thread and whatever it does. */
  async stop(): Promise<void> {
    const worker = this.#worker
    this.#leave('the node is stopping')
    await worker?.terminate()
  }

  async #ask(t: 'verify' | 'open', wish: PackageWish, signal?: AbortSignal): Promise<VerifiedPackage> {
    signal?.throwIfAborted()
    this.#lastId += 1
    const id = this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<VerifiedPackage>()
    const breakOff = (): void => {
      this.#worker?.postMessage({ t: 'end', id } satisfies ToPackages)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', breakOff)
    this.#waiting.set(id, { resolve, reject })
    this.#post({ t, id, wish })
    try {
      return await promise
    } finally {
      signal?.removeEventListener('abort', breakOff)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) this.#rest()
    }
  }

  #post(message: ToPackages): void {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = null
    this.#worker ??= this.#start()
    this.#worker.postMessage(message)
  }

  #rest(): void {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = setTimeout(() => void this.stop(), this.#idleMs)
    this.#idle.unref()
  }

  #start(): Worker {
    const worker = this.#startWorker()
    let fault = 'it ended'
    worker.on('message', (message: FromPackages) => this.#receive(message))
    worker.on('error', (error) => {
      fault = messageOf(error)
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#leave(`the thread that reads packages was lost: ${fault}`)
    })
    return worker
  }

  #receive(message: FromPackages): void {
    const waiting = this.#waiting.get(message.id)
    if ('found' in message) {
      waiting?.resolve(message.found)
    } else {
      const { code, msg, next } = message
      waiting?.reject(code === null ? new Error(msg) : new EdgeError(code, { message: msg, next }))
    }
  }

  #leave(why: string): void {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = null
    this.#worker = null
    // Nobody knows then whether a package is as it should be: it is asked about again, and not taken for spoilt.
    const error = new EdgeError('PACKAGE_UNREAD', { message: why, next: ['try again'] })
    for (const { reject } of this.#waiting.values()) reject(error)
  }
}
