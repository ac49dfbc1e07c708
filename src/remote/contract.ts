import type { LogRecord } from '../../protocol/records.ts'

/** Size of a terminal, in cells. */
export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

/** Which of a program's outputs; a program on a terminal has one alone. */
export type OutputName = 'stdout' | 'stderr'

/** How a channel ended: the program did, or what carried it broke off. `reason` is safe to show. */
export type ChannelEnd =
  | { readonly kind: 'exited'; readonly code: number; readonly signal: string | null }
  | { readonly kind: 'dropped'; readonly reason: string }

/**
 * A program that runs on another machine, by its input and output. Nothing is read before {@link RemoteChannel.onOutput}
 * was called once, so that no first byte is lost.
 */
export interface RemoteChannel {
  /** Bytes for the program's input; false asks to wait for {@link onDrain}. */
  write(chunk: Uint8Array): boolean
  /** Hear when more may be written. */
  onDrain(listener: () => void): void
  /** The program's input is at its end. */
  endInput(): void
  /** The terminal changed its size; without a terminal nothing happens. */
  resize(size: TerminalSize): void
  /** Take what the program writes; to be called once. */
  onOutput(listener: (chunk: Buffer, output: OutputName) => void): void
  /** Stop reading, so that the program waits; {@link resume} goes on. */
  pause(): void
  resume(): void
  /** Ask that the program is sent a signal; not every server does it. Absent where there is no way to ask. */
  signal?(name: 'INT' | 'TERM'): void
  /** Break off; {@link ended} settles soon after. May be called at any time. */
  close(): void
  /** Settles once, after the last output was handed over. Never rejects. */
  readonly ended: Promise<ChannelEnd>
}

/** A place where programs can be run: a node over SSH, or a container of a pod. */
export interface RemoteHost {
  readonly how: 'ssh' | 'pod'
  /** For people and the audit: `mia@10.0.0.4:22`, `vision/camera-7 (app)`. Safe to show. */
  readonly label: string
  /**
   * An interactive shell on a terminal of its own.
   * @throws EdgeError that says what is missing and what to do
   */
  openShell(terminal: { readonly term: string; readonly size: TerminalSize }): Promise<RemoteChannel>
  /**
   * Run a command without a terminal. Over SSH it is a line for the login shell there; in a container it is given to `sh -c`.
   * @throws EdgeError as {@link openShell}
   */
  run(command: string): Promise<RemoteChannel>
  /** Let go of the connection; open channels are broken off. */
  close(): Promise<void>
}

/** One place that belongs to a node and takes a shell: the node itself, or a container of a pod on it. Every text is safe to show. */
export interface RemotePlace {
  readonly how: 'ssh' | 'pod'
  /** As it is chosen and written down: `mia@10.0.0.4:22`, `vision/camera-7 (app)`. */
  readonly label: string
  /** What helps to choose: how it is reached, an image, a state. */
  readonly detail: string
  /** A container beside those that the pod is for: init, sidecar, debug. It is only taken by its name. */
  readonly isAside?: boolean
  /**
   * Connect.
   * @throws EdgeError that says what is missing and what to do; also when `signal` aborts
   */
  open(prompter: Prompter, signal: AbortSignal): Promise<RemoteHost>
  /** What a container writes; absent where there is no such thing. */
  readonly log?: ContainerLog
}

/** What comes of a container's log: its lines, what is good to know, and where lines are missing; those texts are safe to show. */
export type ContainerEvent =
  | { readonly kind: 'line'; readonly record: LogRecord }
  | { readonly kind: 'note' | 'gap'; readonly atMs: number; readonly text: string }

/**
 * The log of one container. Records are as those of a node: times are Unix ms on the node's clock, sequences rise with them
 * and name a line for good, however it was read; texts are not made safe.
 */
export interface ContainerLog {
  /**
   * From there on, over restarts and lost connections.
   * @throws EdgeError when it cannot be read at all
   */
  follow(from: LogBegin, signal: AbortSignal): AsyncIterable<ContainerEvent>
  /**
   * What is kept now, oldest first.
   * @throws EdgeError when it cannot be read
   */
  read(from: LogBegin, signal: AbortSignal): AsyncIterable<LogRecord>
}

/** Where a log is read from: a time (Unix ms on the node's clock) or a little before it, or about the newest so many lines; nulls for its begin. */
export interface LogBegin {
  readonly sinceMs: number | null
  readonly tail: number | null
}

/** The places of a node, and why others could not be found out; each a sentence that is safe to show. */
export interface FoundPlaces {
  readonly places: readonly RemotePlace[]
  readonly faults: readonly string[]
}

/** What a place is looked for: a shell, or the log of a container. */
export type PlaceUse = 'shell' | 'log'

/** Find the places of a node by the operator's name for it. Never rejects: what goes wrong is a fault. */
export type FindPlaces = (nodeKey: string, use: PlaceUse, signal: AbortSignal) => Promise<FoundPlaces>

/** What the operator is asked while a connection is made. Texts may quote the other side: they are made safe before they are shown. */
export interface Prompter {
  /** An answer, not shown as it is typed when `secret`; null when the operator gives none or nobody is there to ask. */
  ask(question: { readonly text: string; readonly secret: boolean }): Promise<string | null>
  /** Yes or no; no when nobody is there to ask. */
  confirm(text: string): Promise<boolean>
  /** Something to know, such as a banner. */
  tell(text: string): void
}

/** Nobody is there: for commands that run on many nodes at once. */
export const NOBODY_TO_ASK: Prompter = {
  ask: async () => null,
  confirm: async () => false,
  tell: () => undefined,
}
