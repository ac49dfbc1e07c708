import { EdgeError } from '../protocol/errors.ts'
import { type DocumentFault, describeFault, nearest, type ParsedDocument, parseYaml } from './document.ts'
import type { FaultPlace, Kind } from './kinds.ts'

/** One setting of a program: how it is read, what it is when nobody says, and what it means. */
export interface Setting<T> {
  readonly kind: Kind<T>
  readonly preset: T
  readonly about: string
}

/** A setting whose default is of its kind. */
export function setting<T>(kind: Kind<T>, preset: NoInfer<T>, about: string): Setting<T> {
  return { kind, preset, about }
}

/** What a table of settings reads to: durations in ms, sizes in bytes. */
export type Values<T> = T extends Setting<infer V> ? V : { readonly [K in keyof T]: Values<T[K]> }

/** Where a value in force came from: `default`, `file:12`, `env EDGE_NODE_NAME` or `--state-dir`. */
export type Origin = string

/** One line of `--print-config`. */
export interface ConfigEntry {
  /** Dotted path, e.g. `inference.listen`. */
  readonly path: string
  readonly value: string
  readonly origin: Origin
  readonly variable: string
  readonly about: string
}

/** What configuration is read from; nothing here does I/O. */
export interface ConfigSources {
  /** The file's text and the name to blame; null without a file. */
  readonly file: { readonly name: string; readonly text: string } | null
  readonly env: Readonly<Record<string, string | undefined>>
  /** Values given on the command line, by dotted path. */
  readonly flags: Readonly<Record<string, { readonly flag: string; readonly value: string }>>
}

/** A table of settings, and what is said of it in messages. */
export interface SettingsTable<T extends object> {
  /** A path in it is the key in the file. */
  readonly settings: T
  /** What the names of its environment variables begin with, e.g. `EDGE_`. */
  readonly variablePrefix: string
  /** What to do about a fault, e.g. `edge-daemon --print-config shows every key`. */
  readonly cure: string
}

/** The configuration in force and where each value is from. */
export interface LoadedTable<T> {
  readonly config: Values<T>
  readonly entries: readonly ConfigEntry[]
  /** Variables that look like ours and are not; only a warning, since Kubernetes injects some of that shape. */
  readonly warnings: readonly string[]
}

/** Every setting with its dotted path, in the order of the table. */
export function pathsOf(settings: object): { path: string; setting: Setting<unknown> }[] {
  return walk(settings, [])
}

/** Environment variable of a key: `control.listen` → `EDGE_CONTROL_LISTEN`, `inference.bodyLimit` → `EDGE_INFERENCE_BODY_LIMIT`. */
export function variableOf(path: string, prefix: string): string {
  return (
    prefix +
    path
      .replace(/([a-z])([A-Z])/g, '$1_$2')
      .replaceAll('.', '_')
      .toUpperCase()
  )
}

/**
 * Merge defaults, file, environment and command line, later ones winning.
 * @throws EdgeError `CONFIG_INVALID` that lists every fault with its line and what to write instead.
 */
