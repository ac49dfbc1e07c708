import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { untrusted } from '../../protocol/untrusted-text.ts'
import type { OperatorJournal } from '../audit/command-journal.ts'
import type { CloudAddress } from '../config/cloud-address.ts'
import type { ConsoleConfig } from '../config/console-config.ts'
import type { NodeAddress } from '../config/node-address.ts'
import type { RecordSettings } from '../config/record-settings.ts'
import type { DemoConsole } from '../demo/demo.ts'
import { DEMO_STRATEGY } from '../demo/demo-strategy.ts'
import { safe } from '../fleet/clean.ts'
import { NO_IDENTITY } from '../identity/identity-source.ts'
import { LOCAL_STANDING, standingOf } from '../identity/standing.ts'
import type { FleetAccess } from '../link/access.ts'
import type { JournalPlace } from '../rollout/open-rollouts.ts'
import type { ConsoleExecMeans } from '../shell/fan-out-exec.ts'
import { CloudArchive, demoClouds } from './cloud-archive.ts'
import { FleetSession } from './fleet-session.ts'
import type { FindPlacesOf } from './remote-places.ts'
import { screenRollouts } from './screen-rollouts.ts'
import { shellDesk } from './shell-desk.ts'

const ALERT_BACKLOG = 100
const LOG_BACKLOG = 100
/** What the links of a demo follow by themselves. */
const DEMO_LOGS = { level: 'info' } as const

/** How the screen is to look and where its files are. */
export interface ScreenSettings {
  readonly config: Pick<ConsoleConfig, 'theme' | 'ascii' | 'logLevel'>
  /** Folder for pictures that the operator saves. */
  readonly picturesDir: string
  /** Folder for log lines that the operator saves. */
  readonly logsDir: string
  /** The user's key map; may be absent on disk. */
  readonly keymapFile: string
  /** Folder that holds `keymaps/` and `themes/`. */
  readonly assetsDir: string
}

/** Show the console over a fleet of the operator's; resolves when they leave it. */
export async function runScreen(
  options: ScreenSettings & {
    readonly nodes: readonly NodeAddress[]
    /** Read for the past that the nodes do not tell. */
    readonly clouds: readonly CloudAddress[]
    readonly access: FleetAccess & { readonly journal: OperatorJournal }
    /** Where shells are opened, and how they are recorded. */
    readonly shells: { readonly find: FindPlacesOf; readonly recordingsDir: string; readonly record: RecordSettings }
    /** Name of the context, whose recordings have a folder of their own. */
    readonly contextName: string
    /** Where the nodes are listed, for the header. */
    readonly context: string
    readonly production: boolean
    /** Where the journals of rollouts are, and the bucket that packages come from; null without a bus. */
    readonly rollouts: {
      readonly place: JournalPlace
      readonly bucket: string | null
      /** Regions that nodes fetch packages from. */
      readonly clouds: readonly CloudAddress[]
    }
    /** What commands are run on nodes with. */
    readonly exec: ConsoleExecMeans
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { nodes, clouds, access, config, context, contextName, production, shells, signal } = options
  const session = new FleetSession({
    nodes,
    access,
    interest: {
      status: true,
      alertBacklog: ALERT_BACKLOG,
      logs: { filter: { level: config.logLevel }, backlog: LOG_BACKLOG },
    },
  })
  const desk = shellDesk({
    ...shells,
    context: { name: contextName, production },
    journal: access.journal,
    identity: access.identity ?? NO_IDENTITY,
    link: (key) => session.links.get(key),
    named: (key) => {
      const { name, site } = session.fleet.nodeDetail(key, 'now', Date.now())?.identity ?? {}
      return { ...(name === undefined ? {} : { name }), ...(site === undefined ? {} : { site }) }
    },
  })
  const rollouts = await screenRollouts({
    ...options.rollouts,
    folder: process.cwd(),
    fleet: { fleet: session.fleet, link: (key) => session.links.get(key), attend: (...of) => session.attend(...of) },
    identity: access.identity ?? NO_IDENTITY,
    signal,
  })
  try {
    const { runConsole } = await import('../ui/start.tsx')
    const left = runConsole({
      ...options,
      firstLogs: { level: config.logLevel },
      rollouts: rollouts.parts,
      fleet: session.fleet,
      shells: { desk, find: (key, use, signal) => shells.find(session.addressOf(key), use, signal) },
      link: (key) => session.links.get(key),
      watch: (keys) => session.look(keys),
      archives: clouds.length === 0 ? [] : [new CloudArchive(session.fleet, () => clouds)],
      standing: () => standingOf(access.identity ?? NO_IDENTITY),
      controls: null,
      context,
      onNotice: (listener) => access.bus?.onFault((reason) => listener(untrusted(reason))) ?? (() => undefined),
      signal,
    })
    // Only now: the first frame does not wait for hundreds of connections.
    session.start()
    await left
  } finally {
    await rollouts.close()
    await session.stop()
  }
}

/** The same console over the demo fleet, as {@link DemoConsole} hands it over. Its journal goes with the demo. */
export function demoScreen(settings: ScreenSettings): (demo: DemoConsole) => Promise<void> {
  return async (demo) => {
    const { runConsole } = await import('../ui/start.tsx')
    const archives = [new CloudArchive(demo.fleet, () => demoClouds(demo))]
    const dir = await mkdtemp(join(tmpdir(), 'edgedeck-demo-rollouts-'))
    const rollouts = await screenRollouts({
      place: { kind: 'folder', dir },
      bucket: null,
      known: {
        name: 'what the demo offers',
        offers: () =>
          demo.controls.state().models.map(({ what, story, item, sources }) => ({
            item,
            sizeBytes: null,
            sinceMs: null,
            signedBy: [safe("this demo's key")],
            where: safe(`${what}: ${story}`),
            push: null,
            sources,
          })),
      },
      fleet: { fleet: demo.fleet, link: demo.link },
      identity: NO_IDENTITY,
      first: DEMO_STRATEGY,
    })
    try {
      await runConsole({
        ...settings,
        ...demo,
        firstLogs: DEMO_LOGS,
        archives,
        rollouts: rollouts.parts,
        context: 'demo',
        production: false,
        standing: () => LOCAL_STANDING,
      })
    } finally {
      await rollouts.close()
      await rm(dir, { recursive: true, force: true })
    }
  }
}
