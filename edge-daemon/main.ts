import packageJson from '../package.json' with { type: 'json' }
import { EdgeError, type ErrorCode, messageOf } from '../protocol/errors.ts'
import { formatConfig, HELP, readCommandLine } from './command-line.ts'
import { type LoadedConfig, loadConfig } from './config/load.ts'
import { Daemon } from './daemon.ts'
import { IdentityFiles } from './identity/files.ts'
import { withNamesOf } from './identity/names-in-force.ts'
import { NodeIdentity } from './identity/node-identity.ts'
import { runRulesTest } from './rules-command.ts'
import { addKey, findKeyFile } from './store/key-file.ts'

const EXIT_UNAVAILABLE = 69
const EXIT_BUG = 70
/** Longest a stop may take; then the disk or a peer hangs, and what was acknowledged is safe already. */
const STOP_DEADLINE_MS = 25_000
const EXIT_OF: Partial<Record<ErrorCode, number>> = {
  USAGE: 64,
  CONFIG_INVALID: 78,
  CONFIG_UNREADABLE: 78,
  CONFIG_UNSERVABLE: 78,
  IDENTITY_UNUSABLE: 78,
  IDENTITY_REFUSED: 78,
  IDENTITY_REVOKED: 78,
  TOKEN_INVALID: 64,
  TOKEN_EXPIRED: 78,
  TOKEN_USED: 78,
  NAME_TAKEN: 78,
  RATE_LIMITED: EXIT_UNAVAILABLE,
  CONTROLLER_UNREACHABLE: EXIT_UNAVAILABLE,
  CONTROLLER_FAILING: EXIT_UNAVAILABLE,
  MODEL_MISSING: 78,
  MODEL_INVALID: 78,
  MODEL_FAILED: EXIT_UNAVAILABLE,
  PORT_IN_USE: EXIT_UNAVAILABLE,
  STORE_FAILING: EXIT_UNAVAILABLE,
  STORE_LOCKED: EXIT_UNAVAILABLE,
  STORE_UNUSABLE: EXIT_UNAVAILABLE,
  STORE_KEYS_UNUSABLE: 78,
  STORE_KEY_MISSING: 78,
  STORE_KEY_WRONG: 78,
}

/** Say what went wrong on standard error and name the exit code (sysexits.h). */
function report(error: unknown): number {
  if (error instanceof EdgeError) {
    process.stderr.write(`edge-daemon: ${error.toLine()}\n`)
    return EXIT_OF[error.code] ?? EXIT_BUG
  }
  process.stderr.write(`edge-daemon: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`)
  return EXIT_BUG
}

/** For whoever only looks: not being let into the state directory is no reason to show nothing. */
function readableIdentity({ config }: LoadedConfig): NodeIdentity | null {
  try {
    return NodeIdentity.load(new IdentityFiles(config.state.dir, process.env))
  } catch (error) {
    process.stderr.write(`edge-daemon: ${error instanceof EdgeError ? error.toLine() : messageOf(error)}\n`)
    return null
  }
}

async function main(): Promise<number> {
  const request = readCommandLine(process.argv.slice(2), process.env)
  if (request.kind === 'new-key') {
    const id = addKey(request.keyFile)
    process.stdout.write(`key ${id} is in ${request.keyFile}; a running edge-daemon takes it on SIGHUP\n`)
    return 0
  }
  if (!('sources' in request)) {
    process.stdout.write(request.kind === 'help' ? HELP : `${packageJson.version}\n`)
    return 0
  }
  const configured = loadConfig(request.sources)
  for (const warning of configured.warnings) process.stderr.write(`edge-daemon: ${warning}\n`)
  if (request.kind === 'print-config') {
    process.stdout.write(formatConfig(withNamesOf(readableIdentity(configured), configured).entries))
    return 0
  }

  const { config } = configured
  if (request.kind === 'identity') {
    const { runIdentityTask } = await import('./identity-command.ts')
    process.stdout.write(await runIdentityTask(request.task, config, process.env))
    return 0
  }
  const keyFile = findKeyFile(config.store.keyFile, process.env)
  if (request.kind === 'rules-test') {
    process.stdout.write(runRulesTest(request.test, config, keyFile))
    return 0
  }
  const identity = NodeIdentity.load(new IdentityFiles(config.state.dir, process.env))
  const daemon = new Daemon({
    config: withNamesOf(identity, configured).config,
    version: packageJson.version,
    keyFile,
    identity,
  })
  const { promise: stopAsked, resolve: askStop } = Promise.withResolvers<string>()
  // A second signal while stopping changes nothing: what is acknowledged is on disk already, the rest is being finished.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => askStop(signal))
  process.on('SIGHUP', () => (keyFile === null ? askStop('SIGHUP') : void daemon.reloadKeys()))
  try {
    await daemon.start()
    const reason = await stopAsked
    setTimeout(() => {
      process.stderr.write(`edge-daemon: not stopped after ${STOP_DEADLINE_MS / 1000} s, ending anyway\n`)
      process.exit(EXIT_UNAVAILABLE)
    }, STOP_DEADLINE_MS).unref()
    await daemon.stop(reason)
    return 0
  } catch (error) {
    await daemon.stop('start failed').catch(() => undefined)
    throw error
  }
}

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error) => process.exit(report(error)))
}
process.exit(await main().catch(report))
