import { untrusted } from '../../protocol/untrusted-text.ts'
import type { OperatorJournal } from '../audit/command-journal.ts'
import type { OutputName, RemoteHost } from '../remote/contract.ts'
import { FanOut, type FanOutOptions } from './fan-out.ts'
import { endText, type NodeOutcome, summaryText, tallyOf } from './fan-out-outcome.ts'
import type { ExecNode } from './fan-out-rights.ts'
import { withoutSecrets } from './redactor.ts'
import { type RemoteActOutcome, type WrittenAct, writeAct } from './session-audit.ts'

/** The recording of a run; {@link isBehind} asks to write no more until it has caught up. */
export interface RunRecording {
  readonly path: string
  readonly isBehind: boolean
  onCaughtUp(listener: () => void): void
  output(chunk: Uint8Array): void
  /** Bring all to the disk. Never rejects. */
  finish(
    end: string,
  ): Promise<{ readonly sha256: string; readonly fault: string | null; readonly unrecordedBytes: number }>
}

/** What running a command on the nodes of a fleet takes. */
export interface ExecMeans {
  /**
   * Connect to a node by the operator's name for it, asking nobody.
   * @throws EdgeError that says what is missing and what to do
   */
  openNode(key: string, signal: AbortSignal): Promise<RemoteHost>
  readonly journal: Pick<OperatorJournal, 'begins' | 'happened'>
  /** What the configuration of SSH asks for and is not done, of the nodes so far, each once. Safe to show. */
  notes?(): readonly string[]
  /** Begin the recording of a run. @throws EdgeError when it cannot be */
  record(run: Pick<ExecPlan, 'nodes' | 'command' | 'why'>): Promise<RunRecording>
}

/** The same for a console, which knows of nodes that do not answer what their list says. */
export type ConsoleExecMeans = ExecMeans & {
  /** The site of a node by the operator's list; null where it does not say. */
  siteOf(key: string): string | null
}

/** A command, where it is to be run, and why. */
export type ExecPlan = Omit<FanOutOptions, 'targets' | 'beforeRun'> & {
  readonly nodes: readonly ExecNode[]
  readonly why: string | null
  /** How a line stands in the recording, without its end. Safe to show. */
  readonly recordedLine: (key: string, line: string, output: OutputName) => string
}

/** What a run came to. */
export interface ExecResult {
  readonly outcomes: readonly NodeOutcome[]
  readonly tookMs: number
  /** Path of the recording. */
  readonly recording: string
  /** Why the recording is not whole; null when it is. */
  readonly recordingFault: string | null
}

/**
 * A command on many nodes with all that belongs to it (requirements X2, X3): each node's intent is in the operator's journal
 * before the command runs there and how it ended after, the output of all is recorded, and at the end the journal names the
 * recording by its SHA-256.
 */
export class FleetExec {
  readonly #plan: ExecPlan
  readonly #means: ExecMeans
  readonly #recording: RunRecording
  readonly #acts = new Map<string, WrittenAct>()
  /** Nodes that were given up before their intent was written down. */
  readonly #early = new Map<string, RemoteActOutcome>()
  readonly #engine: FanOut

  private constructor(plan: ExecPlan, means: ExecMeans, recording: RunRecording) {
    this.#plan = plan
    this.#means = means
    this.#recording = recording
    const { nodes, onLine, onEnd } = plan
    this.#engine = new FanOut({
      ...plan,
      targets: nodes.map(({ key }) => ({ key, open: (signal) => means.openNode(key, signal) })),
      beforeRun: (key, host) => this.#writeDown(key, host),
      onLine: (key, line, output) => {
        this.#record(`${plan.recordedLine(key, line, output)}\r\n`)
        onLine?.(key, line, output)
      },
      onEnd: (outcome) => {
        this.#ended(outcome)
        onEnd?.(outcome)
      },
    })
  }

  /**
   * Get ready; nothing runs before {@link run}.
   * @throws EdgeError when it cannot be recorded
   */
  static async prepare(plan: ExecPlan, means: ExecMeans): Promise<FleetExec> {
    return new FleetExec(plan, means, await means.record(plan))
  }

  /** Where the output is recorded. */
  get recording(): string {
    return this.#recording.path
  }

  /** The engine, to be held, stopped and asked what runs. */
  get engine(): Pick<FanOut, 'hold' | 'release' | 'stop' | 'kill' | 'running' | 'ended'> {
    return this.#engine
  }

  /** Run it. To be called once. Never rejects. */
  async run(): Promise<ExecResult> {
    const { nowMs, command, why } = this.#plan
    const beganMs = nowMs()
    this.#recording.onCaughtUp(() => this.#engine.release('recording'))
    this.#record(`$ ${untrusted(command)}\r\n`)
    const outcomes = await this.#engine.run()
    const tookMs = nowMs() - beganMs
    const { sha256, fault, unrecordedBytes } = await this.#recording.finish(summaryText(outcomes, tookMs))
    this.#means.journal.happened({
      verb: 'exec',
      code: fault === null ? 'OK' : 'RECORDING_FAILING',
      ...(fault === null ? {} : { msg: fault }),
      args: {
        command: withoutSecrets(command),
        recording: this.recording,
        sha256,
        unrecordedBytes,
        ...tallyOf(outcomes),
      },
      ...(why === null ? {} : { why }),
    })
    return { outcomes, tookMs, recording: this.recording, recordingFault: fault }
  }

  async #writeDown(key: string, { how, label }: RemoteHost): Promise<void> {
    const { command, why, nodes } = this.#plan
    const site = nodes.find((node) => node.key === key)?.site ?? null
    const node = site === null ? { key } : { key, site }
    const act = { verb: 'exec', node, how, where: label, command, recording: this.recording, why } as const
    const written = await writeAct(this.#means.journal, act)
    const early = this.#early.get(key)
    if (early === undefined) this.#acts.set(key, written)
    else written.ended(early)
  }

  #ended({ key, end, stdout, stderr }: NodeOutcome): void {
    const outBytes = stdout.totalBytes + stderr.totalBytes
    if (end.kind === 'exited') {
      const signal = end.signal === null ? {} : { signal: end.signal }
      this.#tell(key, { code: 'OK', exit: end.code, ...signal, outBytes })
      return
    }
    const code = end.kind === 'unreachable' ? end.code : end.kind.toUpperCase()
    this.#tell(key, { code, msg: endText(end), outBytes })
  }

  #tell(key: string, outcome: RemoteActOutcome): void {
    const act = this.#acts.get(key)
    if (act === undefined) this.#early.set(key, outcome)
    else act.ended(outcome)
  }

  #record(text: string): void {
    this.#recording.output(Buffer.from(text))
    if (this.#recording.isBehind) this.#engine.hold('recording')
  }
}
