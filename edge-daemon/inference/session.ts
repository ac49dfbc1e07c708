import { type ChildProcess, spawn } from 'node:child_process'
import { getPriority } from 'node:os'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { EdgeError } from '../../protocol/errors.ts'
import type { ServedModel } from '../models/models.ts'
import { inBackground, type Priority } from './background.ts'
import { FrameReader, writeFrame } from './framing.ts'
import { type ChildAnswer, encodeJson, KIND, MAX_CONTROL_BYTES, type StartFailure } from './messages.ts'
import { LEAST_PRIORITY, setNice } from './thread-priority.ts'

const CHILD_FD = 3
const STDERR_TAIL_CHARS = 2000
const QUIET_MS = 10_000

/** What a session is made of. */
export interface SessionOptions {
  readonly generation: number
  readonly model: ServedModel
  readonly batchMax: number
  readonly pixelLimit: number
  readonly slowMs: number
  /** Longest that loading and the self-test may take. */
  readonly readyTimeoutMs: number
  /** File that node runs as the child. */
  readonly childEntry: string
  /** Run behind what serves, see {@link inBackground}; when left out it is what serves. */
  readonly background?: Priority | undefined
  /** Loads as far back as the system knows, and is lifted before it is ready. Only where {@link mayLift} says so. */
  readonly isQuiet?: boolean | undefined
  /** Longest that it loads so, ms: where every core is busy it would never be done. */
  readonly quietMs?: number | undefined
  readonly onAnswers: (answers: readonly ChildAnswer[]) => void
  /** The child is gone, whoever ended it; called once, after `start` resolved. */
  readonly onEnd: (reason: string) => void
}

/** The child's entry: TypeScript beside this file in a checkout, a bundle of its own beside ours when installed. */
export function defaultChildEntry(): string {
  const own = import.meta.url
  return fileURLToPath(new URL(own.endsWith('.ts') ? './child.ts' : './session-child.js', own))
}

/** One model in one child process. Thrown away and never restarted: what follows it is another session. */
export class Session {
  readonly #options: SessionOptions
  #child: ChildProcess | null = null
  #pipe: Duplex | null = null
  #stderrTail = ''
  #state: 'starting' | 'ready' | 'ended' = 'starting'
  #isUncorkDue = false
  #isQuiet = false

  constructor(options: SessionOptions) {
    this.#options = options
  }

  get generation(): number {
    return this.#options.generation
  }

  get model(): ServedModel {
    return this.#options.model
  }

  /** Process id while the child runs. */
  get pid(): number | null {
    return this.#state === 'ended' ? null : (this.#child?.pid ?? null)
  }

