import { homedir, userInfo } from 'node:os'
import type { ExecRequest } from '../command-line/exec-commands.ts'
import { askSeen } from '../commands/ask.ts'
import { runExec } from '../commands/exec.ts'
import { execMeans } from '../commands/exec-means.ts'
import type { CommandIo } from '../commands/output.ts'
import { loadConsoleConfig } from '../config/console-config.ts'
import type { NodeAddress } from '../config/node-address.ts'
import { consolePaths } from '../config/paths.ts'
import { standingOf } from '../identity/standing.ts'
import type { ConsoleExecMeans } from '../shell/fan-out-exec.ts'
import { detectCapabilities } from '../ui/terminal/capabilities.ts'
import type { ChosenFleet } from './chosen-fleet.ts'
import { exitOfExec } from './exit-codes.ts'

/** Run a command on nodes of a fleet from this process's terminal; resolves with the exit code. */
export async function runExecRequest(request: ExecRequest, fleet: ChosenFleet, io: CommandIo): Promise<number> {
  const { context, inventory, access } = fleet
  const { stdin: input, stdout, stderr: output } = process
  const nodes = await inventory.all()
  const standing = standingOf(access.identity)
  const { addressable, depth } = detectCapabilities()
  const place = {
    ...execMeansOf(fleet, nodes),
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

/** What commands are run on these nodes of a fleet with. */
export function execMeansOf(
  { context, configFile, access }: Pick<ChosenFleet, 'context' | 'configFile' | 'access'>,
  nodes: readonly NodeAddress[],
): ConsoleExecMeans {
  return execMeans({
    context,
    configFile,
    node: (key) => nodes.find((node) => node.key === key) ?? heardNode(key),
    journal: access.journal,
    recordingsDir: consolePaths(process.env, homedir()).recordingsDir,
    record: loadConsoleConfig(configFile, false).record,
    who: () => standingOf(access.identity).name ?? userInfo().username,
  })
}

/** A node that is in no list: `site/name`, or its name alone. */
function heardNode(key: string): NodeAddress {
  const at = key.indexOf('/')
  return at < 0 ? { key, url: null } : { key, url: null, site: key.slice(0, at), node: key.slice(at + 1) }
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
