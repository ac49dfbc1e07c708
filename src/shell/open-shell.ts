import { randomUUID } from 'node:crypto'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { compileRegex } from '../../regex/linear-regex.ts'
import type { OperatorJournal } from '../audit/command-journal.ts'
import type { RecordSettings } from '../config/record-settings.ts'
import type { CommandOutcome, JsonValue } from '../link/link.ts'
import type { Prompter, RemoteChannel, RemoteHost, RemotePlace, TerminalSize } from '../remote/contract.ts'
import type { CastHeader } from './asciicast.ts'
import { Recording, recordingPath } from './recording.ts'
import { type BorrowedTerminal, runSession, type SessionEnd, type SessionSummary } from './session.ts'
import type { RemoteActOutcome, WrittenAct } from './session-audit.ts'
import { writeAct } from './session-audit.ts'

/** What every shell of an operator in a context has in common. */
export interface ShellDesk {
  readonly context: string
  /** Others depend on the fleet: a shell has to be confirmed, to have a reason, and to be recorded. */
  readonly production: boolean
  /** The operator's name, for the recording. */
  readonly who: () => string
  readonly journal: Pick<OperatorJournal, 'begins'>
  readonly recordingsDir: string
  readonly record: RecordSettings
  /** What a node is called in its certificate, where that is known. */
  readonly named: (key: string) => { readonly site?: string; readonly name?: string }
  /** Tell a node something of a shell on it; resolves also when it cannot be reached. */
  readonly tellNode: (
    key: string,
    verb: 'shell.begin' | 'shell.end',
    args: Readonly<Record<string, JsonValue>>,
    why: string | null,
  ) => Promise<CommandOutcome>
  /** Unix ms. */
  readonly nowMs: () => number
}

/** A shell that somebody wants. */
export interface ShellWish {
  readonly nodeKey: string
  readonly place: RemotePlace
  /** Why, for the audit. */
  readonly why: string | null
  readonly term: string
  readonly size: TerminalSize
  readonly prompter: Prompter
  /** Calls the connecting off, and ends the session. */
  readonly signal: AbortSignal
}

/** How a shell ended, for whoever opened it. Safe to show. */
export interface ShellReport {
  readonly end: SessionEnd
  /** One sentence. */
  readonly text: string
  /** Something that should be known besides: a recording that is not whole, a node that was not told. */
  readonly warnings: readonly string[]
}

/** How long the node has to say that it knows of the shell before it opens, and at the end, ms. */
const TOLD_MS = 1500

/** A shell that is open on the other side and waits for a terminal. */
export class OpenShell {
  /** What the terminal should show first. */
  readonly greeting: string
  readonly #wish: ShellWish
  readonly #desk: ShellDesk
  readonly #parts: ShellParts
  #summary: SessionSummary | null = null

  constructor(desk: ShellDesk, wish: ShellWish, parts: ShellParts) {
    this.#desk = desk
    this.#wish = wish
    this.#parts = parts
    this.greeting = greetingOf(desk, wish, parts)
  }

  /** Let it have the terminal until it ends. Never rejects. */
  async run(terminal: BorrowedTerminal): Promise<void> {
    const { channel, recording } = this.#parts
    const { size, signal } = this.#wish
    terminal.write(this.greeting)
    const now = terminal.size()
    // The window may have changed while the connection was made.
    if (now.columns !== size.columns || now.rows !== size.rows) {
      channel.resize(now)
      recording?.resize(now)
    }
    this.#summary = await runSession(channel, terminal, { recording, signal })
  }

