import { readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { PACKAGE_BUCKET } from '../../protocol/object-store.ts'
import type { RolloutRequest } from '../command-line/rollout-commands.ts'
import { askSeen } from '../commands/ask.ts'
import { selectNodes } from '../commands/exec-selection.ts'
import { FleetSession } from '../commands/fleet-session.ts'
import { LocalPackages } from '../commands/local-packages.ts'
import type { CommandIo } from '../commands/output.ts'
import { runRollout } from '../commands/rollout.ts'
import { sourcesOf } from '../commands/rollout-package.ts'
import type { NodeView } from '../fleet/view.ts'
import { standingOf } from '../identity/standing.ts'
import { openRollouts } from '../rollout/open-rollouts.ts'
import type { ChosenFleet } from './chosen-fleet.ts'
import { EXIT_OF_ROLLOUT } from './exit-codes.ts'

/** How long nodes may take to say how they are, before a plan is made, ms. */
const ANSWER_MS = 5000

/** Carry out a command of rollouts on a fleet from this process's terminal; resolves with the exit code. */
export async function runRolloutRequest(request: RolloutRequest, fleet: ChosenFleet, io: CommandIo): Promise<number> {
  const { context, inventory, access } = fleet
  // Whoever only reads or decides needs no node.
  const nodes = needsNodes(request) ? await inventory.all() : []
  const session = new FleetSession({ nodes, access, interest: { status: true, alertBacklog: null, logs: null } })
  const holder = `${standingOf(access.identity).name ?? userInfo().username} at ${hostname()} (${process.pid})`
  const packages = new LocalPackages({ clouds: context.nats === null ? [] : fleet.regions, signal: io.signal })
  const rollouts = await openRollouts({
    place: fleet.rollouts,
    fleet: { fleet: session.fleet, link: (key) => session.links.get(key), attend: (...of) => session.attend(...of) },
    identity: access.identity,
    holder,
    beforeStart: (plan) => packages.bring(plan),
  })
  const { stdin: input, stderr: output } = process
  if (needsNodes(request)) await meet(session, access.bus !== undefined, io.signal)
  try {
    const outcome = await runRollout(
      request,
      {
        service: rollouts.service,
        context: context.name,
        production: context.production,
        ask: input.isTTY && output.isTTY ? (text) => askSeen(text, { input, output, signal: io.signal }) : null,
        select: (selection) => selectNodes(selection, { nodes, access, timeoutMs: ANSWER_MS, signal: io.signal }),
        find: async (name, from) => ({
          item: await packages.find(name),
          sources: sourcesOf(from, context.nats === null ? null : PACKAGE_BUCKET),
        }),
        brings: (plan) => packages.isHere(plan),
        readText,
        nowMs: Date.now,
      },
      io,
    )
    return EXIT_OF_ROLLOUT[outcome]
  } finally {
    await rollouts.close()
    await session.stop()
  }
}

function needsNodes({ task }: RolloutRequest): boolean {
  return task === 'start' || task === 'undo' || task === 'drive'
}

/** Reach the nodes, and wait until each has said how it is or the time is over. */
async function meet(session: FleetSession, hasBus: boolean, signal: AbortSignal): Promise<void> {
  session.start()
  const isSettled = (node: NodeView): boolean => {
    if (node.state === 'up') return node.inferencesPerSec !== null
    // Where there is a bus, one way that fails is not the end.
    return !hasBus && session.fleet.nodeDetail(node.key, 'now', 0)?.link.lastReason != null
  }
  await session.until((now) => now.nodes.every(isSettled), ANSWER_MS, signal)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new EdgeError('CONFIG_UNREADABLE', {
      message: `${file}: ${messageOf(error)}`,
      next: ['name a file that can be read: --strategy FILE'],
    })
  }
}
