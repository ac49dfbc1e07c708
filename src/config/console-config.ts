import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { LOG_LEVELS, type LogLevel } from '../../protocol/records.ts'
import { type DocumentFault, describeFault, nearest, readDocument } from '../../settings/document.ts'
import { type CloudAddress, DEFAULT_STREAM, readCloud } from './cloud-address.ts'
import { type NodeAddress, readAddress } from './node-address.ts'

/** What a console's configuration file says; what it leaves out has its default. */
export interface ConsoleConfig {
  readonly nodes: readonly NodeAddress[]
  /** Where the fleet's records are held, a region each. */
  readonly clouds: readonly CloudAddress[]
  /** Name of a theme that comes with the console, or the path of a theme file. */
  readonly theme: string
  /** Draw with ASCII only; null = as the terminal can. */
  readonly ascii: boolean | null
  /** The lowest level of log lines that are followed at start. */
  readonly logLevel: LogLevel
}

const node = z.strictObject({ name: z.string(), url: z.string() }).transform((value, context): NodeAddress => {
  const read = readAddress(value.name, value.url)
  if (typeof read !== 'string') return read
  context.addIssue({ code: 'custom', message: read, path: [read.startsWith('the name') ? 'name' : 'url'] })
  return z.NEVER
})

const cloud = z
  .strictObject({ name: z.string(), servers: z.array(z.string()), stream: z.string().default(DEFAULT_STREAM) })
  .transform((value, context): CloudAddress => {
    const read = readCloud(value)
    if (typeof read !== 'string') return read
    context.addIssue({ code: 'custom', message: read, path: [/^the (name|stream)/.exec(read)?.[1] ?? 'servers'] })
    return z.NEVER
  })

const schema = z.strictObject({
  nodes: z
    .array(node, { error: 'expected a list of nodes, each "- name: NAME" with "url: ws://host:5443/live"' })
    .default([])
    .superRefine((nodes, context) => {
      nodes.forEach(({ key }, index) => {
        if (nodes.findIndex((other) => other.key === key) === index) return
        context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${key}" is listed twice; rename one` })
      })
    }),
  clouds: z
    .array(cloud, { error: 'expected a list of regions, each "- name: NAME" with "servers: [nats://host:4222]"' })
    .default([])
    .superRefine((clouds, context) => {
      clouds.forEach(({ name }, index) => {
        if (clouds.findIndex((other) => other.name === name) === index) return
        context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${name}" is listed twice; rename one` })
      })
    }),
  theme: z.string().min(1).default('dark'),
  ascii: z.boolean({ error: 'expected true or false' }).nullable().default(null),
  logLevel: z.enum(LOG_LEVELS, { error: `expected one of ${LOG_LEVELS.join(', ')}` }).default('info'),
})
const KEYS = Object.keys(schema.shape)
const NODE_KEYS = ['name', 'url'] as const
const CLOUD_KEYS = ['name', 'servers', 'stream'] as const

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

function withHint(fault: DocumentFault): DocumentFault {
  if (!fault.message.startsWith('unknown key')) return fault
  const known = fault.path.startsWith('clouds.') ? CLOUD_KEYS : fault.path.includes('.') ? NODE_KEYS : KEYS
  const near = nearest(fault.path.split('.').at(-1) ?? '', known)
  const cure = near === null ? `the keys are ${known.join(', ')}` : `did you mean "${near}"?`
  return { ...fault, message: `unknown key; ${cure}` }
}
