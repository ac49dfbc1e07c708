import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Item } from '../../protocol/change.ts'
import type { JournalEntry } from '../../src/rollout/contract.ts'
import { openJournal } from '../../src/rollout/open-rollouts.ts'
import { ChangingNode } from './changing-node.ts'
import { eventually, postPicture } from './edge-daemon.ts'
import { type CommandResult, EdgedeckProcess } from './edgedeck.ts'
import { PASSPHRASE } from './fleet-controller.ts'
import { joinFiles } from './joined-node.ts'
import { accessOf, type NatsBus, natsBus } from './nats-bus.ts'
import { samplePicture } from './pictures.ts'
import { QUICK } from './rollout-fleet.ts'

const OPERATORS = ['mia', 'jo'] as const
const RIGHTS = { role: 'operator', sites: ['plant'] } as const

/**
 * Joined daemons of one site that are reached through a real bus with accounts alone, two operators with consoles of their
 * own, and controllers: all of them real processes.
 */
export class BusRolloutFleet implements AsyncDisposable {
  readonly bus: NatsBus
  readonly nodes: readonly ChangingNode[]
  readonly #names: readonly string[]
  readonly #dir = mkdtempSync(join(tmpdir(), 'rollout-bus-'))
  readonly #processes: EdgedeckProcess[] = []
  #cameras: NodeJS.Timeout | undefined

  private constructor(bus: NatsBus, names: readonly string[]) {
    this.bus = bus
    this.#names = names
    this.nodes = names.map((name) => new ChangingNode({ 'node.name': name, 'upstream.nats.servers': [bus.url] }))
  }

  static async create(names: readonly string[]): Promise<BusRolloutFleet> {
    const bus = await natsBus()
    const fleet = new BusRolloutFleet(bus, names)
    for (const [index, node] of names.entries()) {
      const { stateDir } = (fleet.nodes[index] as ChangingNode).home
      const files = joinFiles(stateDir, await bus.authority.node('plant', node))
      const { creds } = await bus.member({ kind: 'node', site: 'plant', node })
      writeFileSync(files.path('nats.creds'), creds, { mode: 0o600 })
    }
    const context = { context: 'acme', contexts: { acme: { nats: { servers: [bus.url] } } } }
    writeFileSync(join(fleet.#dir, 'config.yaml'), JSON.stringify(context))
    for (const name of OPERATORS) await fleet.#login(name)
    return fleet
  }

  /** Start the daemons, with cameras before them; what was shelved before is on their disks. */
  async start(): Promise<void> {
    const urls = await Promise.all(this.nodes.map(async (node) => (await node.home.serve()).inferUrl))
    let count = 0
    this.#cameras = setInterval(() => {
      count += 1
      for (const url of urls) void postPicture(url, samplePicture(count % 10)).catch(() => undefined)
    }, 100)
  }

  /** The digits model as another version, on every node's disk. */
  async shelve(version: string): Promise<Item> {
    const [first, ...others] = this.nodes
    for (const node of others) await node.shelve(version)
    return (first as ChangingNode).shelve(version)
  }

  /** Begin a command at somebody's console. */
  at(who: (typeof OPERATORS)[number], ...words: string[]): EdgedeckProcess {
    return this.#begin([...words, '--config', join(this.#dir, 'config.yaml')], join(this.#dir, who))
  }

  /** Begin a rollout with waves and soaks of seconds, at somebody's console. */
  roll(who: (typeof OPERATORS)[number], item: Item, ...words: string[]): EdgedeckProcess {
    const name = `${item.name}@${item.version}#${item.digest}`
    const how = ['--all', '--from', 'link', ...QUICK, '-o', 'ndjson']
    return this.at(who, 'rollout', 'start', name, ...how, ...words)
  }

