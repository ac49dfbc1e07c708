import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { Cameras } from './cameras.ts'
import { CloudEnd } from './cloud.ts'
import type { Listening } from './daemon-process.ts'
import { DemoNodeParts } from './demo-node.ts'
import { ModelOffers } from './model-offers.ts'
import type { NatsServerProgram } from './nats-server.ts'
import { demoModelsDir } from './places.ts'
import { Reaper } from './reaper.ts'
import type { DemoControls, DemoState } from './scenario.ts'

/** The nodes of the demo; one of them shows that names need not be Latin. */
export const DEMO_NODES = [
  { name: 'node-1', site: 'plant-a' },
  { name: 'node-2', site: 'plant-a' },
  { name: 'node-3', site: 'warehouse-东' },
] as const

const FRAMES_PER_SEC = 6
const GARBAGE_MS = 10_000

/** What {@link DemoFleet} needs. */
export interface DemoFleetOptions {
  /** A node serves, for the first time or again. */
  readonly onServing: (node: string, where: Listening) => void
  /** Something that a person should know, one line. */
  readonly onNotice: (text: string) => void
  /** Sends a live command to a node. @throws EdgeError */
  readonly command: (node: string, verb: string, args: Record<string, number>) => Promise<void>
  /** Parent of the demo's folder, the system's temporary folder when absent. */
  readonly parentDir?: string
  readonly findNatsProgram?: () => Promise<NatsServerProgram | null>
}

/** The demo fleet: daemons, cameras, links and a cloud end as real processes, all of which end with it. */
export class DemoFleet implements DemoControls {
  readonly #options: DemoFleetOptions
  readonly #reaper = new Reaper()
  readonly #cameras: Cameras
  readonly #offers = new ModelOffers(demoModelsDir())
  /** Last work of each node and of the cloud: one change at a time each, in the order asked for. */
  readonly #turns = new Map<string, Promise<void>>()
  #dir: string | null = null
  #cloud: CloudEnd | null = null
  #nodes: readonly DemoNodeParts[] = []
  #stopping = false

