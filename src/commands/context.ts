import { existsSync } from 'node:fs'
import { fingerprintOf } from '../../identity/fingerprint.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import { untrusted } from '../../protocol/untrusted-text.ts'
import { chooseContext, parseConsoleConfig } from '../config/console-config.ts'
import { DEFAULT_CONTEXT, type NamedContext } from '../config/context.ts'
import { withCurrent, withoutContext } from '../config/edit-contexts.ts'
import { IdentityFolder } from '../identity/identity-source.ts'
import { heldTrust } from '../pki/fleet-trust.ts'
import { formatAge } from '../ui/format.ts'
import { changeConfig, readConfigText } from './config-file.ts'
import { type CommandIo, type OutputFormat, type PrintedColumn, printJson, printTable } from './output.ts'

/** What is to be done about the contexts of a configuration, besides adding one. */
export type ContextTask =
  | { readonly what: 'list'; readonly format: OutputFormat }
  /** Null for the current one. */
  | { readonly what: 'show'; readonly name: string | null; readonly format: OutputFormat }
  | { readonly what: 'use'; readonly name: string }
  | { readonly what: 'remove'; readonly name: string }

/** What surrounds it. */
export interface ContextPlace {
  readonly configFile: string
  /** Folder of the identity of a context. */
  readonly identityDir: (context: string) => string
  /** Unix ms. */
  readonly nowMs: number
}

/** A context as it is printed; stable names for `-o json`. */
interface Row {
  readonly name: string
  readonly current: boolean
  readonly production: boolean
  readonly insecure: boolean
  readonly nodes: readonly { readonly name: string; readonly site: string | null; readonly url: string | null }[]
  readonly nats: readonly string[]
  readonly clouds: readonly { readonly name: string; readonly servers: readonly string[] }[]
  readonly controller: string | null
  readonly identity: {
    readonly name: string
    readonly fleet: string
    readonly role: string
    readonly until: string
  } | null
  /** Why there is no identity; null when there is one. */
  readonly reason: string | null
  /** SHA-256 of the roots that are believed. */
  readonly pins: readonly string[]
  readonly identityDir: string
}

/** List, show, choose or take out contexts. @throws EdgeError */
export function runContext(task: ContextTask, place: ContextPlace, io: CommandIo): void {
  const { configFile } = place
  const config = parseConsoleConfig(readConfigText(configFile), configFile)
  const rowOf = (name: string): Row => rowFor(chooseContext(config, name), config.context === name, place)
  switch (task.what) {
    case 'list': {
      const names = Object.keys(config.contexts)
      const top = chooseContext(config, DEFAULT_CONTEXT)
      const isUsed =
        names.length === 0 || config.context === DEFAULT_CONTEXT || top.nodes.length > 0 || top.nats !== null
      const rows = [...(isUsed ? [DEFAULT_CONTEXT] : []), ...names].map(rowOf)
      io.stdout.write(task.format === 'table' ? printTable(columns(place.nowMs), rows) : printJson(rows, task.format))
      return
    }
    case 'show': {
      const row = rowOf(task.name ?? config.context)
      io.stdout.write(task.format === 'table' ? asText(row, place.nowMs) : printJson([row], task.format))
      return
    }
    case 'use':
      changeConfig(configFile, (text) => withCurrent(text, task.name, configFile))
      io.stdout.write(`${task.name} is the current context of ${configFile}\n`)
      return
    case 'remove': {
      changeConfig(configFile, (text) => withoutContext(text, task.name, configFile))
      const dir = place.identityDir(task.name)
      io.stdout.write(`${task.name} was taken out of ${configFile}\n`)
      if (existsSync(dir)) io.stderr.write(`edgedeck: its identity stays in ${dir}\n`)
      return
    }
  }
}

function rowFor(context: NamedContext, current: boolean, place: ContextPlace): Row {
  const { name, production, insecure, nodes, nats, clouds, controller } = context
  const identityDir = place.identityDir(name)
  const state = new IdentityFolder(identityDir).current()
  return {
    name,
    current,
    production,
    insecure,
    nodes: nodes.map(({ key, site, url }) => ({ name: key, site: site ?? null, url })),
    nats: nats?.servers ?? [],
    clouds: clouds.map((cloud) => ({ name: cloud.name, servers: cloud.servers })),
    controller,
    identity:
      state.kind === 'none'
        ? null
        : {
            name: state.identity.name,
            fleet: state.identity.fleet,
            role: state.identity.rights.role,
            until: new Date(state.identity.untilMs).toISOString(),
          },
    reason: state.kind === 'none' ? state.reason : null,
    pins: pinsIn(identityDir),
    identityDir,
  }
}

function pinsIn(dir: string): readonly string[] {
  try {
    return heldTrust(dir)?.roots.map(fingerprintOf) ?? []
  } catch (error) {
    if (!(error instanceof EdgeError)) throw new Error(messageOf(error), { cause: error })
    return []
  }
}

function columns(nowMs: number): readonly PrintedColumn<Row>[] {
  return [
    { title: '', text: ({ current }) => (current ? '*' : '') },
    { title: 'NAME', text: ({ name }) => name },
    { title: 'FLEET', text: ({ identity }) => untrusted(identity?.fleet ?? '') },
    { title: 'NODES', text: waysOf },
    {
      title: 'YOU',
      text: ({ identity }) => (identity === null ? 'nobody' : untrusted(`${identity.name}, ${identity.role}`)),
    },
    { title: 'LEFT', align: 'right', text: ({ identity }) => (identity === null ? '' : left(identity.until, nowMs)) },
    { title: 'NOTE', text: (row) => noteOf(row) },
  ]
}

function waysOf({ nodes, nats }: Row): string {
  const ways = [nodes.length > 0 ? `${nodes.length} listed` : '', nats.length > 0 ? 'bus' : ''].filter(
    (way) => way !== '',
  )
  return ways.join(' + ') || 'none'
}

function noteOf({ production, insecure }: Row): string {
  return [production ? 'PRODUCTION' : '', insecure ? 'insecure' : ''].filter((word) => word !== '').join(', ')
}

function left(until: string, nowMs: number): string {
  const ms = Date.parse(until) - nowMs
  return ms <= 0 ? 'ended' : formatAge(ms)
}

function asText(row: Row, nowMs: number): string {
  const { identity, reason, pins, nats, clouds, nodes, controller } = row
  const note = noteOf(row)
  const lines: [string, string][] = [
    ['context', `${row.name}${row.current ? ' (current)' : ''}${note === '' ? '' : `  ${note}`}`],
    ['controller', controller ?? 'none'],
    ['nats', nats.join(', ') || 'none'],
    ...clouds.map(({ name, servers }): [string, string] => ['region', `${name}: ${servers.join(', ')}`]),
    ...nodes.map(({ name, site, url }): [string, string] => [
      'node',
      `${site === null ? name : `${site}/${name}`}: ${url ?? 'through the bus'}`,
    ]),
    [
      'you',
      identity === null
        ? (reason ?? 'nobody')
        : `${identity.name} of ${identity.fleet}, ${identity.role}, ${left(identity.until, nowMs)} left`,
    ],
    ...pins.map((pin): [string, string] => ['root', `SHA-256 ${pin}`]),
    ['identity', row.identityDir],
  ]
  return lines.map(([what, text]) => `${what.padEnd(11)}${untrusted(text)}\n`).join('')
}
