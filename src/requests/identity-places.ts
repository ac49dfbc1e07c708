import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import type { FleetFlags } from '../command-line/command-options.ts'
import { askHidden, askSeen } from '../commands/ask.ts'
import type { LoginPlace } from '../commands/login.ts'
import type { CommandIo } from '../commands/output.ts'
import type { PkiPlace } from '../commands/pki.ts'
import { chooseContext, loadConsoleConfig } from '../config/console-config.ts'
import { consolePaths } from '../config/paths.ts'
import { PASSPHRASE_VARIABLE } from '../pki/passphrase.ts'

/** What surrounds a command on an authority: folders, passphrase, terminal. @throws EdgeError for a faulty configuration */
export function pkiPlace(flags: FleetFlags, io: CommandIo): PkiPlace {
  const { pkiDir, identitiesDir, configFile } = consolePaths(process.env, homedir())
  const context = flags.context ?? loadConsoleConfig(flags.config ?? configFile, flags.config !== null).context
  return {
    pkiDir,
    identityDir: join(identitiesDir, context),
    passphrase: process.env[PASSPHRASE_VARIABLE],
    ask: terminalAsk(io),
    nowMs: Date.now(),
  }
}

/** What surrounds a login. @throws EdgeError `USAGE` when there is no such context, or for a faulty configuration */
export function loginPlace(flags: FleetFlags, io: CommandIo): LoginPlace {
  const { identitiesDir, configFile } = consolePaths(process.env, homedir())
  const config = loadConsoleConfig(flags.config ?? configFile, flags.config !== null)
  const { name, controller } = chooseContext(config, flags.context)
  const { stdin: input, stderr: output } = process
  const ask = (question: string) => askSeen(question, { input, output, signal: io.signal })
  return {
    context: name,
    identityDir: join(identitiesDir, name),
    controller,
    user: userInfo().username,
    env: process.env,
    ask: input.isTTY && output.isTTY ? ask : null,
    nowMs: Date.now(),
  }
}

/** Asks for what is not shown while it is typed; null without a terminal. */
export function terminalAsk(io: CommandIo): PkiPlace['ask'] {
  const { stdin: input, stderr: output } = process
  if (!input.isTTY || !output.isTTY) return null
  return (question) => askHidden(question, { input, output, signal: io.signal })
}