  /** Run a command at somebody's console, which must succeed. */
  async must(who: (typeof OPERATORS)[number], ...words: string[]): Promise<CommandResult> {
    const result = await this.at(who, ...words).result
    if (result.code !== 0) throw new Error(`${words.join(' ')} ended with ${result.code}:\n${result.stderr}`)
    return result
  }

  /** Wait until all nodes say that they serve it; one that is busy is late with its answer. */
  async untilServed(version: string): Promise<void> {
    await eventually(
      async () => {
        const { stdout } = await this.at('mia', 'nodes', '-o', 'json').result
        const models = (JSON.parse(stdout || '[]') as { model: string | null }[]).map(({ model }) => model)
        return models.length === this.#names.length && models.every((model) => model === `digits@${version} fp32`)
      },
      { timeoutMs: 240_000, what: `all serve ${version}` },
    )
  }

  /** What must be done once before a controller of a name can drive: its own copy of the authority, and credentials. */
  async prepareController(name: string): Promise<void> {
    const home = join(this.#dir, name)
    this.bus.authority.writeFolder(join(home, 'pki'), PASSPHRASE)
    writeFileSync(join(home, 'passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 })
    const credentials = join(home, 'bus.creds')
    const asked = ['nats', 'user', 'controller', name, '--in', this.bus.dir, '--out', credentials]
    const made = await this.#begin(asked, home).result
    if (made.code !== 0) throw new Error(`no credentials for the controller: ${made.stderr}`)
    const settings = {
      name,
      listen: '127.0.0.1:0',
      publicUrl: 'https://127.0.0.1:5444',
      pki: { dir: join(home, 'pki'), passphraseFile: join(home, 'passphrase') },
      state: { dir: join(home, 'state') },
      rollouts: { servers: [this.bus.url], credentials },
    }
    writeFileSync(join(home, 'controller.yaml'), JSON.stringify(settings))
  }

  /** Start a controller as it is installed, from `dist`. */
  async controller(name: string): Promise<EdgedeckProcess> {
    const home = join(this.#dir, name)
    const process = this.#begin(['controller', '--config', join(home, 'controller.yaml')], home, 'bin/edgedeck.js')
    await process.until(() => process.stdout.includes('"listening"') || process.child.exitCode !== null, 120_000)
    if (process.child.exitCode !== null) throw new Error(`the controller ended: ${process.stderr}`)
    return process
  }

  /** Read the newest rollout's journal as mia, again and again; `await using` ends it. */
  async journal(): Promise<{ read(): Promise<readonly JournalEntry[]> } & AsyncDisposable> {
    const mia = await this.bus.member({ kind: 'operator', name: 'mia', ...RIGHTS })
    const access = () => accessOf(this.bus, mia)
    const { journal, close } = await openJournal({ kind: 'bus', servers: [this.bus.url], access })
    return {
      read: async () => {
        const [newest] = await journal.list()
        return newest === undefined ? [] : journal.read(newest)
      },
      [Symbol.asyncDispose]: close,
    }
  }

  #begin(words: readonly string[], stateDir: string, program?: string): EdgedeckProcess {
    const process = new EdgedeckProcess(words, { XDG_STATE_HOME: stateDir }, program)
    this.#processes.push(process)
    return process
  }

  /** Put the identity of an operator where a console of theirs looks for it. */
  async #login(name: string): Promise<void> {
    const identity = join(this.#dir, name, 'edgedeck/identities/acme')
    mkdirSync(identity, { recursive: true })
    cpSync((await this.bus.authority.operator(name, RIGHTS)).dir, identity, { recursive: true })
    const { creds } = await this.bus.member({ kind: 'operator', name, ...RIGHTS })
    writeFileSync(join(identity, 'nats.creds'), creds, { mode: 0o600 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#cameras)
    for (const { child } of this.#processes) if (child.exitCode === null) child.kill('SIGKILL')
    for (const node of this.nodes) await node[Symbol.asyncDispose]()
    await this.bus[Symbol.asyncDispose]()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
