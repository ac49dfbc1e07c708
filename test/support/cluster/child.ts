import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'

const STOP_TIMEOUT_MS = 5000
const POLL_MS = 100

/** A program of the cluster: it writes into a file, and is ended by the kernel when whoever started it is gone. */
export class ClusterChild {
  readonly #child: ChildProcess
  readonly #logFile: string
  readonly #name: string

  constructor(name: string, logFile: string, [program, ...args]: readonly [string, ...string[]]) {
    const log = openSync(logFile, 'a')
    this.#name = name
    this.#logFile = logFile
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], { stdio: ['ignore', log, log] })
    closeSync(log)
  }

  /**
   * Ask until it is so.
   * @throws Error with the last lines of the log when the program ends first, or after `timeoutMs`
   */
  async until(what: string, isSo: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!(await isSo().catch(() => false))) {
      if (this.#isGone()) throw new Error(`${this.#name} ended before ${what}:\n${this.#lastLines()}`)
      if (performance.now() > deadline)
        throw new Error(`${what} did not come in ${timeoutMs} ms:\n${this.#lastLines()}`)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** End it; resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#isGone()) return
    const gone = once(this.#child, 'exit')
    this.#child.kill(signal)
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await gone
    clearTimeout(force)
  }

  #isGone(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  #lastLines(): string {
    return readFileSync(this.#logFile, 'utf8').split('\n').slice(-15).join('\n')
  }
}