  constructor(options: DemoFleetOptions) {
    this.#options = options
    this.#cameras = new Cameras({
      framesPerSec: FRAMES_PER_SEC,
      onSpawn: (pid) => this.#reaper.started(pid),
      onExit: (pid) => {
        this.#reaper.ended(pid)
        if (!this.#stopping) options.onNotice('the cameras ended by themselves; leave the demo and start it again')
      },
    })
  }

  /**
   * Start everything; resolves when every node serves or has been told of as failed.
   * @throws EdgeError when there is no cloud end or no digits.
   */
  async start(): Promise<void> {
    this.#reaper.start()
    const dir = mkdtempSync(path.join(this.#options.parentDir ?? tmpdir(), 'edgedeck-demo-'))
    this.#dir = dir
    this.#reaper.folder(dir)
    const onSpawn = (pid: number) => this.#reaper.started(pid)
    const { findNatsProgram } = this.#options
    const cloud = new CloudEnd({
      dir: path.join(dir, 'cloud'),
      onSpawn,
      onExit: (pid) => this.#reaper.ended(pid),
      ...(findNatsProgram === undefined ? {} : { findProgram: findNatsProgram }),
    })
    this.#cloud = cloud
    this.#nodes = DEMO_NODES.map(
      ({ name, site }) =>
        new DemoNodeParts({
          name,
          site,
          dir,
          cloud,
          modelTrust: this.#offers.trust,
          onSpawn,
          onExit: (pid, cause) => this.#lost(name, pid, cause),
        }),
    )
    await this.#offers.start(path.join(dir, 'models'))
    this.#cameras.start()
    await this.#inTurn('cloud', () => cloud.start())
    await Promise.all(
      this.#nodes.map((node) =>
        this.#inTurn(node.name, () => this.#serve(node, () => node.start())).catch((error) => {
          if (!this.#stopping) this.#options.onNotice(messageOf(error))
        }),
      ),
    )
  }

  /** End every process and remove the demo's folder. Never throws; may be called at any time, and twice. */
  async stop(): Promise<void> {
    this.#stopping = true
    const cloud = this.#cloud
    await Promise.allSettled([this.#cameras.stop(), ...this.#nodes.map((node) => node.stop())])
    // A start that was under way may have spawned one more process; its turn ends with it.
    await Promise.allSettled([...this.#turns.values()])
    await Promise.allSettled(this.#nodes.map((node) => node.stop()))
    await Promise.allSettled([cloud?.down(), this.#offers.stop()])
    if (this.#dir !== null) await rm(this.#dir, { recursive: true, force: true, maxRetries: 10 }).catch(() => undefined)
    await this.#reaper.dismiss()
  }

  state(): DemoState {
    const cloud = this.#cloud
    return {
      nodes: this.#nodes.map((node) => ({
        name: node.name,
        site: node.site,
        pid: node.daemon.pid,
        stateDir: node.stateDir,
        inferUrl: node.daemon.listening?.inferUrl ?? null,
        liveUrl: node.daemon.listening?.liveUrl ?? null,
        uplink: node.uplink.state,
        slowMs: node.slowMs,
        garbage: node.garbageTimer !== null,
        camera: this.#cameras.counts(node.name),
      })),
      cloud: { kind: cloud?.url ? cloud.kind : 'starting', url: cloud?.url ?? null, up: cloud?.isUp ?? false },
      framesPerSec: this.#cameras.framesPerSec,
      models: this.#offers.models,
      strategyFile: this.#offers.strategyFile,
    }
  }

  kill(name: string): Promise<void> {
    return this.#onNode(name, (node) => node.daemon.kill())
  }

  revive(name: string): Promise<void> {
    return this.#onNode(name, (node) => this.#serve(node, () => node.daemon.start()))
  }

  cut(name: string): Promise<void> {
    return this.#onNode(name, async (node) => node.uplink.cut())
  }

  silence(name: string): Promise<void> {
    return this.#onNode(name, async (node) => node.uplink.silence())
  }

  restore(name: string): Promise<void> {
    return this.#onNode(name, async (node) => node.uplink.restore())
  }

  slow(name: string, ms: number): Promise<void> {
    return this.#onNode(name, async (node) => {
      await this.#options.command(name, 'fault.slow', { ms })
      node.slowMs = ms
    })
  }

  garbage(name: string): Promise<void> {
    return this.#onNode(name, async (node) => {
      const on = node.garbageTimer === null
      if (node.garbageTimer !== null) clearTimeout(node.garbageTimer)
      node.garbageTimer = null
      this.#cameras.setGarbage(name, on)
      if (!on) return
      node.garbageTimer = setTimeout(() => {
        node.garbageTimer = null
        this.#cameras.setGarbage(name, false)
      }, GARBAGE_MS)
    })
  }

  cloudDown(): Promise<void> {
    return this.#inTurn('cloud', async () => this.#cloud?.down())
  }

  cloudUp(): Promise<void> {
    return this.#inTurn('cloud', async () => this.#cloud?.up())
  }

  async cameras(framesPerSec: number): Promise<void> {
    this.#cameras.setRate(framesPerSec)
  }

  async #serve(node: DemoNodeParts, start: () => Promise<void>): Promise<void> {
    if (this.#stopping) return
    await start()
    const { listening } = node.daemon
    if (listening === null) return
    this.#cameras.point(node.name, listening.inferUrl, node.cameraLog)
    this.#options.onServing(node.name, listening)
  }

  #lost(name: string, pid: number, cause: string): void {
    this.#reaper.ended(pid)
    if (!this.#stopping && cause !== 'SIGKILL') this.#options.onNotice(`${name} ended by itself: ${cause}`)
  }

  async #onNode(name: string, work: (node: DemoNodeParts) => Promise<void>): Promise<void> {
    const node = this.#nodes.find((candidate) => candidate.name === name)
    if (node !== undefined) return this.#inTurn(name, () => work(node))
    const names = this.#nodes.map((candidate) => candidate.name).join(', ')
    throw new EdgeError('USAGE', { message: `there is no node "${name}"`, next: [`the nodes are: ${names}`] })
  }

  #inTurn(key: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(work)
    this.#turns.set(
      key,
      turn.catch(() => undefined),
    )
    return turn
  }
}
