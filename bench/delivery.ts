import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connect } from 'nats'
import { packageKeyText } from '../identity/package-signature.ts'
import type { Source } from '../protocol/change.ts'
import { bucketSubjects } from '../protocol/object-store.ts'
import { pushObject, sha256Of } from '../src/cloud/bucket-push.ts'
import { readLocalPackage } from '../src/packages/local-package.ts'
import { type NodeAnswer, pushOverLink } from '../src/packages/push-link.ts'
import { ChangingNode } from '../test/support/changing-node.ts'
import { itemOf, layOut, noise, PACKAGE_KEY } from '../test/support/delivery-host.ts'
import { eventually } from '../test/support/edge-daemon.ts'
import { TestConsole } from '../test/support/live-node.ts'
import { type WrittenPackage, writePackage } from '../test/support/model-package.ts'
import { type NatsFixture, natsFixture } from '../test/support/nats-server.ts'
import { type PackageServer, packageServer } from '../test/support/package-server.ts'
import { type Paced, pacedLoad } from './infer/paced-load.ts'
import { spread } from './spread.ts'

const HELP = `The live answers' latency while a package comes to a node, beside the same node without one.

Usage: node bench/delivery.ts [--rounds 3] [--mb 50] [--rate 50] [--kbps 160000]

Two real daemons, one of them with a cap on deliveries (--kbps), answer pictures that come at a fixed rate, each result
stored and synced. In each round each of them is measured alone and while a package of --mb comes from a web server, from
a bucket and from a console, until it is verified and its model is staged. A ratio is made of turns of one round.
`
const ALONE_MS = 3000
const DIGITS = join(import.meta.dirname, '../models/digits')
const WAYS = ['https', 'bucket', 'link'] as const
type Way = (typeof WAYS)[number]

interface Turn extends Paced {
  readonly took: number
}

/** Measure by turns and print ratios. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      mb: { type: 'string', default: '50' },
      rate: { type: 'string', default: '50' },
      kbps: { type: 'string', default: '160000' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return
  }
  const perSec = Number(values.rate)
  const bytes = Number(values.mb) * 1e6
  const bus = await natsFixture()
  const caps = [null, Number(values.kbps)]
  const nodes = caps.map((cap) => new Contender(cap, bus))
  try {
    await bus.operate((manager) =>
      manager.streams.add({ name: 'OBJ_packages', subjects: [...bucketSubjects('packages')], allow_direct: true }),
    )
    for (const node of nodes) await node.start()
    for (let round = 0; round < Number(values.rounds); round += 1) {
      for (const node of round % 2 === 0 ? nodes : nodes.toReversed()) await node.round(round, { bytes, perSec })
    }
    for (const node of nodes) node.report(bytes)
  } finally {
    for (const node of nodes) await node[Symbol.asyncDispose]()
    await bus[Symbol.asyncDispose]()
  }
}

/** A daemon with or without a cap, and where its packages come from. */
class Contender implements AsyncDisposable {
  readonly #kbps: number | null
  readonly #bus: NatsFixture
  readonly #node: ChangingNode
  readonly #turns = new Map<Way | 'alone', Turn[]>()
  #web: PackageServer | null = null
  #console: TestConsole | null = null

