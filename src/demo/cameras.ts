import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { CameraCounts } from './camera.ts'
import { programFile, samplesDir } from './places.ts'

/** Where the camera of a node sends its pictures, and the log that it writes. */
export interface CameraPointed {
  readonly kind: 'point'
  readonly name: string
  readonly url: string
  readonly framesPerSec: number
  readonly logFile: string
}

/** What the camera process is asked to do. */
export type CameraRequest =
  | CameraPointed
  | { readonly kind: 'rate'; readonly framesPerSec: number }
  | { readonly kind: 'garbage'; readonly name: string; readonly on: boolean }

/** What the camera process tells, once a second. */
export interface CameraReport {
  readonly kind: 'counts'
  readonly counts: Readonly<Record<string, CameraCounts>>
}

/** How long the process may take to end before it is killed. */
const STOP_MS = 2000

/** What {@link Cameras} needs. */
export interface CamerasOptions {
  readonly framesPerSec: number
  /** Told of the process that was started, so that it can be ended even if the demo cannot. */
  readonly onSpawn: (pid: number) => void
  /** The process is gone. */
  readonly onExit: (pid: number) => void
}

/** The cameras of the fleet, one a node, all in one process beside the console's. */
export class Cameras {
  readonly #options: CamerasOptions
  #framesPerSec: number
  #child: ChildProcess | null = null
  #counts: Readonly<Record<string, CameraCounts>> = {}

  constructor(options: CamerasOptions) {
    this.#options = options
    this.#framesPerSec = options.framesPerSec
  }

  /** Frames a second and node. */
  get framesPerSec(): number {
    return this.#framesPerSec
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  /** What the camera of a node did so far, as of its last report; null before the first. */
  counts(name: string): CameraCounts | null {
    return this.#counts[name] ?? null
  }

  start(): void {
    const child = fork(programFile('cameras'), [samplesDir()], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const { pid } = child
    if (pid !== undefined) {
      this.#options.onSpawn(pid)
      child.on('exit', () => this.#options.onExit(pid))
    }
    child.on('message', (report) => {
      this.#counts = (report as CameraReport).counts
    })
    child.on('error', () => undefined)
    this.#child = child
  }

  /** Point the camera of a node at its inference address; it sends from now on, and logs what comes of it. */
  point(name: string, url: string, logFile: string): void {
    this.#send({ kind: 'point', name, url, framesPerSec: this.#framesPerSec, logFile })
  }

  /** Change the pace of all cameras; 0 pauses them. */
  setRate(framesPerSec: number): void {
    this.#framesPerSec = framesPerSec
    this.#send({ kind: 'rate', framesPerSec })
  }

  /** Let the camera of a node send unreadable pictures, or pictures again. */
  setGarbage(name: string, on: boolean): void {
    this.#send({ kind: 'garbage', name, on })
  }

  /** End the process; resolves when it is gone. */
  async stop(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const gone = once(child, 'exit')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    if (child.connected) child.disconnect()
    else child.kill('SIGTERM')
    await gone
    clearTimeout(timer)
  }

  #send(request: CameraRequest): void {
    // A report that cannot be delivered belongs to a process that is gone; its exit is what counts.
    if (this.#child?.connected === true) this.#child.send(request, () => undefined)
  }
}
