import { Worker } from 'node:worker_threads'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { StoreKeys } from '../store/seal.ts'
import type { Store } from '../store/store.ts'
import type { LogSearch, LogSearcher, SearchPage, SearchRequest } from './contract.ts'
import type { ForwardedFrom } from './forwarded-from.ts'
import type { FromSearcher, SearcherSettings, ToSearcher } from './messages.ts'

/** What a searcher is made of. */
export interface SearcherOptions {
  readonly store: Pick<Store, 'places'>
  readonly keys: StoreKeys | null
  /** Most of one core's time that all searches take together, above 0 up to 1. */
  readonly share: number
  /** From which level on lines are surely in the class that goes up; nothing is relied on when it is left out. */
  readonly forwardedFrom?: ForwardedFrom
  /** Starts the thread; that of {@link startSearchWorker} when it is left out. */
  readonly startWorker?: (settings: SearcherSettings) => Worker
}

/** The thread is ended when nobody has searched for this long: most nodes are hardly ever asked. */
const IDLE_MS = 30_000
/** A search that needs more of its own heap than this is broken; what it reads is outside of it. */
const HEAP_MB = 256

/** Start the thread of searches: `worker.ts` in a checkout, `search-worker.js` beside a bundle. */
export function startSearchWorker(settings: SearcherSettings): Worker {
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './search-worker.js'
  return new Worker(new URL(file, import.meta.url), {
    workerData: settings,
    execArgv: [],
    name: 'search',
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  })
}

interface Waiting {
  readonly resolve: (page: SearchPage) => void
  readonly reject: (error: EdgeError) => void
}

/**
 * Searches as the main thread sees them: a thread of lowest priority reads the segments itself and asks the store only
 * where they are, so that neither commits nor inference wait for it. It is started by the first search.
 */
export class Searcher implements LogSearcher {
  readonly #options: SearcherOptions
  #keys: StoreKeys | null
  #worker: Worker | null = null
  #idle: NodeJS.Timeout | null = null
  readonly #searches = new Map<number, Waiting | null>()
  #lastId = 0

  constructor(options: SearcherOptions) {
    this.#options = options
    this.#keys = options.keys
  }

  begin(request: SearchRequest, by: number): LogSearch {
    this.#lastId += 1
    const id = this.#lastId
    this.#searches.set(id, null)
    this.#post({ t: 'begin', id, by, request })
    return {
      next: (size) =>
        new Promise((resolve, reject) => {
          if (!this.#searches.has(id)) return void reject(failing('the search was ended'))
          this.#searches.set(id, { resolve, reject })
          this.#post({ t: 'next', id, size })
        }),
      end: () => this.#end(id),
    }
  }

  /** Go on with other keys. */
  changeKeys(keys: StoreKeys): void {
    this.#keys = keys
    this.#worker?.postMessage({ t: 'keys', keys } satisfies ToSearcher)
  }

  /** End every search and the thread. */
  async stop(): Promise<void> {
    const worker = this.#worker
    this.#leave('the node is stopping')
    await worker?.terminate()
  }

  #end(id: number): void {
    const waiting = this.#searches.get(id)
    if (!this.#searches.delete(id)) return
    this.#worker?.postMessage({ t: 'end', id } satisfies ToSearcher)
    waiting?.reject(failing('the search was ended'))
    if (this.#searches.size > 0) return
    this.#idle = setTimeout(() => void this.stop(), IDLE_MS)
    this.#idle.unref()
  }

  #post(message: ToSearcher): void {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = null
    this.#worker ??= this.#start()
    this.#worker.postMessage(message)
  }

  #start(): Worker {
    const { share, forwardedFrom = null, startWorker = startSearchWorker } = this.#options
    const worker = startWorker({ keys: this.#keys, share, forwardedFrom })
    let fault = 'it ended'
    worker.on('message', (message: FromSearcher) => void this.#receive(worker, message))
    worker.on('error', (error) => {
      fault = messageOf(error)
    })
    worker.on('exit', () => {
      if (this.#worker === worker) this.#leave(`the search was lost: ${fault}`)
    })
    return worker
  }

  async #receive(worker: Worker, message: FromSearcher): Promise<void> {
    if (message.t === 'ask') {
      const { id, request } = message
      const answer = await this.#options.store.places(request).then(
        (places) => ({ places, msg: '' }),
        (error: unknown) => ({ places: null, msg: messageOf(error) }),
      )
      worker.postMessage({ t: 'places', id, ...answer } satisfies ToSearcher)
      return
    }
    const waiting = this.#searches.get(message.id)
    if (waiting == null) return
    this.#searches.set(message.id, null)
    if (message.t === 'page') waiting.resolve(message.page)
    else waiting.reject(new EdgeError(message.code, { message: message.msg, next: ['try again'] }))
  }

  #leave(why: string): void {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = null
    this.#worker = null
    const waiting = [...this.#searches.values()]
    this.#searches.clear()
    for (const one of waiting) one?.reject(failing(why))
  }
}

function failing(message: string): EdgeError {
  return new EdgeError('STORE_FAILING', { message, next: ['ask again'] })
}