export function loadTable<T extends object>(table: SettingsTable<T>, sources: ConfigSources): LoadedTable<T> {
  const faults: string[] = []
  const fileName = sources.file?.name ?? 'configuration'
  const blame = (fault: DocumentFault): number => faults.push(describeFault(fileName, fault))
  const invalid = (): EdgeError =>
    new EdgeError('CONFIG_INVALID', {
      message: faults.join('\n'),
      next: [`correct the lines named above; ${table.cure}`],
    })
  const parsed = parseYaml(sources.file?.text ?? '')
  if (!parsed.ok) {
    parsed.faults.forEach(blame)
    throw invalid()
  }
  const { value: tree, lineOf } = parsed.value
  const paths = pathsOf(table.settings)
  for (const path of unknownKeys(tree, table.settings, [])) {
    const suggestion = nearest(
      path.join('.'),
      paths.map((entry) => entry.path),
    )
    const cure = suggestion === null ? 'see docs/settings.md for the keys there are' : `did you mean "${suggestion}"?`
    blame({ line: lineOf(path), path: path.join('.'), message: `unknown key; ${cure}` })
  }

  const config = {}
  const entries = paths.map(({ path, setting }) => {
    const steps = path.split('.')
    const variable = variableOf(path, table.variablePrefix)
    let value = setting.preset
    let origin: Origin = 'default'
    const take = (raw: unknown, from: Origin, onWrong: (message: string, at?: FaultPlace) => void): void => {
      const read = setting.kind.read(raw)
      if (read.ok) {
        value = read.value
        origin = from
      } else {
        onWrong(read.message, read.at)
      }
    }
    const fromFile = pick(tree, steps)
    if (fromFile !== undefined) {
      const line = lineOf(steps)
      take(fromFile, `${fileName}:${line ?? '?'}`, (message, at) => {
        blame(at === undefined ? { line, path, message } : faultIn(parsed.value, steps, { message, at }))
      })
    }
    const fromEnv = sources.env[variable]
    if (fromEnv !== undefined) {
      take(fromEnv, `env ${variable}`, (message, at) => faults.push(`${variable}: ${message}${placeText(at)}`))
    }
    const fromFlag = sources.flags[path]
    if (fromFlag !== undefined)
      take(fromFlag.value, fromFlag.flag, (message) => faults.push(`${fromFlag.flag}: ${message}`))
    place(config, steps, value)
    return { path, value: setting.kind.show(value), origin, variable, about: setting.about }
  })
  if (faults.length > 0) throw invalid()
  return { config: config as Values<T>, entries, warnings: unknownVariables(table, sources.env) }
}

/** A fault in a part of a value, at its line and, where the file says the text as it is, its column. */
function faultIn(
  document: ParsedDocument,
  steps: readonly string[],
  { message, at }: { message: string; at: FaultPlace },
): DocumentFault {
  const path = [...steps, ...at.path]
  const place = document.placeIn(path, at.offset)
  return {
    line: place?.line ?? document.lineOf(path),
    ...(place === null ? {} : { column: place.column }),
    path: path.join('.'),
    message: place !== null || at.offset === 0 ? message : `${message} (character ${at.offset + 1})`,
  }
}

/** Where in a variable a fault is, which has no lines. */
function placeText(at: FaultPlace | undefined): string {
  return at === undefined ? '' : ` (character ${at.offset + 1} of ${at.path.join('.')})`
}

function isSetting(value: object): value is Setting<unknown> {
  return 'kind' in value && 'preset' in value
}

function walk(branch: object, path: readonly string[]): { path: string; setting: Setting<unknown> }[] {
  return Object.entries(branch).flatMap(([key, child]: [string, object]) => {
    const here = [...path, key]
    return isSetting(child) ? [{ path: here.join('.'), setting: child }] : walk(child, here)
  })
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unknownKeys(tree: unknown, known: object, path: readonly string[]): string[][] {
  if (!isMapping(tree)) return path.length === 0 && tree !== undefined ? [[String(tree).slice(0, 40)]] : [[...path]]
  return Object.entries(tree).flatMap(([key, value]) => {
    const here = [...path, key]
    const child: object | undefined = Object.hasOwn(known, key) ? (known as Record<string, object>)[key] : undefined
    if (child === undefined) return [here]
    return isSetting(child) || value === null ? [] : unknownKeys(value, child, here)
  })
}

function unknownVariables({ settings, variablePrefix }: SettingsTable<object>, env: ConfigSources['env']): string[] {
  const known = new Set(pathsOf(settings).map((entry) => variableOf(entry.path, variablePrefix)))
  return Object.keys(env)
    .filter((name) => name.startsWith(variablePrefix) && !known.has(name))
    .map((name) => {
      const suggestion = nearest(name, known)
      return `${name}: unknown variable; ${suggestion === null ? 'unset it' : `did you mean ${suggestion}?`}`
    })
}

function pick(tree: unknown, steps: readonly string[]): unknown {
  let here = tree
  for (const step of steps) {
    if (!isMapping(here)) return undefined
    here = here[step]
  }
  return here
}

function place(target: Record<string, unknown>, steps: readonly string[], value: unknown): void {
  let here = target
  for (const step of steps.slice(0, -1)) {
    here[step] ??= {}
    here = here[step] as Record<string, unknown>
  }
  here[steps.at(-1) as string] = value
}
