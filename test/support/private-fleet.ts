import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNatsServer } from '../../src/demo/nats-server.ts'
import { eventually } from './edge-daemon.ts'
import { NetSpaces } from './net-spaces.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const EDGEDECK = join(ROOT, 'bin/edgedeck.js')
const EDGE_DAEMON = join(ROOT, 'bin/edge-daemon.js')

/** Where everything stands: the cloud is seen by node and bastion, which do not see each other; cameras see the node. */
export const ADDRESS = {
  cloudForNode: '10.77.1.1',
  node: '10.77.1.2',
  cloudForBastion: '10.77.2.1',
  bastion: '10.77.2.2',
  nodeForCamera: '10.77.3.1',
  camera: '10.77.3.2',
} as const

/** What a command said and how it ended. */
export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A process that goes on. */
export interface Running {
  readonly child: ChildProcess
  /** All that it wrote, both streams. */
  said(): string
  /** End it by a signal and wait. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

/**
 * A fleet as a small company has it, every part a process of what ships: authority, controller and bus in the cloud, a node
 * in its plant's network, an operator on a bastion. Each is a machine of its own (a network namespace).
 */
export class PrivateFleet {
  readonly dir = mkdtempSync(join(tmpdir(), 'edgedeck-fleet-'))
  readonly net = new NetSpaces(
    ['cloud', 'node', 'bastion', 'camera'],
    [
      { from: 'node', fromAddress: ADDRESS.node, to: 'cloud', toAddress: ADDRESS.cloudForNode },
      { from: 'bastion', fromAddress: ADDRESS.bastion, to: 'cloud', toAddress: ADDRESS.cloudForBastion },
      { from: 'camera', fromAddress: ADDRESS.camera, to: 'node', toAddress: ADDRESS.nodeForCamera },
    ],
  )
  readonly #running: Running[] = []

  /** A path in the fleet's folder. */
  path(...parts: string[]): string {
    return join(this.dir, ...parts)
  }

  /** Write a file, JSON for what is no text. */
  write(name: string, content: unknown): string {
    const file = this.path(name)
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content, null, 2), { mode: 0o600 })
    return file
  }

  /** Run `edgedeck` in a space to its end. */
  edgedeck(space: string, ...args: string[]): Promise<Said> {
    return this.run(space, process.execPath, EDGEDECK, ...args)
  }

  /** Run `edgedeck` and demand that it does what it was asked. */
  async must(space: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.edgedeck(space, ...args)
    if (code !== 0) throw new Error(`edgedeck ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
    return stdout
  }

  /** Run `edge-daemon` in the node's space to its end. */
  edgeDaemon(...args: string[]): Promise<Said> {
    return this.run('node', process.execPath, EDGE_DAEMON, ...args)
  }

  /** Run a program in a space to its end. */
  run(space: string, ...command: string[]): Promise<Said> {
    const [program = '', ...args] = [...this.net.within(space), ...command]
    return new Promise((resolve) => {
      execFile(program, args, { env: this.#env(space), timeout: 300_000, maxBuffer: 64e6 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, stdout, stderr })
      })
    })
  }

  /** Start a program in a space and go on. */
  begin(space: string, ...command: string[]): Running {
    const [program = '', ...args] = [...this.net.within(space), ...command]
    const child = spawn(program, args, { env: this.#env(space), stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more) => (text += more))
    const closed = new Promise<void>((resolve) => child.on('close', () => resolve()))
    const running = {
      child,
      said: () => text,
      stop: async (signal: NodeJS.Signals = 'SIGTERM') => {
        child.kill(signal)
        await closed
      },
    }
    this.#running.push(running)
    return running
  }

  /** Start `edgedeck` in a space and go on. */
  beginEdgedeck(space: string, ...args: string[]): Running {
    return this.begin(space, process.execPath, EDGEDECK, ...args)
  }

  /** Start the bus that `edgedeck nats setup` wrote, and wait until it takes connections. */
  async startBus(configFile: string): Promise<Running> {
    const server = await findNatsServer()
    if (server === null) throw new Error('nats-server is missing: node scripts/tools.ts installs it')
    const bus = this.begin('cloud', server.path, '--config', configFile)
    await until(bus, 'Server is ready')
    return bus
  }

  /** Start the controller. */
  async startController(configFile: string): Promise<Running> {
    const controller = this.beginEdgedeck('cloud', 'controller', '--config', configFile)
    await until(controller, '"listening"')
    return controller
  }

  /** Start the node's daemon. */
  async startNode(configFile: string): Promise<Running> {
    const daemon = this.begin('node', process.execPath, EDGE_DAEMON, '--config', configFile)
    await until(daemon, '"listening"')
    return daemon
  }

  /** Send pictures to the node as a camera does, in plain HTTP; the codes of the answers. */
  async shoot(count: number): Promise<number[]> {
    const picture = join(ROOT, 'models/digits/samples/7-7009.png')
    const url = `http://${ADDRESS.nodeForCamera}:5000/infer`
    const script = `
      const body = require('node:fs').readFileSync(${JSON.stringify(picture)})
      const codes = []
      for (let n = 0; n < ${count}; n += 1) {
        const headers = { 'content-type': 'image/png' }
        // Every third is no picture, so that something abnormal goes up.
        const answer = await fetch(${JSON.stringify(url)}, { method: 'POST', headers, body: n % 3 === 2 ? 'no picture' : body })
        codes.push((await answer.json()).code)
      }
      console.log(JSON.stringify(codes))`
    const { stdout, stderr } = await this.run(
      'camera',
      process.execPath,
      '--input-type=module',
      '-e',
      `
      import { createRequire } from 'node:module'
      const require = createRequire(import.meta.url)
      ${script}`,
    )
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) as number[]
  }

  /** Text of a file of the fleet. */
  read(...parts: string[]): string {
    return readFileSync(this.path(...parts), 'utf8')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running.toReversed()) {
      if (running.child.exitCode === null && running.child.signalCode === null) await running.stop('SIGKILL')
    }
    await this.net[Symbol.asyncDispose]()
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 10 })
  }

  /** Everybody has their own home; nobody sees the settings of who runs the tests. */
  #env(space: string): NodeJS.ProcessEnv {
    const home = this.path(`home-${space}`)
    mkdirSync(home, { recursive: true })
    const { PATH = '', TZ = 'UTC' } = process.env
    return { PATH, TZ, HOME: home, TERM: 'xterm-256color', TMPDIR: tmpdir() }
  }
}

async function until(running: Running, words: string): Promise<void> {
  await eventually(
    () => {
      if (running.child.exitCode !== null) throw new Error(`it ended:\n${running.said()}`)
      return running.said().includes(words)
    },
    { timeoutMs: 120_000, what: words },
  )
}
