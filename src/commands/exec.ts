import { untrusted } from '../../protocol/untrusted-text.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { Standing } from '../identity/standing.ts'
import type { FleetAccess } from '../link/access.ts'
import { type ExecMeans, FleetExec } from '../shell/fan-out-exec.ts'
import type { NodeOutcome } from '../shell/fan-out-outcome.ts'
import { mayRunOn } from '../shell/fan-out-rights.ts'
import type { ColourDepth } from '../ui/terminal/style.ts'
import { confirmExec, type ExecQuestion } from './exec-confirm.ts'
import { groupedText } from './exec-grouped.ts'
import { readInput } from './exec-input.ts'
import { outcomeAsJson } from './exec-json.ts'
import { PrefixLines } from './exec-prefix.ts'
import { ExecProgress, type ProgressTerminal } from './exec-progress.ts'
import { brief, type SelectedNodes, selectNodes } from './exec-selection.ts'
import { summaryLines } from './exec-summary.ts'
import type { ExecWish } from './exec-wish.ts'
import type { CommandIo } from './output.ts'
import { safeJson } from './safe-json.ts'

/** What surrounds a run. */
export interface ExecPlace extends ExecMeans {
  readonly nodes: readonly NodeAddress[]
  readonly access: FleetAccess
  readonly standing: Standing
  readonly context: string
  readonly production: boolean
  /** Asks on the terminal; null where there is none. */
  readonly ask: ExecQuestion['ask']
  readonly input: AsyncIterable<Buffer>
  /** Colours of standard output; `none` where it is no terminal. */
  readonly depth: ColourDepth
  /** Where progress is shown; null where standard error is no terminal. */
  readonly terminal: ProgressTerminal | null
  /** Hear when the operator interrupts for the second time; returns how to stop. */
  onInterruptedAgain(listener: () => void): () => void
}

/** Nodes that say how they are have so long to do it, ms. */
const ANSWER_MS = 5000
const STDOUT = 'standard output'

const schedule = (fn: () => void, delayMs: number): (() => void) => {
  const timer = setTimeout(fn, delayMs)
  return () => clearTimeout(timer)
}

/**
 * Run a command on many nodes; resolves with what came of it, or with null when it was only shown what would run.
 * @throws EdgeError `USAGE`, `RIGHT_MISSING`, or when it cannot be recorded: nothing has run then
 */
export async function runExec(wish: ExecWish, place: ExecPlace, io: CommandIo): Promise<readonly NodeOutcome[] | null> {
  const { command, format, parallel } = wish
  const { nodes, access } = place
  const selected = await selectNodes(wish.selection, { nodes, access, timeoutMs: ANSWER_MS, signal: io.signal })
  const keys = selected.nodes.map(({ key }) => key)
  tellSilent(selected, io)
  mayRunOn(selected.nodes, place.standing.rights)
  if (wish.dryRun) {
    io.stdout.write(`would run on ${keys.length} nodes, ${parallel} at a time: ${untrusted(command)}\n`)
    io.stdout.write(keys.map((key) => `  ${untrusted(key)}\n`).join(''))
    return null
  }
  const { context, ask } = place
  const why =
    place.production && !wish.yes ? await confirmExec({ context, keys, command, why: wish.why, ask }) : wish.why
  const input = wish.stdin ? await readInput(place.input) : new Uint8Array()
  const lines = new PrefixLines(keys, place.depth)
  const plain = new PrefixLines(keys, 'none')
  const streams = format === 'prefix'
  const progress = new ExecProgress(place.terminal, () => progressText(exec, keys.length))
  const write = (text: string): void => {
    progress.clear()
    if (!io.stdout.write(text)) exec.engine.hold(STDOUT)
  }
  const exec = await FleetExec.prepare(
    {
      nodes: selected.nodes,
      command,
      why,
      parallel,
      connectTimeoutMs: wish.connectTimeoutMs,
      commandTimeoutMs: wish.commandTimeoutMs,
      deadlineMs: wish.deadlineMs,
      maxFailures: wish.maxFailures,
      // Lines that were printed need not be kept.
      maxOutputBytes: streams ? 0 : wish.maxOutputBytes,
      input,
      schedule,
      nowMs: () => performance.now(),
      recordedLine: (key, line, output) => plain.text(key, line, output).trimEnd(),
      onLine: (key, line, output) => streams && write(lines.text(key, line, output)),
      onEnd: (outcome) => format === 'ndjson' && write(`${safeJson(outcomeAsJson(outcome))}\n`),
    },
    place,
  )
  const { outcomes, tookMs, recording, recordingFault } = await followed(exec, progress, place, io)
  if (format === 'grouped') io.stdout.write(groupedText(outcomes, wish))
  if (format === 'json') io.stdout.write(`[\n${outcomes.map((one) => safeJson(outcomeAsJson(one))).join(',\n')}\n]\n`)
  io.stderr.write(summaryLines(outcomes, { command: wish.command, tookMs, keeps: !streams }))
  for (const note of place.notes?.() ?? []) io.stderr.write(`edgedeck: ${note}\n`)
  if (recordingFault !== null) io.stderr.write(`edgedeck: ${recording} is not whole: ${untrusted(recordingFault)}\n`)
  return outcomes
}

/** Run it, with its progress shown: an interrupt asks the programs to stop, a second one breaks off. */
async function followed(
  exec: FleetExec,
  progress: ExecProgress,
  place: ExecPlace,
  { stdout, stderr, signal }: CommandIo,
) {
  const { engine } = exec
  const onDrain = (): void => engine.release(STDOUT)
  const stop = (): void => {
    progress.clear()
    stderr.write(`edgedeck: asking ${untrusted(brief(engine.running))} to stop; again breaks off\n`)
    engine.stop()
  }
  const forget = place.onInterruptedAgain(() => engine.kill())
  stdout.on('drain', onDrain)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) engine.stop()
  progress.start()
  try {
    return await exec.run()
  } finally {
    progress.stop()
    forget()
    stdout.off('drain', onDrain)
    signal.removeEventListener('abort', stop)
  }
}

function progressText({ engine }: FleetExec, total: number): string {
  const { running, ended } = engine
  const waiting = running.length === 0 ? '' : `, waiting for ${brief(running)}`
  return `${ended} of ${total} done${waiting}`
}

function tellSilent({ silent }: SelectedNodes, { stderr }: CommandIo): void {
  if (silent.length === 0) return
  const who = `${untrusted(brief(silent))} ${silent.length === 1 ? 'did' : 'do'} not answer`
  stderr.write(`edgedeck: ${who}, and so cannot be told to match: not selected\n`)
}
