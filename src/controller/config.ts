import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { LOG_LEVELS } from '../../protocol/records.ts'
import { address, duration, number, oneOf, optional, optionalText, text, textList } from '../../settings/kinds.ts'
import { type ConfigEntry, loadTable, setting, type Values, variableOf } from '../../settings/table.ts'

/** Configuration that is read when no `--config` is given. */
export const DEFAULT_CONTROLLER_FILE = '/etc/edgedeck/controller.yaml'

/** What the names of its environment variables begin with. */
export const CONTROLLER_PREFIX = 'EDGECTL_'

/** Every setting of the controller and its default, the one place where they stand. A path is the key in the file. */
export const CONTROLLER_SETTINGS = {
  name: setting(text({ maxChars: 64 }), 'controller', 'Name of this controller in its certificate.'),
  listen: setting(address(), { host: '0.0.0.0', port: 5444 }, 'Where nodes and operators come to, by TLS 1.3.'),
  publicUrl: setting(
    optionalText(),
    null,
    'Address that nodes and operators reach it by, e.g. https://controller.example:5444; it stands in join tokens.',
  ),
  hosts: setting(textList(), [], "Further host names and IP addresses for the controller's certificate."),
  sites: setting(textList(), [], 'Sites that nodes may join; empty for all.'),
  pki: {
    dir: setting(optionalText(), null, 'Folder that `edgedeck pki init` made, without the key of the root.'),
    passphraseFile: setting(
      optionalText(),
      null,
      'File with the passphrase of the issuing key; null for the systemd credential edgedeck-passphrase.',
    ),
  },
  state: {
    dir: setting(text(), '/var/lib/edgedeck-controller', 'Folder of join tokens, names and its own key.'),
  },
  operators: {
    file: setting(optionalText(), null, 'File of operators who may log in; null for nobody.'),
  },
  nats: {
    issuer: setting(
      optionalText(),
      null,
      'File with signing keys for users of NATS that `edgedeck nats setup --out` made; null to give out no credentials.',
    ),
  },
  rollouts: {
    servers: setting(
      textList(),
      [],
      "Servers of the fleet's bus, e.g. tls://hub.example:4222: rollouts that nobody drives are driven then; empty to drive none.",
    ),
    credentials: setting(
      optionalText(),
      null,
      'File with credentials of the bus that `edgedeck nats user controller NAME` made.',
    ),
  },
  metrics: {
    listen: setting(
      optional(address()),
      null,
      'A further plain listener for /metrics, /healthz and /readyz, on loopback only; none for no such.',
    ),
  },
  limits: {
    connections: setting(number({ min: 16, max: 100_000, integer: true }), 4000, 'Connections at the same time.'),
    connectionsPerAddress: setting(
      number({ min: 4, max: 100_000, integer: true }),
      500,
      'Connections from one address at the same time.',
    ),
    perAddressPerSec: setting(
      number({ min: 1, max: 10_000 }),
      20,
      'Connections and requests from one address each second.',
    ),
    burst: setting(number({ min: 10, max: 100_000, integer: true }), 600, 'How many of them may come at once.'),
    refusalsPerMin: setting(
      number({ min: 1, max: 10_000 }),
      30,
      'Refused joins, renewals and logins from one address each minute; then it is answered 429.',
    ),
    headTimeout: setting(
      duration({ minMs: 500, maxMs: 60_000 }),
      10_000,
      'Longest that a handshake, the head of a request or its body may take.',
    ),
  },
  log: {
    level: setting(oneOf(...LOG_LEVELS), 'info', 'Least severe level that is logged.'),
  },
} as const

const REQUIRED = ['publicUrl', 'pki.dir'] as const

/** The configuration of a controller in force; what must be there is. */
export type ControllerConfig = Omit<Values<typeof CONTROLLER_SETTINGS>, 'publicUrl' | 'pki'> & {
  readonly publicUrl: string
  readonly pki: { readonly dir: string; readonly passphraseFile: string | null }
}

/** A configuration with where each value is from, and warnings. */
export interface LoadedController {
  readonly config: ControllerConfig
  readonly entries: readonly ConfigEntry[]
  readonly warnings: readonly string[]
}

/** Environment variable of a key: `state.dir` → `EDGECTL_STATE_DIR`. */
export function controllerVariableOf(path: string): string {
  return variableOf(path, CONTROLLER_PREFIX)
}

/**
 * Read a controller's configuration.
 * @throws EdgeError `CONFIG_UNREADABLE`, `CONFIG_INVALID` with every fault and its line, or `CONFIG_UNSERVABLE` when what
 * must be said is not.
 */
export function loadController(file: string, env: Readonly<Record<string, string | undefined>> = {}): LoadedController {
  let yaml: string
  try {
    yaml = readFileSync(file, 'utf8')
  } catch (cause) {
    const next = ['name the configuration with --config, or let it be readable']
    throw new EdgeError('CONFIG_UNREADABLE', { message: `${file} cannot be read: ${messageOf(cause)}`, next, cause })
  }
  return readController(file, yaml, env)
}

/** {@link loadController} of a text. */
export function readController(
  file: string,
  yaml: string,
  env: Readonly<Record<string, string | undefined>> = {},
): LoadedController {
  const table = {
    settings: CONTROLLER_SETTINGS,
    variablePrefix: CONTROLLER_PREFIX,
    cure: 'docs/settings.md names the keys',
  }
  const { config, entries, warnings } = loadTable(table, { file: { name: file, text: yaml }, env, flags: {} })
  const missing = REQUIRED.filter((path) => entries.find((entry) => entry.path === path)?.value === 'null')
  if (missing.length > 0) throw unservable(`${file}: ${missing.join(' and ')} must be set`, 'see docs/settings.md')
  const { publicUrl, pki, metrics } = config
  const url = publicUrl === null ? null : URL.parse(publicUrl)
  if (url === null || pki.dir === null || !/^https:\/\/[^/?#@\s]+\/?$/.test(publicUrl ?? '')) {
    throw unservable(`${file}: publicUrl is no such address`, 'write it like https://controller.example:5444')
  }
  if (metrics.listen !== null && !isLoopback(metrics.listen.host)) {
    const msg = `${file}: metrics.listen is plain and so only for loopback; elsewhere /metrics is on the TLS listener`
    throw unservable(msg, 'write 127.0.0.1:PORT, or leave it out')
  }
  const { passphraseFile } = pki
  return { config: { ...config, publicUrl: url.origin, pki: { dir: pki.dir, passphraseFile } }, entries, warnings }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function unservable(message: string, next: string): EdgeError {
  return new EdgeError('CONFIG_UNSERVABLE', { message, next: [next] })
}
