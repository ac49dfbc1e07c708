import { homedir, constants as osConstants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import packageJson from '../package.json' with { type: 'json' }
import { EdgeError, type ErrorCode, messageOf } from '../protocol/errors.ts'
import type { OperatorJournal } from './audit/command-journal.ts'
import { currentJournal, operatorJournal } from './audit/own-journal.ts'
import { type CommandRequest, readCommandLine } from './command-line.ts'
import type { FleetFlags } from './command-options.ts'
import { Inventory } from './commands/inventory.ts'
import { JournalShipping } from './commands/journal-shipping.ts'
import { runKeys } from './commands/keys.ts'
import { runLogs } from './commands/logs.ts'
import { runNodes } from './commands/nodes.ts'
import type { CommandIo } from './commands/output.ts'
import { demoScreen, runScreen, type ScreenSettings } from './commands/screen.ts'
import { type CloudAddress, DEFAULT_STREAM, mergeClouds } from './config/cloud-address.ts'
import { chooseContext, loadConsoleConfig } from './config/console-config.ts'
import { DEFAULT_CONTEXT, mustNotBeExposed, type NamedContext } from './config/context.ts'
import type { NodeAddress } from './config/node-address.ts'
import { consolePaths } from './config/paths.ts'
import { IdentityFolder } from './identity/identity-source.ts'
import { readOperatorBus } from './identity/operator-bus-access.ts'
import { loginPlace, pkiPlace, terminalAsk } from './identity-places.ts'
import type { FleetAccess } from './link/access.ts'
import { mergeNodes, parseNodeFlag } from './link/directory.ts'
import { operatorBus } from './link/operator-bus.ts'
import { DenyFollower } from './pki/deny-follower.ts'
import { PASSPHRASE_VARIABLE } from './pki/passphrase.ts'
import { detectCapabilities } from './ui/terminal/capabilities.ts'

const { version } = packageJson
/** Both `src/main.ts` and `dist/edgedeck.js` lie one below the folder with `keymaps/` and `themes/`. */
const ASSETS_DIR = fileURLToPath(new URL('..', import.meta.url))
const NODES_TIMEOUT_MS = 5000
/** Access to a bus where the configuration names no files for it: that of the context's identity. */
const OWN_ACCESS = { credentials: null, ca: null } as const

const EXIT_UNREACHABLE = 1
const EXIT_OF_COMPARISON = { sound: 0, unanswered: EXIT_UNREACHABLE, faulty: 3 } as const
const EXIT_OF_DIAGNOSIS = { fine: 0, untested: EXIT_UNREACHABLE, faulty: 3 } as const
const EXIT_BUG = 70
const EXIT_OF: Partial<Record<ErrorCode, number>> = {
  USAGE: 2,
  NODE_UNREACHABLE: EXIT_UNREACHABLE,
  CONFIG_INVALID: 78,
  CONFIG_UNREADABLE: 78,
  CONFIG_UNSERVABLE: 78,
  TOOL_MISSING: 69,
  PKI_UNUSABLE: 78,
  PORT_IN_USE: 69,
  CONTROLLER_FAILING: 69,
  CONTROLLER_LOCKED: 69,
  OUTPUT_REFUSED: 69,
}

interface Loaded {
  readonly context: NamedContext
  readonly configFile: string
  readonly nodes: readonly NodeAddress[]
  readonly clouds: readonly CloudAddress[]
  readonly access: FleetAccess & { readonly identity: IdentityFolder; readonly journal: OperatorJournal }
  readonly inventory: Inventory
  readonly screen: ScreenSettings
  /** Folder of the journals of what this user's consoles send, who is to have them, and what brings them there. */
  readonly audit: {
    readonly dir: string
    readonly clouds: readonly CloudAddress[]
    readonly shipping: JournalShipping
  }
}

/** Do what was asked; resolves with the exit code. What is to be waited for before the process ends goes to `endings`. */
async function run(request: CommandRequest, io: CommandIo, endings: (() => Promise<void>)[]): Promise<number> {
  if (request.kind === 'text') {
    io.stdout.write(request.text)
    return 0
  }
  if (request.kind === 'pki') {
    const { runPki } = await import('./commands/pki.ts')
    await runPki(request, pkiPlace(request, io), io)
    return 0
  }
  if (request.kind === 'controller') {
    const { runController } = await import('./commands/controller.ts')
    await runController({ ...request, configFile: request.config, version, env: process.env }, io)
    return 0
  }
  if (request.kind === 'pki-token') {
    const { runPkiToken } = await import('./commands/pki-token.ts')
    const passphrase = { file: request.passphraseFile, env: process.env[PASSPHRASE_VARIABLE], ask: terminalAsk(io) }
    await runPkiToken({ ...request, configFile: request.config, passphrase, env: process.env }, io)
    return 0
  }
  if (request.kind === 'nats-bus') {
    const { runNatsBus } = await import('./commands/nats-bus.ts')
    await runNatsBus(request.task, io)
    return 0
  }
  if (request.kind === 'login') {
    const { runLogin } = await import('./commands/login.ts')
    const place = loginPlace(request, io)
    await runLogin(request, place, io)
    await writeLogin(place)
    return 0
  }
  if (request.kind === 'context' || request.kind === 'context-add') {
    const { runContextRequest } = await import('./context-request.ts')
    return EXIT_OF_DIAGNOSIS[await runContextRequest(request, { version, hasScreen: hasScreen() }, io)]
  }
  if (request.kind === 'doctor') {
    const { runDoctor } = await import('./commands/doctor.ts')
    const { identitiesDir } = consolePaths(process.env, homedir())
    const place = {
      load: () => load(request, io.signal),
      identityDir: (context: string) => join(identitiesDir, context),
      columns: process.stdout.columns ?? 80,
      ascii: detectCapabilities().ascii,
      now: Date.now,
    }
    return EXIT_OF_DIAGNOSIS[await runDoctor(request, place, io)]
  }
  const loaded = load(request, io.signal)
  // What came of the last command is still being written then.
  endings.push(async () => {
    await loaded.inventory.close()
    await loaded.access.journal.settled()
    const failure = await loaded.audit.shipping.finish()
    if (failure !== null) io.stderr.write(`edgedeck: ${failure}\n`)
  })
  switch (request.kind) {
    case 'demo': {
      const { runDemo } = await import('./demo/demo.ts')
      return runDemo({ version, runConsole: request.headless || !hasScreen() ? null : demoScreen(loaded.screen) })
    }
    case 'keys': {
      const defaultFile = `${ASSETS_DIR}keymaps/default.yaml`
      const whole = runKeys({ format: request.format, defaultFile, userFile: loaded.screen.keymapFile }, io)
      return whole ? 0 : 78
    }
    case 'nodes': {
      const { filter, ...wanted } = request
      const nodes = await loaded.inventory.all()
      return answered(
        await runNodes({ ...wanted, nodes, access: loaded.access, ...(filter === null ? {} : { filter }) }, io),
      )
    }
    case 'logs':
      return answered(
        await runLogs({ ...request, nodes: await loaded.inventory.named(request.names), access: loaded.access }, io),
      )
    case 'replay': {
      const { runReplay } = await import('./commands/replay.ts')
      return answered(await runReplay({ ...request, ...(await pastOf(loaded, request.name)) }, io))
    }
    case 'compare': {
      const { runCompare } = await import('./commands/compare.ts')
      return EXIT_OF_COMPARISON[await runCompare({ ...request, ...(await pastOf(loaded, request.name)) }, io)]
    }
    case 'resend': {
      const { runResend } = await import('./commands/resend.ts')
      // Standard output is one JSON document: with a comparison that is what it says.
      const told = request.check && request.format === 'json' ? { ...io, stdout: io.stderr } : io
      const done = await runResend({ ...request, ...(await only(loaded, request.name)) }, told)
      if (!done || !request.check) return answered(done)
      const { runCompare } = await import('./commands/compare.ts')
      return EXIT_OF_COMPARISON[await runCompare({ ...request, ...(await pastOf(loaded, request.name)) }, io)]
    }
    case 'audit': {
      const { runAudit } = await import('./commands/audit.ts')
      const { context, inventory, access, audit } = loaded
      const nodes = await inventory.everybody()
      const isAsked = (key: string): boolean => request.names.some((name) => name === key || name.endsWith(`/${key}`))
      const asked = request.names.length === 0 ? nodes : nodes.filter(({ key }) => isAsked(key))
      const where = { nodes: asked, clouds: audit.clouds, access, context: context.name, auditDir: audit.dir }
      return EXIT_OF_COMPARISON[await runAudit({ ...request, ...where }, io)]
    }
    case 'nats-setup': {
      const { runNatsSetup } = await import('./commands/nats.ts')
      const { servers, stream } = request
      const regions = servers === null ? loaded.clouds : [servers]
      const clouds = stream === null ? regions : regions.map((region) => ({ ...region, stream }))
      return answered(await runNatsSetup({ ...request, clouds }, io))
    }
    case 'whoami': {
      const { runWhoami } = await import('./commands/whoami.ts')
      const context = loaded.context.name
      return answered(runWhoami({ ...request, context, identity: loaded.access.identity, nowMs: Date.now() }, io))
    }
    case 'picture': {
      const { runPicture } = await import('./commands/picture.ts')
      const { columns = 80, rows = 25 } = process.stdout
      const { depth, ascii } = detectCapabilities()
      const surface = { columns, rows: rows - 2, depth: process.stdout.isTTY ? depth : 'none', ascii } as const
      await runPicture({ ...request, ...(await only(loaded, request.name)) }, surface, io)
      return 0
    }
    case 'screen': {
      if (hasScreen()) {
        const { name } = loaded.context
        const listed = name === DEFAULT_CONTEXT ? loaded.configFile : name
        const context = request.node.length > 0 ? 'command line' : listed
        await runScreen({
          ...loaded.screen,
          nodes: loaded.access.bus === undefined ? await loaded.inventory.all() : loaded.nodes,
          clouds: loaded.clouds,
          access: loaded.access,
          context,
          production: loaded.context.production,
          signal: io.signal,
        })
        return 0
      }
      const plain = {
        nodes: await loaded.inventory.all(),
        access: loaded.access,
        format: 'table',
        watch: false,
        timeoutMs: NODES_TIMEOUT_MS,
      } as const
      return answered(await runNodes(plain, io))
    }
  }
}

/** A login stands in the journal of whoever logged in; it is shipped with their next command. */
async function writeLogin({ context, identityDir }: { readonly context: string; readonly identityDir: string }) {
  const { auditDir: dir } = consolePaths(process.env, homedir())
  const onFault = (msg: string): void => void process.stderr.write(`edgedeck: ${msg}\n`)
  const journal = operatorJournal({ dir, context, identity: new IdentityFolder(identityDir) }, { onFault })
  journal.happened({ verb: 'login', code: 'OK' })
  await journal.settled()
}

function load(flags: FleetFlags, signal: AbortSignal): Loaded {
  const paths = consolePaths(process.env, homedir())
  const configFile = flags.config ?? paths.configFile
  const config = loadConsoleConfig(configFile, flags.config !== null)
  const context = chooseContext(config, flags.context)
  const nodes = mergeNodes(flags.node.map(parseNodeFlag), context.nodes)
  mustNotBeExposed(nodes, context)
  const { keymapFile, picturesDir } = paths
  const screen = { config, keymapFile, picturesDir, assetsDir: ASSETS_DIR }
  const identityDir = join(paths.identitiesDir, context.name)
  const identity = new IdentityFolder(identityDir)
  const onFault = (msg: string): void => void process.stderr.write(`edgedeck: ${msg}\n`)
  const { nats } = context
  const busAccess = () => readOperatorBus({ nats: nats ?? OWN_ACCESS, configFile, identityDir, identity })
  const bus = nats && operatorBus({ servers: nats.servers, access: busAccess, identity })
  const regions = mergeClouds(flags.cloud, context.clouds).map((region) => ({ access: busAccess, ...region }))
  const hub = nats && { name: 'nats', servers: nats.servers, stream: DEFAULT_STREAM, access: busAccess }
  const archives = regions.length > 0 || hub === null ? regions : [hub]
  const place = { dir: paths.auditDir, context: context.name, identity }
  const shipping = new JournalShipping({ clouds: archives, file: () => currentJournal(place) })
  const journal = operatorJournal(place, { onFault, onWritten: () => shipping.wrote() })
  const own = () => {
    const state = identity.current()
    return state.kind === 'held' ? state.identity.tls : null
  }
  const { controller } = context
  const revocations = controller === null ? null : new DenyFollower({ controller, dir: identityDir, own })
  const access = {
    version,
    identity,
    journal,
    ...(bus === null ? {} : { bus }),
    ...(revocations === null ? {} : { revocations }),
  }
  const audit = { dir: paths.auditDir, clouds: archives, shipping }
  const inventory = new Inventory({ listed: nodes, configFile, signal, ...(bus === null ? {} : { bus }) })
  return { context, configFile, nodes, inventory, clouds: regions, access, screen, audit }
}

async function only({ inventory, access }: Loaded, name: string) {
  return { node: await inventory.only(name), access }
}

async function pastOf({ inventory, clouds, access }: Loaded, name: string) {
  return { node: await inventory.find(name), clouds, access }
}

function hasScreen(): boolean {
  return process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== 'dumb'
}

function answered(byAll: boolean): number {
  return byAll ? 0 : EXIT_UNREACHABLE
}

function report(error: unknown): number {
  if (error instanceof EdgeError) {
    process.stderr.write(`edgedeck: ${error.toLine()}\n`)
    return EXIT_OF[error.code] ?? (error.kind === 'bug' ? EXIT_BUG : EXIT_UNREACHABLE)
  }
  process.stderr.write(`edgedeck: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`)
  return EXIT_BUG
}

async function main(): Promise<number> {
  const abort = new AbortController()
  let signalExit: number | null = null
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      signalExit = 128 + osConstants.signals[signal]
      abort.abort()
    })
  }
  // Whoever read our output has enough: end without a word, as `| head` expects.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    signalExit = 0
    abort.abort()
  })
  const io = { stdout: process.stdout, stderr: process.stderr, signal: abort.signal }
  const request = readCommandLine(process.argv.slice(2), version)
  const endings: (() => Promise<void>)[] = []
  try {
    const exitCode = await run(request, io, endings)
    // A controller is ended by a signal, and ends in order then.
    return request.kind === 'controller' ? exitCode : (signalExit ?? exitCode)
  } finally {
    for (const end of endings) await end()
  }
}

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => process.exit(report(error)))
}
process.exitCode = await main().catch(report)
// What is still being written to a pipe must arrive whole before the process ends.
if (process.stdout.writableLength > 0) await new Promise((resolve) => process.stdout.write('', resolve))
process.exit()
