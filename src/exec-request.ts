import { homedir, userInfo } from 'node:os'
import type { ChosenFleet } from './chosen-fleet.ts'
import { askSeen } from './commands/ask.ts'
import { runExec } from './commands/exec.ts'
import { execMeans } from './commands/exec-means.ts'
import type { CommandIo } from './commands/output.ts'
import { loadConsoleConfig } from './config/console-config.ts'
import type { NodeAddress } from './config/node-address.ts'
import { consolePaths } from './config/paths.ts'
import type { ExecRequest } from './exec-commands.ts'
import { exitOfExec } from './exit-codes.ts'
import { standingOf } from './identity/standing.ts'
import { detectCapabilities } from './ui/terminal/capabilities.ts'

/** Run a command on nodes of a fleet from this process's terminal; resolves with the exit code. */
export async function runExecRequest(
  request: ExecRequest,
  { context, configFile, inventory, access }: ChosenFleet,
  io: CommandIo,
): Promise<number> {
  const { stdin: input, stdout, stderr: output } = process
  const nodes = await inventory.all()
  const standing = standingOf(access.identity)
  const { addressable, depth } = detectCapabilities()
  const { record } = loadConsoleConfig(configFile, false)
  const means = execMeans({
    context,
    configFile,
    node: (key) => nodes.find((node) => node.key === key) ?? ({ key, url: null } satisfies NodeAddress),
    journal: access.journal,
    recordingsDir: consolePaths(process.env, homedir()).recordingsDir,
    record,
    who: () => standing.name ?? userInfo().username,
  })
  const place = {
    ...means,
    nodes,
    access,
    standing,
    context: context.name,
    production: context.production,
    ask: input.isTTY && output.isTTY ? (text: string) => askSeen(text, { input, output, signal: io.signal }) : null,
    input,
    depth: stdout.isTTY ? depth : 'none',
    terminal: output.isTTY && addressable ? output : null,
    onInterruptedAgain: interruptedAgain,
  } as const
  const outcomes = await runExec(request, place, io)
  return outcomes === null ? 0 : exitOfExec(outcomes)
}

/** The first interrupt ends the command in order; whoever is in a greater hurry is heard here. */
function interruptedAgain(listener: () => void): () => void {
  let count = 0
  const onInterrupt = (): void => {
    count += 1
    if (count > 1) listener()
  }
  process.on('SIGINT', onInterrupt)
  return () => process.off('SIGINT', onInterrupt)
}
