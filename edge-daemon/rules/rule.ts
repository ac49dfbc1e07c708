import { type Kind, type Read, showDuration } from '../../settings/kinds.ts'
import { parseDurationMs } from '../../settings/units.ts'
import { compileExpression, type Expression, type Variables } from './expression.ts'

/** A rule as a person wrote it: a name and a CEL condition, and how long it must hold where that matters. */
export interface RuleSpec {
  readonly name: string
  readonly when: string
  /** Milliseconds, 0 where nobody said. */
  readonly forMs: number
}

/** A rule ready to be asked. */
export interface Rule extends RuleSpec {
  readonly expression: Expression
}

/** Most rules of a kind. */
const MAX_RULES = 64
const NAME = /^[a-z][a-z0-9_]{0,63}$/
const MAX_FOR_MS = 86_400_000

/** What rules of a kind are about. */
export interface RuleKindOptions {
  readonly variables: Variables
  /** Names that mean something else in a record. */
  readonly reserved: readonly string[]
  /** Whether a rule may say `for`. */
  readonly holds: boolean
}

/**
 * How a list of rules is read: from YAML, or as JSON from a variable. Expressions are compiled here, so that a wrong one is
 * found with the other faults of a file, at its place.
 */
export function ruleList(options: RuleKindOptions): Kind<readonly RuleSpec[]> {
  return { read: (raw) => readRules(raw, options), show: (rules) => JSON.stringify(rules.map(shown)) }
}

/** Compile rules that were read before. */
export function compileRules(specs: readonly RuleSpec[], variables: Variables): Rule[] {
  return specs.map((spec) => {
    const compiled = compileExpression(spec.when, variables)
    if (!compiled.ok) throw new Error(`rule ${spec.name} was read and cannot be compiled: ${compiled.message}`)
    return { ...spec, expression: compiled.expression }
  })
}

/** The source with a mark under where it is wrong, for places that have no line and column of a file. */
export function excerpt(source: string, offset: number): string {
  const from = source.lastIndexOf('\n', offset - 1) + 1
  const [line = ''] = source.slice(from).split('\n', 1)
  return `${line}\n${' '.repeat(Math.min(offset - from, line.length))}^`
}

function readRules(raw: unknown, options: RuleKindOptions): Read<readonly RuleSpec[]> {
  const list = typeof raw === 'string' ? parsedJson(raw) : raw
  const form = `a list of rules such as [{name: slow, when: "…"${options.holds ? ', for: 30s' : ''}}]`
  if (!Array.isArray(list)) return { ok: false, message: `expected ${form}` }
  if (list.length > MAX_RULES) return { ok: false, message: `expected at most ${MAX_RULES} rules` }
  const rules: RuleSpec[] = []
  for (const [index, item] of list.entries()) {
    const read = readRule(item, options)
    if (!read.ok) {
      const { message, key, offset = 0 } = read
      return { ok: false, message, at: { path: key === null ? [index] : [index, key], offset } }
    }
    if (rules.some(({ name }) => name === read.rule.name)) {
      const message = `there are two rules ${read.rule.name}; give one another name`
      return { ok: false, message, at: { path: [index, 'name'], offset: 0 } }
    }
    rules.push(read.rule)
  }
  return { ok: true, value: rules }
}

type RuleRead =
  | { readonly ok: true; readonly rule: RuleSpec }
  | { readonly ok: false; readonly message: string; readonly key: string | null; readonly offset?: number }

function readRule(item: unknown, { variables, reserved, holds }: RuleKindOptions): RuleRead {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return { ok: false, message: 'expected a rule such as {name: slow, when: "…"}', key: null }
  }
  const { name, when, for: lasting, ...rest } = item as Record<string, unknown>
  const [unknown] = holds ? Object.keys(rest) : Object.keys(lasting === undefined ? rest : { for: lasting, ...rest })
  if (unknown !== undefined) return { ok: false, message: 'unknown key of a rule; remove it', key: unknown }
  if (typeof name !== 'string' || !NAME.test(name)) {
    const message = 'expected a name of up to 64 letters a–z, digits and _, such as slow_model'
    return { ok: false, message, key: name === undefined ? null : 'name' }
  }
  if (reserved.includes(name)) return { ok: false, message: `${name} is taken; choose another name`, key: 'name' }
  if (typeof when !== 'string' || when.trim() === '') {
    const message = `rule ${name} needs a condition: when: "…"`
    return { ok: false, message, key: when === undefined ? null : 'when' }
  }
  const forMs = lasting === undefined ? 0 : typeof lasting === 'string' ? parseDurationMs(lasting) : null
  if (forMs === null || forMs > MAX_FOR_MS) {
    return { ok: false, message: 'expected a duration of at most a day with its unit, such as "30s"', key: 'for' }
  }
  const compiled = compileExpression(when, variables)
  if (compiled.ok) return { ok: true, rule: { name, when, forMs } }
  return {
    ok: false,
    message: `rule "${name}": ${compiled.message}${fieldsOf(compiled.message, variables)}`,
    key: 'when',
    offset: compiled.offset,
  }
}

/** What may stand in place of a field that is not there. */
function fieldsOf(message: string, variables: Variables): string {
  return /^(No such key|Unknown variable)/.test(message) ? `; fields are ${fieldNames(variables)}` : ''
}

/** Every field of these variables, as a condition names it. */
export function fieldNames(variables: Variables): string {
  return Object.entries(variables)
    .flatMap(([name, type]) =>
      typeof type === 'string' ? [name] : Object.keys(type).map((field) => `${name}.${field}`),
    )
    .join(', ')
}

function shown({ name, when, forMs }: RuleSpec): object {
  return { name, when, ...(forMs === 0 ? {} : { for: showDuration(forMs) }) }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