  /**
   * Spawn the child and wait until it has loaded the model and passed its self-test.
   * @throws EdgeError `MODEL_INVALID` when the model cannot be loaded, `MODEL_FAILED` when the child dies, takes too long, or
   * cannot be lifted again.
   */
  start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { childEntry, model, batchMax, pixelLimit, slowMs, readyTimeoutMs } = this.#options
    const plain = { program: process.execPath, args: [childEntry] }
    const { background } = this.#options
    const { program, args } = background === undefined ? plain : inBackground(plain, background)
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      // ONNX Runtime otherwise reports its use to its maker, and keeps a database of that in the user's cache.
      env: { ...process.env, ORT_DISABLE_TELEMETRY: '1' },
    })
    // First of all: without a listener a process that could not be made would end the daemon.
    child.on('error', (error) => fail(this.#modelFailed(`its process cannot be started: ${error.message}`)))
    this.#child = child
    let longEnough: NodeJS.Timeout | undefined
    const fail = (error: EdgeError): void => {
      clearTimeout(timer)
      clearTimeout(longEnough)
      child.kill('SIGKILL')
      reject(error)
    }
    const timer = setTimeout(
      () => fail(this.#modelFailed(`it was not ready after ${readyTimeoutMs / 1000} s`)),
      readyTimeoutMs,
    )
    // No descriptor or process number is free: then there are no pipes, whatever the types say, and the error follows.
    if (child.pid === undefined) return promise
    this.#isQuiet = this.#options.isQuiet === true && setNice(child.pid, LEAST_PRIORITY)
    longEnough = setTimeout(() => this.lift(), this.#options.quietMs ?? QUIET_MS)
    const pipe = child.stdio[CHILD_FD] as Duplex
    this.#pipe = pipe
    const reader = new FrameReader(MAX_CONTROL_BYTES, (kind, _id, payload) => {
      if (kind === KIND.answers) {
        this.#options.onAnswers(JSON.parse(payload.toString()) as ChildAnswer[])
      } else if (kind === KIND.ready) {
        clearTimeout(longEnough)
        if (!this.lift()) return fail(this.#modelFailed('it cannot be lifted to the priority of what serves'))
        clearTimeout(timer)
        if (this.#state === 'starting') this.#state = 'ready'
        resolve()
      } else if (kind === KIND.startFailed) {
        fail(this.#modelInvalid((JSON.parse(payload.toString()) as StartFailure).msg))
      }
    })
    pipe.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk)
      } catch {
        child.kill('SIGKILL')
      }
    })
    // The exit says what there is to say; without a listener a broken pipe would be an uncaught exception.
    pipe.on('error', () => {})
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderrTail = (this.#stderrTail + text).slice(-STDERR_TAIL_CHARS)
    })
    child.on('close', (code, signal) => {
      const wasReady = this.#state === 'ready'
      this.#state = 'ended'
      const reason = this.#reasonOf(code, signal)
      if (wasReady) this.#options.onEnd(reason)
      else fail(this.#modelFailed(reason))
    })
    writeFrame(pipe, KIND.start, 0, encodeJson({ model, batchMax, pixelLimit, slowMs }))
    return promise
  }

  /** Let one that loads quietly go on as what serves does. @returns whether it does by now */
  lift(): boolean {
    const pid = this.#child?.pid
    if (!this.#isQuiet || pid === undefined) return true
    this.#isQuiet = !setNice(pid, getPriority())
    return !this.#isQuiet
  }

  /** Send a compressed picture; the answer comes to `onAnswers` with the same id. Writes of one turn leave together. */
  send(id: number, picture: Uint8Array): void {
    const pipe = this.#pipe
    if (pipe === null || this.#state !== 'ready') return
    if (!this.#isUncorkDue) {
      this.#isUncorkDue = true
      pipe.cork()
      process.nextTick(() => {
        this.#isUncorkDue = false
        pipe.uncork()
      })
    }
    writeFrame(pipe, KIND.infer, id, picture)
  }

  /** Change the declared fault of a child that is ready; before, it starts with the one of its options. */
  setSlowMs(slowMs: number): void {
    if (this.#pipe !== null && this.#state === 'ready') writeFrame(this.#pipe, KIND.fault, 0, encodeJson({ slowMs }))
  }

  /** Let the child go by closing its pipe; it is killed when it has not gone within `graceMs`. Resolves when it is gone. */
  async end(graceMs: number): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || this.#state === 'ended') return
    const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
    this.#pipe?.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    await gone
    clearTimeout(timer)
  }

  /** End the child at once; `onEnd` follows. */
  kill(): void {
    this.#child?.kill('SIGKILL')
  }

  #reasonOf(code: number | null, signal: NodeJS.Signals | null): string {
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`
    const lastWords = this.#stderrTail.trim().split('\n').at(-1) ?? ''
    return lastWords === '' ? how : `${how}: ${lastWords.slice(0, 300)}`
  }

  #modelFailed(what: string): EdgeError {
    const { name, version } = this.#options.model
    return new EdgeError('MODEL_FAILED', {
      message: `the process of model ${name}@${version} failed: ${what}`,
      next: ['look at the log of the daemon for the lines before', 'check the memory of the node'],
    })
  }

  #modelInvalid(what: string): EdgeError {
    const { name, version, path } = this.#options.model
    return new EdgeError('MODEL_INVALID', {
      message: `model ${name}@${version} in ${path} cannot be loaded: ${what}`,
      next: ['export the model again so that it fits its manifest, or correct the manifest'],
    })
  }
}
