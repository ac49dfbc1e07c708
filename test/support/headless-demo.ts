import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { HeadlessLine, HeadlessNode } from '../../src/demo/headless.ts'
import { descendants, SeenProcesses } from './process-tree.ts'

const POLL_MS = 50
/** One is printed a second. */
const RECENT_LINES = 60
/** What holds ends the wait, so that this is for the slowest machine. */
const PATIENCE_MS = 180_000

/** The headless demo as a process, in a temporary folder of its own so that leftovers can be seen. */
export class HeadlessDemo {
  readonly #tempDir = mkdtempSync(path.join(tmpdir(), 'edgedeck-e2e-'))
  readonly #child: ChildProcess
  readonly #seen = new SeenProcesses()
  readonly #states = new Map<string, HeadlessNode['state'][]>()
  #latest: HeadlessLine | null = null
  #recent: HeadlessLine[] = []
  #lines = 0
  #stderr = ''

  /** Start it; `env` is laid over this process's own. */
  constructor(env: Readonly<Record<string, string>> = {}) {
    // What ships, where it was built (npm test does); the source else.
    const program = path.resolve(existsSync('dist/edgedeck.js') ? 'bin/edgedeck.js' : 'src/main.ts')
    this.#child = spawn(process.execPath, [program, 'demo', '--headless'], {
      stdio: 'pipe',
      env: { ...process.env, ...env, TMPDIR: this.#tempDir },
    })
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.#latest = JSON.parse(line) as HeadlessLine
      this.#lines += 1
      this.#recent = [...this.#recent, this.#latest].slice(-RECENT_LINES)
      for (const { name, state } of this.#latest.nodes) {
        const states = this.#states.get(name) ?? []
        if (states.at(-1) !== state) this.#states.set(name, [...states, state])
      }
    })
    this.#child.stderr?.on('data', (text) => {
      this.#stderr += text
    })
  }

  get pid(): number {
    return this.#child.pid as number
  }

  /** How it ended; null while it runs. */
  get ended(): { code: number | null; signal: NodeJS.Signals | null } | null {
    const { exitCode: code, signalCode: signal } = this.#child
    return code === null && signal === null ? null : { code, signal }
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Lines printed so far. */
  get lines(): number {
    return this.#lines
  }

  /** The last line; throws before the first. */
  get latest(): HeadlessLine {
    if (this.#latest === null) throw new Error(`no line yet; stderr: ${this.#stderr}`)
    return this.#latest
  }

  /** A node in the last line. */
  node(name: string): HeadlessNode {
    const node = this.latest.nodes.find((candidate) => candidate.name === name)
    if (node === undefined) throw new Error(`no ${name} in ${JSON.stringify(this.latest)}`)
    return node
  }

  /** A node in the lines of the last minute. */
  recent(name: string): readonly HeadlessNode[] {
    return this.#recent.flatMap(({ nodes }) => nodes.filter((node) => node.name === name))
  }

  /** Every state a node was in, one after the other, whoever looked or not. */
  statesOf(name: string): readonly HeadlessNode['state'][] {
    return this.#states.get(name) ?? []
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Close its standard input. */
  closeInput(): void {
    this.#child.stdin?.end()
  }

  /** Wait until a predicate over the demo holds. */
  async until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = PATIENCE_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      try {
        if (await holds()) return
      } catch (error) {
        if (this.#latest !== null) throw error
      }
      if (performance.now() > deadline) {
        throw new Error(
          `not within ${timeoutMs} ms: ${what}\nlast line: ${JSON.stringify(this.#latest)}\nstderr: ${this.#stderr}`,
        )
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** Wait until every node is up and serves its cameras. */
  async untilServing(): Promise<void> {
    await this.until('all nodes serve, or the demo ends', () => {
      if (this.ended !== null) return true
      return this.latest.nodes.every((node) => node.state === 'up' && (node.inferencesPerSec ?? 0) > 0)
    })
    if (this.ended !== null) throw new Error(`the demo ended: ${this.#stderr}`)
    this.note()
  }

  /** Remember every process it has now, to look for later. */
  note(): number[] {
    const found = descendants(this.pid)
    this.#seen.note(found)
    return found
  }

  /** What is left of it: processes that were noted and still live, and files in its temporary folder. */
  leftovers(): { processes: number[]; files: string[] } {
    return { processes: this.#seen.alive(), files: readdirSync(this.#tempDir) }
  }

  /** End it however it stands, and whatever it left. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended === null) {
      this.note()
      this.#child.kill('SIGTERM')
      await this.until('it ends', () => this.ended !== null, 60_000).catch(() => this.#child.kill('SIGKILL'))
    }
    this.#seen.kill()
    rmSync(this.#tempDir, { recursive: true, force: true, maxRetries: 10 })
  }
}
