import { createReadStream, readdirSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { newPackageKey, packageKeyText, signPackage } from '../../identity/package-signature.ts'
import { openPackage } from '../../packages/model-package.ts'
import { readPackageFile } from '../../packages/verify-folder.ts'
import type { Item, Source } from '../../protocol/change.ts'
import { PACKAGE_FILE } from '../../protocol/package.ts'
import { writePackageFile } from '../packages/pack-folder.ts'
import { DEMO_STRATEGY_FILE, DEMO_STRATEGY_TEXT } from './demo-strategy.ts'

/** What each folder of `models/demo` shows when it is rolled out. */
const STORIES = {
  better: 'is at least as good: it goes through',
  worse: 'takes 7 for 1, 8 for 3 and 9 for 4: shadow stops it',
  slow: 'takes far over 50 ms: the share of slow answers takes it back',
  crashing: 'ends its process on dim pictures: shadow stops it; without shadow two unclean starts take it back',
} as const

/** A signed package that a newcomer can roll out in the demo. */
export interface DemoModel {
  readonly what: keyof typeof STORIES
  /** What will be seen, in a few words. */
  readonly story: string
  readonly item: Item
  /** The package, for plain commands. */
  readonly folder: string
  /** Where nodes fetch it. */
  readonly sources: readonly Source[]
}

/**
 * The models that the demo offers to roll out: signed by a key of this run, and served on loopback as any web server
 * would, by `packages/<digest>` and `blobs/<SHA-256>`.
 */
export class ModelOffers {
  readonly #from: string
  readonly #key = newPackageKey()
  readonly #files = new Map<string, string>()
  #server: Server | null = null
  #models: readonly DemoModel[] = []
  #strategyFile: string | null = null

  /** @param from folder with a package for each story */
  constructor(from: string) {
    this.#from = from
  }

  /** The key that the demo's nodes trust, as `models.trust` takes it. */
  get trust(): string {
    return packageKeyText(this.#key)
  }

  /** What is offered; none before the start. */
  get models(): readonly DemoModel[] {
    return this.#models
  }

  /** File of the demo's strategy, for plain commands; null before the start. */
  get strategyFile(): string | null {
    return this.#strategyFile
  }

  /** Sign copies in `dir` and serve them. @throws EdgeError for packages that are damaged; what the system says. */
  async start(dir: string): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const there = readdirSync(this.#from)
    const wanted = (Object.keys(STORIES) as DemoModel['what'][]).filter((what) => there.includes(what))
    await mkdir(dir, { recursive: true })
    const strategyFile = path.join(dir, DEMO_STRATEGY_FILE)
    await writeFile(strategyFile, DEMO_STRATEGY_TEXT)
    this.#strategyFile = strategyFile
    this.#models = await Promise.all(wanted.map((what) => this.#offer(what, path.join(dir, what), url)))
  }

  /** Serve no more. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === null) return
    this.#server = null
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }

  async #offer(what: DemoModel['what'], folder: string, url: string): Promise<DemoModel> {
    await cp(path.join(this.#from, what), folder, { recursive: true })
    const signed = signPackage(await readPackageFile(folder), this.#key)
    writePackageFile(folder, signed)
    const { item } = await openPackage(folder, { trust: null })
    this.#files.set(`/packages/${item.digest}`, path.join(folder, PACKAGE_FILE))
    for (const file of signed.statement.files) this.#files.set(`/blobs/${file.sha256}`, path.join(folder, file.path))
    return { what, story: STORIES[what], item, folder, sources: [{ kind: 'https', url }] }
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const file = this.#files.get(request.url ?? '')
    if (file === undefined || request.method !== 'GET') {
      response.writeHead(404).end()
      return
    }
    createReadStream(file)
      .on('error', () => response.destroy())
      .pipe(response.writeHead(200, { 'Content-Type': 'application/octet-stream' }))
  }
}
