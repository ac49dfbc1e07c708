import { EdgeError, messageOf } from '../../../protocol/errors.ts'
import { untrusted } from '../../../protocol/untrusted-text.ts'
import type { Schedule } from '../../fleet/coalescer.ts'
import type { OutputName } from '../../remote/contract.ts'
import { type ExecMeans, FleetExec } from '../../shell/fan-out-exec.ts'
import { shownLine } from '../../shell/fan-out-lines.ts'
import { summaryText } from '../../shell/fan-out-outcome.ts'
import type { ExecNode } from '../../shell/fan-out-rights.ts'
import { NO_SSH_IN_DEMO } from '../shell-visit.ts'
import { ExecRun } from './exec-run.ts'

/** What running commands from the console takes. */
export interface ExecVisitParts {
  /** Null where there is nothing to run on, such as in a demo. */
  readonly means: ExecMeans | null
  /** Something that is drawn has changed. */
  readonly changed: () => void
  readonly toast: (text: string) => void
  readonly schedule: Schedule
  /** Unix ms. */
  readonly now: () => number
}

/** As `edgedeck exec` has them when nothing else is said. */
const PARALLEL = 10
const CONNECT_TIMEOUT_MS = 15_000
const COMMAND_TIMEOUT_MS = 60_000
const MAX_OUTPUT_BYTES = 256 * 1024
/** What runs is drawn so often. */
const DRAW_EVERY_MS = 100

/** The command that is run on many nodes from the console: one at a time, going on wherever the operator looks. */
export class ExecVisit {
  readonly #parts: ExecVisitParts
  #run: ExecRun | null = null
  #exec: FleetExec | null = null
  #done: Promise<void> = Promise.resolve()
  #isDrawing = false
  #isAsked = false

  constructor(parts: ExecVisitParts) {
    this.#parts = parts
  }

  /** The run that goes on, or the last one. */
  get run(): ExecRun | null {
    return this.#run
  }

  /** Why no command can be run now; null when one can. */
  get obstacle(): string | null {
    if (this.#parts.means === null) return NO_SSH_IN_DEMO
    return this.#run?.isOver === false ? 'a command is still running' : null
  }

  /** Begin. What goes wrong is told and stands in the run. */
  start(nodes: readonly ExecNode[], command: string, why: string | null): void {
    const { means, now } = this.#parts
    if (means === null) return
    const run = new ExecRun(nodes, command, now())
    this.#run = run
    this.#isAsked = false
    this.#done = this.#follow(run, means, why)
  }

  /** Ask the programs to stop; the second time break off. */
  stop(): void {
    if (this.#run?.isOver !== false) return
    if (this.#isAsked) this.#exec?.engine.kill()
    else this.#exec?.engine.stop()
    this.#parts.toast(this.#isAsked ? 'broken off' : 'asking the programs to stop; again breaks off')
    this.#isAsked = true
  }

  /** The console is left: what runs is broken off and written down. */
  async close(): Promise<void> {
    this.#isAsked = true
    this.#exec?.engine.kill()
    await this.#done
  }

  async #follow(run: ExecRun, means: ExecMeans, why: string | null): Promise<void> {
    const { toast, schedule, now } = this.#parts
    try {
      this.#exec = await FleetExec.prepare(
        {
          nodes: run.nodes,
          command: run.command,
          why,
          parallel: PARALLEL,
          connectTimeoutMs: CONNECT_TIMEOUT_MS,
          commandTimeoutMs: COMMAND_TIMEOUT_MS,
          deadlineMs: null,
          maxFailures: null,
          maxOutputBytes: MAX_OUTPUT_BYTES,
          input: new Uint8Array(),
          schedule,
          nowMs: () => performance.now(),
          recordedLine,
          onRunning: (key) => this.#changed(() => run.running(key)),
          onLine: (key, line, output) => this.#changed(() => run.line(recordedLine(key, line, output))),
          onEnd: (outcome) => this.#changed(() => run.ended(outcome)),
        },
        means,
      )
      if (this.#isAsked) this.#exec.engine.kill()
      const { outcomes, tookMs, recordingFault } = await this.#exec.run()
      run.over(now())
      const fault = recordingFault === null ? '' : `; the recording is not whole: ${untrusted(recordingFault)}`
      toast(`${summaryText(outcomes, tookMs)}${fault}`)
    } catch (error) {
      run.over(now(), untrusted(error instanceof EdgeError ? error.toLine() : messageOf(error)))
      toast(run.fault ?? '')
    }
    this.#exec = null
  }

  #changed(change: () => void): void {
    change()
    if (this.#isDrawing) return
    this.#isDrawing = true
    this.#parts.schedule(() => {
      this.#isDrawing = false
      this.#parts.changed()
    }, DRAW_EVERY_MS)
  }
}

function recordedLine(key: string, line: string, output: OutputName): string {
  return `${untrusted(key)} ${output === 'stdout' ? '|' : '!'} ${shownLine(line)}`
}