  constructor(kbps: number | null, bus: NatsFixture) {
    this.#kbps = kbps
    this.#bus = bus
    this.#node = new ChangingNode({
      'models.trust': [packageKeyText(PACKAGE_KEY)],
      'delivery.maxKbps': kbps,
      'upstream.nats.servers': [bus.url],
      'alerts.latency': '60s',
    })
  }

  async start(): Promise<void> {
    const web = join(this.#node.home.dir, 'web')
    mkdirSync(web)
    this.#web = await packageServer(web)
    await this.#node.serve()
    this.#console = await TestConsole.open(this.#node.served?.liveUrl ?? '')
  }

  async round(round: number, { bytes, perSec }: { bytes: number; perSec: number }): Promise<void> {
    const port = Number(new URL(this.#node.served?.inferUrl ?? '').port)
    const alone = await pacedLoad(port, { perSec, isOver: (elapsedMs) => elapsedMs >= ALONE_MS })
    this.#keep('alone', { ...alone, took: ALONE_MS })
    for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
      const rollout = `${way}-${round}`
      const made = await this.#make(rollout, bytes)
      const bring = await this.#ready(way, made)
      const beganMs = performance.now()
      let isThere = false
      const loaded = pacedLoad(port, { perSec, isOver: () => isThere })
      try {
        await bring(rollout)
        await this.#node.until('staged', 600_000)
      } finally {
        isThere = true
      }
      const took = performance.now() - beganMs
      this.#keep(way, { ...(await loaded), took })
      await this.#node.ask('change.end', { rollout })
      for (const folder of [made.folder, join(this.#node.home.dir, 'web')]) rmSync(folder, { recursive: true })
    }
  }

  report(bytes: number): void {
    const alone = this.#turns.get('alone') ?? []
    const cap = this.#kbps === null ? 'no cap' : `${this.#kbps} kbit/s`
    console.log(`${cap}: live latency with a package of ${bytes / 1e6} MB coming / alone, min/median/max`)
    for (const way of WAYS) {
      const turns = this.#turns.get(way) ?? []
      const ratio = (of: (turn: Turn) => number): string =>
        spread(
          turns.map((turn, round) => of(turn) / of(alone[round] as Turn)),
          2,
        )
      const rate = spread(
        turns.map(({ took }) => bytes / 1000 / took),
        1,
      )
      console.log(
        `${way.padEnd(7)} p50 ${ratio(({ p50Ms }) => p50Ms)}   p99 ${ratio(({ p99Ms }) => p99Ms)}   ${rate} MB/s`,
      )
    }
    const ms = (of: (turn: Turn) => number): string => spread(alone.map(of), 1)
    console.log(`alone   p50 ${ms(({ p50Ms }) => p50Ms)} ms   p99 ${ms(({ p99Ms }) => p99Ms)} ms`)
  }

  /** The digits model with ballast, another one each time: what lies on the disk already is not brought again. */
  async #make(name: string, bytes: number): Promise<WrittenPackage> {
    const files: Record<string, Uint8Array> = {
      ballast: noise(bytes, (this.#turns.get('https')?.length ?? 0) + name.length),
    }
    for (const path of readdirSync(DIGITS, { recursive: true, encoding: 'utf8' })) {
      if (/\.(json|onnx|png)$/.test(path)) files[path] = readFileSync(join(DIGITS, path))
    }
    files.ballast?.set(Buffer.from(name))
    return await writePackage(join(this.#node.home.dir, name), files, { keys: [PACKAGE_KEY] })
  }

  /** Put the package where it is fetched from. @returns what begins to bring it */
  async #ready(way: Way, made: WrittenPackage): Promise<(rollout: string) => Promise<unknown>> {
    const stage = (rollout: string, source: Source) =>
      this.#node.ask('change.stage', { rollout, item: itemOf(made), sources: [source] })
    layOut(join(this.#node.home.dir, 'web'), made)
    if (way === 'https') return (rollout) => stage(rollout, { kind: 'https', url: this.#web?.url ?? '' })
    if (way === 'bucket') {
      await this.#fill(made)
      return (rollout) => stage(rollout, { kind: 'nats', bucket: 'packages' })
    }
    const local = await readLocalPackage(made.folder)
    const signal = new AbortController().signal
    return async (rollout) => {
      await stage(rollout, { kind: 'link' })
      const command = (verb: string, args: object) => this.#command(verb, args)
      const outcome = await pushOverLink(local, { command, timeoutMs: 60_000, signal })
      if (!outcome.ok) throw new Error(`not brought: ${JSON.stringify(outcome)}`)
    }
  }

  async #fill({ folder, signed, digest }: WrittenPackage): Promise<void> {
    const connection = await connect({ servers: this.#bus.url })
    const signal = new AbortController().signal
    const route = { connection, apiPrefix: '$JS.API', bucket: 'packages', timeoutMs: 60_000, signal }
    const files = signed.statement.files.map(({ path, sha256 }) => ({ name: `blobs/${sha256}`, path }))
    for (const { name, path } of [...files, { name: `packages/${digest}`, path: 'package.sig' }]) {
      const content = readFileSync(join(folder, path))
      const read = async (offset: number, length: number) => content.subarray(offset, offset + length)
      await pushObject({ name, sha256: sha256Of(content), sizeBytes: content.length, read }, route)
    }
    await connection.close()
  }

  async #command(verb: string, args: object): Promise<NodeAnswer> {
    const session = this.#console as TestConsole
    const id = randomUUID()
    session.send({ t: 'command', id, verb, args })
    const place = () => session.frames.findIndex((frame) => 'id' in frame && frame.id === id)
    await eventually(() => place() >= 0, { what: verb, timeoutMs: 60_000 })
    const [found] = session.frames.splice(place(), 1)
    if (found?.t === 'done') return { ok: true, result: found.result }
    const { code, msg, next } = found?.t === 'error' ? found : { code: 'NODE_UNREACHABLE' as const, msg: '', next: [] }
    return { ok: false, code, message: msg, next }
  }

  #keep(way: Way | 'alone', turn: Turn): void {
    this.#turns.set(way, [...(this.#turns.get(way) ?? []), turn])
    const figures = `p50 ${turn.p50Ms.toFixed(2)} p99 ${turn.p99Ms.toFixed(2)} ms, ${turn.answers} answers`
    console.error(`${this.#kbps ?? 'no'} cap, ${way}: ${figures} in ${(turn.took / 1000).toFixed(1)} s`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#console?.close()
    await this.#web?.[Symbol.asyncDispose]()
    await this.#node[Symbol.asyncDispose]()
  }
}

await main()
