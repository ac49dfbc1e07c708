import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { EdgeError, messageOf } from '../protocol/errors.ts'
import type { ConfigEntry, ConfigSources } from './config/load.ts'
import {
  type IdentityRequest,
  type IdentityTask,
  readIdentityCommand,
  readJoinCommand,
} from './identity-command-line.ts'
import type { RulesTest } from './rules-command.ts'
import { readRulesCommand } from './rules-command-line.ts'

/** What the command line asks for. */
export type Request =
  | { readonly kind: 'help' | 'version' }
  | { readonly kind: 'new-key'; readonly keyFile: string }
  | { readonly kind: 'serve' | 'print-config'; readonly sources: ConfigSources }
  | { readonly kind: 'identity'; readonly sources: ConfigSources; readonly task: IdentityTask }
  | { readonly kind: 'rules-test'; readonly sources: ConfigSources; readonly test: RulesTest }

/** Configuration that is read when no `--config` is given, if it exists. */
export const DEFAULT_CONFIG_FILE = '/etc/edgedeck/edge-daemon.yaml'

const COMMANDS: ReadonlySet<string> = new Set(['keys', 'join', 'identity', 'rules'])

/** Width that settings are aligned to at most. */
const MAX_ALIGNED_CHARS = 72

export const HELP = `edge-daemon – serves inference on an edge node, keeps the results and sends up what matters

Usage: edge-daemon [options]
       edge-daemon join --token T          join the fleet that the token is of (also --token-file F, or EDGEDECK_JOIN_TOKEN)
       edge-daemon join --request F        write a request to be signed where no controller can be reached
       edge-daemon join --answer F         take what was signed; --pin P names the root that it must be from
       edge-daemon identity [-o json]      show who this node is in its fleet, and what ends when
       edge-daemon keys new --key-file F   add a new random key to F (made when missing), which seals what is written next
       edge-daemon rules test [options]    try the rules over results on what this node has kept, also while it runs

Options:
  --config F       read configuration from F (default ${DEFAULT_CONFIG_FILE} if it exists)
  --state-dir D    keep state in D (default /var/lib/edgedeck)
  --print-config   show every setting in force and where it comes from, then exit
  --version        show the version, then exit
  --help           show this text, then exit

Options of rules test, besides --config and --state-dir:
  --rule 'EXPR'    try this condition instead of the configured rules, e.g. 'result.total_ms > 50.0'
  --from T, --to T only results between; T is a time such as 2026-11-25T10:32:07Z, or how long ago, such as 15m
  -o table|json    how it is told (default table)

Every setting can also be given as an environment variable: EDGE_ and its path in upper snake case,
for example EDGE_CONTROL_LISTEN=127.0.0.1:5443.

SIGTERM and SIGINT end it in order. SIGHUP makes it read its key file again; without a key file it ends it too.

Exit codes: 0 ended as asked, 64 wrong usage, 69 cannot serve here (port, lock, disk, memory), 70 a bug, 78 wrong configuration.
`

/**
 * Read the command line, and the configuration file that it names.
 * @throws EdgeError `USAGE`, or `CONFIG_UNREADABLE` when the named file cannot be read.
 */
export function readCommandLine(args: readonly string[], env: ConfigSources['env']): Request {
  const [first, ...rest] = args
  // Whoever asks how a command is used has no use for being told that it cannot be used so.
  if (first !== undefined && COMMANDS.has(first) && rest.includes('--help')) return { kind: 'help' }
  if (first === 'keys') return readKeysCommand(rest)
  if (first === 'join') return identityRequest(readJoinCommand(rest, env), env)
  if (first === 'identity') return identityRequest(readIdentityCommand(rest), env)
  if (first === 'rules') {
    const { test, config, stateDir } = readRulesCommand(rest, Date.now())
    return { kind: 'rules-test', test, sources: sourcesOf(config, stateDir, env) }
  }
  const options = parse(args)
  if (options.help) return { kind: 'help' }
  if (options.version) return { kind: 'version' }
  const sources = sourcesOf(options.config, options['state-dir'], env)
  return { kind: options['print-config'] ? 'print-config' : 'serve', sources }
}

function identityRequest({ task, config, stateDir }: IdentityRequest, env: ConfigSources['env']): Request {
  return { kind: 'identity', task, sources: sourcesOf(config, stateDir, env) }
}

function sourcesOf(config: string | undefined, stateDir: string | undefined, env: ConfigSources['env']): ConfigSources {
  const flags = stateDir === undefined ? {} : { 'state.dir': { flag: '--state-dir', value: stateDir } }
  return { file: readFile(config), env, flags }
}

/** The configuration in force as YAML-like lines with the origin of each value. */
export function formatConfig(entries: readonly ConfigEntry[]): string {
  const longest = Math.max(...entries.map((entry) => entry.path.length + entry.value.length)) + 4
  // A list of rules is longer than a line; it does not push the others out of sight.
  const width = Math.min(longest, MAX_ALIGNED_CHARS)
  return entries
    .map(
      (entry) =>
        `${`${entry.path}: ${entry.value}`.padEnd(width)}# ${entry.origin}; ${entry.variable}; ${entry.about}\n`,
    )
    .join('')
}

function readKeysCommand([verb, ...args]: readonly string[]): Request {
  const cure = { next: ['write edge-daemon keys new --key-file F'] }
  if (verb !== 'new') throw new EdgeError('USAGE', { message: `keys has no command "${verb ?? ''}"`, ...cure })
  try {
    const { values } = parseArgs({ args, options: { 'key-file': { type: 'string' } } })
    const keyFile = values['key-file']
    if (keyFile !== undefined && keyFile !== '') return { kind: 'new-key', keyFile }
  } catch (cause) {
    throw new EdgeError('USAGE', { message: messageOf(cause), ...cure, cause })
  }
  throw new EdgeError('USAGE', { message: 'keys new needs the file to add the key to', ...cure })
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        config: { type: 'string' },
        'state-dir': { type: 'string' },
        'print-config': { type: 'boolean', default: false },
        version: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (cause) {
    throw new EdgeError('USAGE', { message: messageOf(cause), next: ['see edge-daemon --help'], cause })
  }
}

function readFile(named: string | undefined): ConfigSources['file'] {
  const name = named ?? DEFAULT_CONFIG_FILE
  try {
    return { name, text: readFileSync(name, 'utf8') }
  } catch (cause) {
    if (named === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new EdgeError('CONFIG_UNREADABLE', {
      message: `${name} cannot be read: ${messageOf(cause)}`,
      next: ['check the path and its permissions'],
      cause,
    })
  }
}
