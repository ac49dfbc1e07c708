import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Item } from '../../protocol/change.ts'
import { ChangingNode } from './changing-node.ts'
import { postPicture } from './edge-daemon.ts'
import { type CommandResult, EdgedeckProcess } from './edgedeck.ts'
import { samplePicture } from './pictures.ts'
import { type TcpLink, tcpLink } from './tcp-link.ts'

/** Waves and soaks of seconds, judged by a few requests, which show nothing but what is gross. */
export const QUICK = [
  '--set',
  'canary=1',
  '--set',
  'soak=2s',
  '--set',
  'maxSoak=60s',
  '--set',
  'siteBudget=2',
  '--set',
  'gates={"minRequests":5,"maxSlowPct":100,"worseFactor":100,"severeFactor":1}',
  '--set',
  'localGates={"minRequests":5,"maxSlowPct":100}',
  '--set',
  'shadow=null',
] as const
/** For a shadow, which has what others leave of the machine: little where all tests run at once. */
export const MUCH_TIME = ['--set', 'maxSoak=400s'] as const
const NEED_NODES: ReadonlySet<string> = new Set(['plan', 'start', 'undo', 'drive'])
const PICTURE_EVERY_MS = 40

/** Real daemons of one site with cameras before them, and the plain commands of rollouts over them, as processes. */
export class RolloutFleet implements AsyncDisposable {
  readonly nodes: readonly ChangingNode[]
  readonly links: TcpLink[] = []
  readonly #dir = mkdtempSync(join(tmpdir(), 'rollout-'))
  readonly #commands: EdgedeckProcess[] = []
  #cameras: Promise<void>[] = []
  #isOver = false
  /** Answers that were no 200s, and how many there were in all. */
  failed = 0
  answered = 0

  constructor(count: number) {
    this.nodes = Array.from(
      { length: count },
      (_, n) =>
        new ChangingNode({
          'node.name': `n${n + 1}`,
          'models.shadowPriority': 'normal',
          // A request that a busy machine is late with has not failed.
          'inference.timeout': '60s',
        }),
    )
  }

  /** Start all of them; what was shelved before is on their disks. */
  async start(): Promise<void> {
    for (const node of this.nodes) {
      await node.serve()
      this.links.push(await tcpLink(() => Number(new URL(node.served?.liveUrl ?? '').port)))
    }
    this.#cameras = this.nodes.map((node) => this.#camera(node))
  }

  /** The digits model as another version, on every node's disk; see {@link ChangingNode.shelve}. */
  async shelve(version: string, graph?: Buffer, selfTest?: readonly number[]): Promise<Item> {
    let item: Item | null = null
    for (const node of this.nodes) item = await node.shelve(version, graph, selfTest)
    if (item === null) throw new Error('there is no node')
    return item
  }

  /** A strategy's file. */
  file(name: string, text: string): string {
    const path = join(this.#dir, name)
    writeFileSync(path, text)
    return path
  }

  /** Begin a command: `edgedeck rollout …` of this fleet, its journal in a folder of its own. Only those that need nodes are told any. */
  begin(...words: string[]): EdgedeckProcess {
    const links = NEED_NODES.has(words[0] ?? '') ? this.links : []
    const nodes = links.flatMap(({ port }, n) => ['--node', `n${n + 1}=ws://127.0.0.1:${port}/live`])
    const command = new EdgedeckProcess(['rollout', ...words, ...nodes], { XDG_STATE_HOME: this.#dir })
    this.#commands.push(command)
    return command
  }

  /** Run a command to its end. */
  run(...words: string[]): Promise<CommandResult> {
    return this.begin(...words).result
  }

  /** Begin a rollout with waves and soaks of seconds. */
  roll(item: Item, ...words: string[]): EdgedeckProcess {
    return this.begin('start', `${item.name}@${item.version}#${item.digest}`, '--all', ...QUICK, ...words)
  }

  /** Versions that serve. */
  versions(): readonly (string | undefined)[] {
    return this.nodes.map((node) => node.version)
  }

  async #camera(node: ChangingNode): Promise<void> {
    for (let n = 0; !this.#isOver; n += 1) {
      const url = node.served?.inferUrl
      const answer = url === undefined ? null : await postPicture(url, samplePicture(n % 10)).catch(() => null)
      if (answer !== null) {
        this.answered += 1
        if (answer.code !== 200) this.failed += 1
      }
      await new Promise((resolve) => setTimeout(resolve, PICTURE_EVERY_MS))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    for (const { child } of this.#commands) if (child.exitCode === null) child.kill('SIGKILL')
    await Promise.all(this.#cameras)
    for (const link of this.links) await link[Symbol.asyncDispose]()
    for (const node of this.nodes) await node[Symbol.asyncDispose]()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
