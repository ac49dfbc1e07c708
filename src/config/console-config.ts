import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { LOG_LEVELS, type LogLevel } from '../../protocol/records.ts'
import { type DocumentFault, describeFault, nearest, readDocument } from '../../settings/document.ts'
import { CONTEXT_SHAPE, DEFAULT_CONTEXT, type FleetContext, type NamedContext, refuseExposed } from './context.ts'
import { KUBE_KEYS } from './kube-access.ts'
import { RECORD_KEYS, type RecordSettings, recordSettings } from './record-settings.ts'
import { SSH_KEYS } from './ssh-access.ts'

/** What a console's configuration file says; what it leaves out has its default. Its own keys are the context `default`. */
export interface ConsoleConfig extends FleetContext {
  /** The context that is looked at when nobody says which. */
  readonly context: string
  /** Further fleets by name. */
  readonly contexts: Readonly<Record<string, FleetContext>>
  /** Name of a theme that comes with the console, or the path of a theme file. */
  readonly theme: string
  /** Draw with ASCII only; null = as the terminal can. */
  readonly ascii: boolean | null
  /** The lowest level of log lines that are followed at start. */
  readonly logLevel: LogLevel
  /** How sessions on nodes are recorded. */
  readonly record: RecordSettings
}

/** A context's name is the name of a folder too. */
const CONTEXT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

const contexts = z
  .record(z.string(), z.strictObject(CONTEXT_SHAPE).superRefine(refuseExposed), {
    error: 'expected contexts by name, each with nodes, clouds, nats, controller, ssh, kube, production, insecure',
  })
  .superRefine((named, { addIssue }) => {
    for (const name of Object.keys(named)) {
      const message =
        name === DEFAULT_CONTEXT
          ? `"${name}" is what stands at the top of the file; choose another name`
          : CONTEXT_NAME.test(name)
            ? null
            : 'a context is named by letters, digits, ".", "_" and "-"'
      if (message !== null) addIssue({ code: 'custom', path: [name], message })
    }
  })

const schema = z
  .strictObject({
    ...CONTEXT_SHAPE,
    context: z.string().default(DEFAULT_CONTEXT),
    contexts: contexts.default({}),
    theme: z.string().min(1).default('dark'),
    ascii: z.boolean({ error: 'expected true or false' }).nullable().default(null),
    logLevel: z.enum(LOG_LEVELS, { error: `expected one of ${LOG_LEVELS.join(', ')}` }).default('info'),
    record: recordSettings,
  })
  .superRefine(refuseExposed)
  .superRefine(({ context, contexts }, { addIssue }) => {
    const names = [DEFAULT_CONTEXT, ...Object.keys(contexts)]
    if (!names.includes(context)) {
      addIssue({ code: 'custom', path: ['context'], message: `there is no such context; they are ${names.join(', ')}` })
    }
  })

const NODE_KEYS = ['name', 'url', 'site', 'ssh', 'kubeNode'] as const
const CLOUD_KEYS = ['name', 'servers', 'stream'] as const
const NATS_KEYS = ['servers', 'credentials', 'ca'] as const
const SECTION_KEYS: Readonly<Record<string, readonly string[]>> = {
  nodes: NODE_KEYS,
  clouds: CLOUD_KEYS,
  nats: NATS_KEYS,
  ssh: SSH_KEYS,
  kube: KUBE_KEYS,
  record: RECORD_KEYS,
}

/**
 * Read a configuration from YAML text; `file` is for messages.
 * @throws EdgeError `CONFIG_INVALID` with every fault, its line and what to write instead.
 */
export function parseConsoleConfig(text: string, file: string): ConsoleConfig {
  const read = readDocument(text, schema as z.ZodType<ConsoleConfig>)
  if (read.ok) return read.value
  throw new EdgeError('CONFIG_INVALID', {
    message: read.faults.map((fault) => describeFault(file, withHint(fault))).join('\n'),
    next: ['correct the lines named above'],
  })
}

/**
 * Load a configuration file. The default one may be absent; one that was asked for may not.
 * @throws EdgeError `CONFIG_UNREADABLE` or `CONFIG_INVALID`
 */
export function loadConsoleConfig(file: string, asked: boolean): ConsoleConfig {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (!absent || asked) {
      throw new EdgeError('CONFIG_UNREADABLE', {
        message: `${file}: ${absent ? 'there is no such file' : messageOf(error)}`,
        next: [asked ? 'correct the path after --config' : 'let it be readable, or name another file with --config'],
        cause: error,
      })
    }
  }
  return parseConsoleConfig(text, file)
}

/**
 * The context to look at: the one that was asked for, else the one that the file says.
 * @throws EdgeError `USAGE` for a name that is not in the file.
 */
export function chooseContext(config: ConsoleConfig, asked: string | null): NamedContext {
  const name = asked ?? config.context
  if (name === DEFAULT_CONTEXT) {
    const { nodes, clouds, nats, controller, ssh, kube, production, insecure } = config
    return { name, nodes, clouds, nats, controller, ssh, kube, production, insecure }
  }
  const found = Object.hasOwn(config.contexts, name) ? config.contexts[name] : undefined
  if (found !== undefined) return { name, ...found }
  const names = [DEFAULT_CONTEXT, ...Object.keys(config.contexts)]
  throw new EdgeError('USAGE', {
    message: `there is no context "${name}"`,
    next: [`the contexts are ${names.join(', ')}`, 'list another under "contexts:" in the configuration'],
  })
}

function withHint(fault: DocumentFault): DocumentFault {
  if (!fault.message.startsWith('unknown key')) return fault
  const path = fault.path.split('.')
  const known = keysBeside(path)
  const near = nearest(path.at(-1) ?? '', known)
  const cure = near === null ? `the keys are ${known.join(', ')}` : `did you mean "${near}"?`
  return { ...fault, message: `unknown key; ${cure}` }
}

/** The keys that may stand where a path ends. */
function keysBeside(path: readonly string[]): readonly string[] {
  const inContext = path[0] === 'contexts'
  const [section, ...rest] = inContext ? path.slice(2) : path
  if (rest.length === 0) return inContext ? Object.keys(CONTEXT_SHAPE) : Object.keys(schema.shape)
  return SECTION_KEYS[section ?? ''] ?? NODE_KEYS
}
