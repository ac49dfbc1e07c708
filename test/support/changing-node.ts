import { createHash, randomUUID } from 'node:crypto'
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { newPackageKey, packageKeyText } from '../../identity/package-signature.ts'
import type { ChangeStatus, ChangeVerb, Item, StatusChanges } from '../../protocol/change.ts'
import type { StatusFrame } from '../../protocol/frames.ts'
import type { Manifest } from '../../protocol/model-manifest.ts'
import type { Statement } from '../../protocol/package.ts'
import { DaemonHome, type EdgeDaemonProcess, eventually, postPicture, type Served } from './edge-daemon.ts'
import { TestConsole } from './live-node.ts'
import { writePackage } from './model-package.ts'
import { samplePicture } from './pictures.ts'

const DIGITS = fileURLToPath(new URL('../../models/digits/', import.meta.url))
const STEP = { rollout: 'r1', term: 1 } as const
const GATES = { maxFailedPct: 2, maxSlowPct: 100, maxDisagreePct: 20, minRequests: 20 }

/** A real daemon whose models are changed by a console on its own machine. */
export class ChangingNode implements AsyncDisposable {
  readonly home = new DaemonHome()
  readonly #key = newPackageKey()
  served: ({ daemon: EdgeDaemonProcess } & Served) | null = null
  #console: TestConsole | null = null

  constructor(settings: Readonly<Record<string, unknown>> = {}) {
    this.configure(settings)
  }

