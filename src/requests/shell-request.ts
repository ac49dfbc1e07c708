import { join } from 'node:path'
import { EdgeError } from '../../protocol/errors.ts'
import type { ShellRequest } from '../command-line/shell-commands.ts'
import { askHidden, askSeen } from '../commands/ask.ts'
import { FleetSession } from '../commands/fleet-session.ts'
import type { CommandIo } from '../commands/output.ts'
import { type PlayTerminal, recordingFile, runPlay } from '../commands/play.ts'
import { runRecordings } from '../commands/recordings.ts'
import { runShellCommand } from '../commands/shell.ts'
import { shellDesk } from '../commands/shell-desk.ts'
import { standingOf } from '../identity/standing.ts'
import { InputRouter } from '../ui/terminal/input-router.ts'
import { writeAsGiven } from '../ui/terminal/raw-output.ts'
import { TerminalSession } from '../ui/terminal/session.ts'
import { TerminalLender } from '../ui/terminal/terminal-lender.ts'
import type { ChosenFleet } from './chosen-fleet.ts'
import { EXIT_LOST } from './exit-codes.ts'

/** How long the node may take to be there before it is told of a shell, ms. */
const NODE_MS = 1200

/** Open a shell on this process's terminal; resolves with the exit code. @throws EdgeError */
export async function runShellRequest(
  request: Extract<ShellRequest, { kind: 'shell' }>,
  { context, inventory, access, shells }: ChosenFleet,
  io: CommandIo,
): Promise<number> {
  const { stdin: input, stdout, stderr: output } = process
  if (input.isTTY !== true || stdout.isTTY !== true) {
    throw new EdgeError('SHELL_REFUSED', {
      message: 'a shell takes a terminal',
      next: [`without one: edgedeck exec ${request.name} -- COMMAND`],
    })
  }
  const node = await inventory.only(request.name)
  // It is told of the shell, and shows it to others; a node that does not answer has one all the same.
  const session = new FleetSession({
    nodes: [node],
    access,
    interest: { status: true, alertBacklog: null, logs: null },
  })
  session.start()
  const identity = () => session.fleet.nodeDetail(node.key, 'now', Date.now())?.identity ?? null
  const desk = shellDesk({
    ...shells,
    context,
    journal: access.journal,
    identity: access.identity,
    named: () => {
      const { name, site } = identity() ?? {}
      return { ...(name === undefined ? {} : { name }), ...(site === undefined ? {} : { site }) }
    },
    link: (key) => session.links.get(key),
  })
  const lender = lenderOfProcess()
  try {
    const end = await runShellCommand(
      { ...request, node },
      {
        desk: {
          ...desk,
          tellNode: async (...told) => {
            await session.until(() => identity() !== null, NODE_MS, io.signal)
            return desk.tellNode(...told)
          },
        },
        find: shells.find,
        standing: standingOf(access.identity),
        siteOf: async () => {
          await session.until(() => identity() !== null, NODE_MS, io.signal)
          return identity()?.site ?? null
        },
        lend: (work) => lender.lend(work),
        size: () => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 }),
        term: process.env.TERM ?? 'xterm-256color',
        ask: (question, secret) => {
          const terminal = { input, output, signal: io.signal }
          return secret ? askHidden(question, terminal) : askSeen(question, terminal)
        },
      },
      io,
    )
    return end.kind === 'exited' ? end.code : EXIT_LOST
  } finally {
    await session.stop()
  }
}

/** Play or list recordings of a context. @throws EdgeError `RECORDING_UNUSABLE` */
export async function runPlayRequest(
  request: Extract<ShellRequest, { kind: 'play' }>,
  { context, shells }: Pick<ChosenFleet, 'context' | 'shells'>,
  io: CommandIo,
): Promise<void> {
  const dir = join(shells.recordingsDir, context.name)
  if (request.file === null) {
    await runRecordings(dir, request.format, io)
    return
  }
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true
  const lender = isTerminal ? lenderOfProcess() : null
  const terminal: PlayTerminal = lender === null ? null : (work) => lender.lend(work)
  await runPlay({ ...request, file: recordingFile(dir, request.file) }, terminal, io)
}

/** Lends the terminal of this process, which nobody paints on. */
function lenderOfProcess(): { lend: TerminalLender['lend'] } {
  return {
    lend: async (work) => {
      const router = new InputRouter({ terminal: process.stdin })
      const session = new TerminalSession({
        outputFd: process.stdout.fd,
        setRawMode: (raw) => process.stdin.setRawMode(raw),
        setRawOutput: writeAsGiven,
        onEnd: () => undefined,
        onSuspend: () => undefined,
        onResume: () => undefined,
      })
      router.start()
      try {
        return await new TerminalLender({ session, router, output: process.stdout, painter: null }).lend(work)
      } finally {
        router.stop()
        session.close()
      }
    },
  }
}