  /** Write down how it ended, tell the node, let go of the connection. Never rejects. */
  async finish(): Promise<ShellReport> {
    const { act, recording, host, id, atMs } = this.#parts
    const { nodeKey, why } = this.#wish
    const { end, outBytes, inBytes } = this.#summary ?? { end: { kind: 'left' } as const, outBytes: 0, inBytes: 0 }
    const recorded = await recording?.finish(endText(end))
    const outcome: RemoteActOutcome = {
      ...codeOf(end),
      ...(end.kind === 'exited' ? { exit: end.code, ...(end.signal === null ? {} : { signal: end.signal }) } : {}),
      outBytes,
      inBytes,
      ...(recorded === undefined ? {} : { sha256: recorded.sha256 }),
      ...(recorded === undefined || recorded.unrecordedBytes === 0
        ? {}
        : { unrecordedBytes: recorded.unrecordedBytes }),
    }
    const faults = [
      ...(recorded?.fault == null ? [] : [`the recording is not whole: ${recorded.fault}`]),
      ...(recorded !== undefined && recorded.fault === null && recorded.unrecordedBytes > 0
        ? [`${recorded.unrecordedBytes} bytes came after the limit of the recording (record.maxBytes)`]
        : []),
    ]
    const msg = [outcome.msg, ...faults].filter((part) => part !== undefined).join('; ')
    act.ended(msg === '' ? outcome : { ...outcome, msg })
    const told = this.#desk.tellNode(nodeKey, 'shell.end', { id, ...asArgs(outcome) }, why)
    await host.close().catch(() => undefined)
    await within(TOLD_MS, told)
    const lasted = durationText(this.#desk.nowMs() - atMs)
    return { end, text: `shell on ${untrusted(nodeKey)} ${endText(end)} after ${lasted}`, warnings: faults }
  }
}

interface ShellParts {
  readonly id: string
  readonly atMs: number
  readonly host: RemoteHost
  readonly channel: RemoteChannel
  readonly recording: Recording | null
  /** Why there is no recording. */
  readonly unrecorded: string | null
  readonly act: WrittenAct
  /** Why the node does not know of it; null when it does. */
  readonly untold: string | null
}

/**
 * Open a shell: connect, begin the recording, write it down, tell the node, then ask for the shell. Nothing stays open when
 * this rejects.
 * @throws EdgeError of the connection; `RECORDING_FAILING` in production; `AUDIT_FAILING`
 */
export async function openShell(desk: ShellDesk, wish: ShellWish): Promise<OpenShell> {
  const { nodeKey, place, why, term, size, prompter, signal } = wish
  const host = await place.open(prompter, signal).catch((error) => notLetIn(desk, wish, error))
  let recording: Recording | null = null
  let act: WrittenAct | null = null
  try {
    const atMs = desk.nowMs()
    const id = randomUUID()
    const begun = await beginRecording(desk, wish, host.label, atMs)
    recording = begun.recording
    act = await writeAct(desk.journal, {
      verb: 'shell',
      node: { key: nodeKey, ...desk.named(nodeKey) },
      how: host.how,
      where: host.label,
      ...(recording === null ? {} : { recording: recording.path }),
      why,
    })
    const telling = desk.tellNode(nodeKey, 'shell.begin', { id, how: host.how, where: host.label }, why)
    const channel = await unlessCalledOff(host.openShell({ term, size }), signal)
    const told = await within(TOLD_MS, telling)
    const untold = told === null ? 'it does not answer' : told.ok ? null : untrusted(told.message)
    const { fault: unrecorded } = begun
    return new OpenShell(desk, wish, { id, atMs, host, channel, recording, unrecorded, act, untold })
  } catch (error) {
    const recorded = await recording?.finish('never began')
    const code = error instanceof EdgeError ? error.code : 'FAILED'
    const sha256 = recorded === undefined ? {} : { sha256: recorded.sha256 }
    act?.ended({ code, msg: untrusted(messageOf(error)), ...sha256 })
    await host.close().catch(() => undefined)
    throw error
  }
}

/** Write down that somebody tried and did not get in, and go on with why. @throws the error that it is given */
async function notLetIn(desk: ShellDesk, { nodeKey, place, why }: ShellWish, error: unknown): Promise<never> {
  const node = { key: nodeKey, ...desk.named(nodeKey) }
  try {
    const act = await writeAct(desk.journal, { verb: 'shell', node, how: place.how, where: place.label, why })
    act.ended({ code: error instanceof EdgeError ? error.code : 'FAILED', msg: untrusted(messageOf(error)) })
  } catch {
    // No shell was opened: why it was not is what the operator has to hear.
  }
  throw error
}

async function beginRecording(
  desk: ShellDesk,
  { nodeKey, why, term, size }: ShellWish,
  where: string,
  atMs: number,
): Promise<{ readonly recording: Recording | null; readonly fault: string | null }> {
  const { context, record, production } = desk
  const who = desk.who()
  const about = { context, node: nodeKey, where, who, why, input: record.input }
  const header: CastHeader = {
    width: size.columns,
    height: size.rows,
    startedMs: atMs,
    title: `${nodeKey} (${where}) by ${who} in ${context}`,
    term,
    about,
  }
  const redact = record.redact.flatMap((pattern) => {
    const compiled = compileRegex(pattern)
    return compiled.ok ? [compiled.regex] : []
  })
  const file = recordingPath(desk.recordingsDir, { context, node: nodeKey, atMs })
  try {
    return { recording: await Recording.begin({ file, header, maxBytes: record.maxBytes, redact }), fault: null }
  } catch (error) {
    if (production || !(error instanceof EdgeError)) throw error
    return { recording: null, fault: untrusted(error.message) }
  }
}

function greetingOf(
  { record }: ShellDesk,
  { nodeKey }: ShellWish,
  { host, recording, unrecorded, untold }: ShellParts,
): string {
  const recorded =
    recording === null ? `NOT recorded (${unrecorded ?? 'it was not asked for'})` : `recorded in ${recording.path}`
  const lines = [
    `edgedeck: shell on ${untrusted(nodeKey)}, ${host.label}`,
    `edgedeck: ${recorded}`,
    ...(record.input && recording !== null ? ['edgedeck: what you type is recorded too, passwords included'] : []),
    ...(untold === null ? [] : [`edgedeck: others at this node do not see it: ${untold}`]),
    'edgedeck: leave with exit, or with enter ~. when nothing answers',
  ]
  return lines.map((line) => `${line}\r\n`).join('')
}

/** How a session ended, as the end of a sentence and of a recording. */
export function endText(end: SessionEnd): string {
  if (end.kind === 'left') return 'was left'
  if (end.kind === 'dropped') return `broke off: ${untrusted(end.reason)}`
  return end.signal === null ? `ended with exit code ${end.code}` : `ended by signal ${untrusted(end.signal)}`
}

function codeOf(end: SessionEnd): Pick<RemoteActOutcome, 'code' | 'msg'> {
  if (end.kind === 'exited') return { code: 'OK' }
  if (end.kind === 'left') return { code: 'OK', msg: 'left with ~. or by leaving edgedeck' }
  return { code: 'NODE_UNREACHABLE', msg: `broke off: ${untrusted(end.reason)}` }
}

function asArgs({ code, exit, outBytes, inBytes, sha256 }: RemoteActOutcome): Record<string, JsonValue> {
  const known = { code, exit, outBytes, inBytes, sha256 }
  return Object.fromEntries(
    Object.entries(known).filter((entry): entry is [string, string | number] => entry[1] !== undefined),
  )
}

function durationText(ms: number): string {
  const sec = Math.max(0, Math.round(ms / 1000))
  const [hours, minutes] = [Math.floor(sec / 3600), Math.floor(sec / 60) % 60]
  if (hours > 0) return `${hours} h ${minutes} min`
  return minutes > 0 ? `${minutes} min ${sec % 60} s` : `${sec} s`
}

/** A channel, unless it is called off before: then it is closed when it comes after all. @throws EdgeError `SHELL_REFUSED` */
async function unlessCalledOff(opening: Promise<RemoteChannel>, signal: AbortSignal): Promise<RemoteChannel> {
  const { promise: calledOff, reject } = Promise.withResolvers<never>()
  const onAbort = (): void =>
    reject(new EdgeError('SHELL_REFUSED', { message: 'it was called off', next: ['try again'] }))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([opening, calledOff])
  } catch (error) {
    opening.then(
      (channel) => channel.close(),
      () => undefined,
    )
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** What settles in time; null when it does not. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