  configure(settings: Readonly<Record<string, unknown>>): void {
    this.home.configure({ 'models.trust': [packageKeyText(this.#key)], 'faults.allow': true, ...settings })
  }

  /** Start the daemon and look at it. */
  async serve(options: Parameters<DaemonHome['serve']>[0] = {}): Promise<void> {
    this.served = await this.home.serve(options)
    await this.look()
  }

  /** Begin to look at its status. */
  async look(): Promise<void> {
    this.#console?.close()
    this.#console = await TestConsole.open((this.served as Served).liveUrl)
    this.#console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10_000 })
    await this.#console.until(() => this.#session.of('status').length > 0)
  }

  /** Kill it with all that it started, as a power cut, and start it again. */
  async killed(): Promise<void> {
    await this.kill()
    await this.serve()
  }

  async kill(): Promise<void> {
    this.served?.daemon.kill()
    await this.served?.daemon.ended
  }

  /**
   * Put a package on its shelf: the digits model as another version, `graph` instead of its graph.
   * @param selfTest classes whose samples are its self-test; all when left out
   * @returns its item
   */
  async shelve(version: string, graph?: Buffer, selfTest?: readonly number[]): Promise<Item> {
    const files: Record<string, Uint8Array | string> = {}
    for (const name of readdirSync(join(DIGITS, 'samples'))) {
      files[`samples/${name}`] = readFileSync(join(DIGITS, 'samples', name))
    }
    const manifest = JSON.parse(readFileSync(join(DIGITS, 'manifest.json'), 'utf8')) as Manifest
    const [variant] = manifest.variants
    if (variant === undefined) throw new Error('the digits model has no variant')
    const bytes = graph ?? readFileSync(join(DIGITS, variant.file))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    files['digits.onnx'] = bytes
    const own = { ...variant, file: 'digits.onnx', sha256, bytes: bytes.length }
    const tests = manifest.selfTest.filter((sample) => selfTest?.includes(sample.class) ?? true)
    files['manifest.json'] = JSON.stringify({ ...manifest, version, variants: [own], selfTest: tests })
    const digest = await this.put('model', version, files)
    return { kind: 'model', name: 'digits', version, digest }
  }

  /** Put a signed package of any files on its shelf; resolves with its digest. */
  async put(
    kind: Statement['kind'],
    version: string,
    files: Readonly<Record<string, Uint8Array | string>>,
    name = 'digits',
  ): Promise<string> {
    const at = join(this.home.dir, `package-${version}`)
    const { digest } = await writePackage(at, files, { kind, name, version, keys: [this.#key] })
    const shelf = join(this.home.stateDir, 'packages')
    mkdirSync(shelf, { recursive: true, mode: 0o700 })
    cpSync(at, join(shelf, digest), { recursive: true })
    rmSync(at, { recursive: true })
    return digest
  }

  /** Put a package of configuration on its shelf. @returns its item */
  async shelveConfig(version: string, yaml: string): Promise<Item> {
    const digest = await this.put('config', version, { 'settings.yaml': yaml }, 'settings')
    return { kind: 'config', name: 'settings', version, digest }
  }

  /** Alter a file of a package on the shelf, as a disk that forgets does. */
  spoil({ digest }: Item): void {
    appendFileSync(join(this.home.stateDir, 'packages', digest, 'manifest.json'), ' ')
  }

  /** The newest kept results, newest first. */
  async results(limit: number): Promise<readonly object[]> {
    const id = randomUUID()
    const session = this.#session
    session.send({ t: 'read', id, topic: 'results', fromMs: 0, toMs: Date.now() + 60_000, limit, newestFirst: true })
    await session.until(() => session.of('end').some((end) => end.id === id))
    return session.rows(id)
  }

  /** Send a step; fails with `CODE: message` when the node refuses it. */
  async ask(verb: ChangeVerb, args: Readonly<Record<string, unknown>> = {}): Promise<ChangeStatus | null> {
    const id = randomUUID()
    const session = this.#session
    session.send({ t: 'command', id, verb, args: { ...STEP, ...args } })
    const answer = () => session.frames.find((one) => 'id' in one && one.id === id)
    await session.until(() => answer() !== undefined || session.closed !== null)
    const found = answer()
    if (found === undefined) throw new Error(`the session ended before the answer to ${verb}`)
    if (found?.t === 'error') throw new Error(`${found.code}: ${found.msg}`)
    if (found?.t !== 'done') throw new Error(`answered by ${found?.t}`)
    return found.result.change as unknown as ChangeStatus | null
  }

  /** Stage what is on the shelf, and wait until it is. */
  async stage(item: Item, step: Readonly<Record<string, unknown>> = {}): Promise<void> {
    await this.ask('change.stage', { item, sources: [{ kind: 'link' }], ...step })
    await this.until('staged')
  }

  /** Stage and activate, and wait until it is on probation. */
  async activate(item: Item, step: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { gates = {}, ...others } = step as { gates?: object }
    await this.stage(item, pick(others, ['rollout', 'term']))
    await this.ask('change.activate', {
      activation: 'a1',
      confirmWithinSec: 600,
      comparePct: 0,
      ...others,
      gates: { ...GATES, ...gates },
    })
    await this.until('probation')
  }

  /** What the newest status says of changes. */
  get changes(): StatusChanges {
    const status = this.status
    if (status.changes === undefined) throw new Error('the status says nothing of changes')
    return status.changes
  }

  get status(): StatusFrame {
    const newest = this.#session.of('status').at(-1)
    if (newest === undefined)
      throw new Error(`no status has come: ${JSON.stringify(this.#session.frames).slice(0, 2000)}`)
    return newest
  }

  /** Version that serves, by the node's own word. */
  get version(): string | undefined {
    return this.status.inference.model?.version
  }

  /** Wait until the change is in a phase. */
  async until(phase: ChangeStatus['phase'], timeoutMs = 90_000): Promise<ChangeStatus> {
    const session = this.#session
    const now = () => {
      if (session.invalid !== null || session.closed !== null) {
        throw new Error(`the session is over: ${session.invalid ?? JSON.stringify(session.closed)}`)
      }
      return session.of('status').at(-1)?.changes?.change
    }
    await eventually(() => now()?.phase === phase, { timeoutMs, what: `${phase}, it is ${JSON.stringify(now())}` })
    return now() as ChangeStatus
  }

  /** Have some pictures classified; resolves with the codes of the answers. */
  async infer(count: number): Promise<number[]> {
    const codes: number[] = []
    for (let n = 0; n < count; n += 1) {
      codes.push((await postPicture((this.served as Served).inferUrl, samplePicture(n % 10))).code)
    }
    return codes
  }

  /** Process id of the child that serves. */
  get childPid(): number {
    return this.status.inference.childPid as number
  }

  /** Kill the process of the model on probation, and again once it was started anew. */
  async diesTwice(): Promise<void> {
    const first = this.childPid
    process.kill(first, 'SIGKILL')
    await eventually(() => this.changes.change?.uncleanStarts === 1 && (this.childPid ?? first) !== first, {
      what: 'it is started again',
    })
    process.kill(this.childPid, 'SIGKILL')
  }

  get #session(): TestConsole {
    if (this.#console === null) throw new Error('the node was not looked at')
    return this.#console
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#console?.close()
    await this.home[Symbol.asyncDispose]()
  }
}

function pick(all: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => keys.includes(key)))
}
