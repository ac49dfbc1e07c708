import { Environment, type ParseResult } from '@marcbachmann/cel-js'
import { compileRegex, type LinearRegex } from '../../regex/linear-regex.ts'

/** Types that a variable's field may have; a field without a value is missing, and `has(…)` tells. */
export type FieldType = 'int' | 'double' | 'string' | 'bool'

/** Variables of an expression: fields by name, by name of the variable. A constant is a variable without fields. */
export type Variables = Readonly<Record<string, Readonly<Record<string, FieldType>> | FieldType>>

/** What an expression says of some values: a truth, or why there is none (a field that is missing, mostly). */
export type Verdict =
  | { readonly known: true; readonly holds: boolean }
  | { readonly known: false; readonly msg: string }

/** A checked expression. */
export interface Expression {
  readonly source: string
  /** Fields it looks at, as `variable.field`, in the order of the source. */
  readonly paths: readonly string[]
  /** Never throws. Values of type `int` are bigints, `double` numbers. */
  evaluate(values: Readonly<Record<string, unknown>>): Verdict
}

/** Outcome of compiling; `offset` is where in the source it is wrong, in characters. */
export type Compiled =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly message: string; readonly offset: number }

/** Longest source of an expression. */
export const MAX_EXPRESSION_CHARS = 1000

const LIMITS = { maxAstNodes: 250, maxDepth: 100, maxListElements: 64, maxMapEntries: 16, maxCallArguments: 4 }

/**
 * Functions that cost no more than their arguments are long. Not the macros over lists, which multiply when they are
 * nested, nor `split` and `join`, which make texts grow.
 */
const FUNCTIONS = new Set([
  ...['has', 'size', 'int', 'double', 'string', 'bool'],
  ...['contains', 'startsWith', 'endsWith', 'matches', 'lowerAscii', 'upperAscii', 'trim'],
])

/** Name under which our `matches` is called: the library's own is the host's backtracking one and cannot be replaced. */
const LINEAR_MATCHES = 'linearMatches'

type Node = ParseResult['ast']

/**
 * Compile a CEL expression that is a condition over `variables`. It can neither loop nor call out: what it costs is bounded
 * by its length and that of the texts it looks at.
 */
export function compileExpression(source: string, variables: Variables): Compiled {
  if (source.length > MAX_EXPRESSION_CHARS) {
    const message = `an expression of ${source.length} characters is over ${MAX_EXPRESSION_CHARS}`
    return { ok: false, message, offset: MAX_EXPRESSION_CHARS }
  }
  let parsed: ParseResult
  try {
    const patterns = new Map<string, LinearRegex>()
    parsed = environmentOf(variables, patterns).parse(source)
    const refused = refusedCall(parsed.ast) ?? linearise(parsed.ast, source, patterns)
    if (refused !== null) return { ok: false, ...refused }
    const checked = parsed.check()
    if (!checked.valid) return fault(checked.error)
    if (checked.type !== 'bool') {
      return { ok: false, message: `a condition is true or false, and this is of type ${checked.type}`, offset: 0 }
    }
  } catch (error) {
    return fault(error)
  }
  return { ok: true, expression: { source, paths: pathsOf(parsed.ast), evaluate: evaluator(parsed) } }
}

function evaluator(parsed: ParseResult): Expression['evaluate'] {
  return (values) => {
    try {
      const holds: unknown = parsed(values)
      return typeof holds === 'boolean' ? { known: true, holds } : { known: false, msg: 'it is neither true nor false' }
    } catch (error) {
      return { known: false, msg: summaryOf(error) }
    }
  }
}

function environmentOf(variables: Variables, patterns: ReadonlyMap<string, LinearRegex>): Environment {
  const environment = new Environment({ limits: LIMITS })
  environment.registerFunction(`string.${LINEAR_MATCHES}(string): bool`, (text: string, pattern: string) => {
    const found = patterns.get(pattern)?.test(text)
    if (typeof found !== 'boolean') throw new RangeError(`a text of ${text.length} characters is too long for matches`)
    return found
  })
  for (const [name, type] of Object.entries(variables)) {
    if (typeof type === 'string') environment.registerVariable(name, type)
    else environment.registerVariable({ name, schema: { ...type } })
  }
  return environment
}

/** Two numbers of different types compare with `<` but not with `==`, and do not calculate: say what to write. */
function fault(error: unknown): Extract<Compiled, { ok: false }> {
  const summary = summaryOf(error)
  const mixed = /\bdouble\b.*\bint\b|\bint\b.*\bdouble\b/.test(summary)
  const offset = (error as { node?: { pos?: unknown } } | undefined)?.node?.pos
  return {
    ok: false,
    message: mixed ? `${summary}; write the number with a point, such as 2.0` : summary,
    offset: typeof offset === 'number' ? offset : 0,
  }
}

function summaryOf(error: unknown): string {
  const { summary, message } = error as { summary?: unknown; message?: unknown }
  return String(summary ?? message ?? error).split('\n', 1)[0] as string
}

function refusedCall(ast: Node): { message: string; offset: number } | null {
  for (const node of nodesOf(ast)) {
    if (node.op !== 'call' && node.op !== 'rcall') continue
    const name = node.args[0]
    if (FUNCTIONS.has(name)) continue
    return { message: `${name} is not taken in rules; there are ${[...FUNCTIONS].join(', ')}`, offset: node.pos }
  }
  return null
}

/**
 * Compile the patterns of every `matches` and let it call ours. A pattern stands in the rule as a text, so that a wrong one
 * is found when the rule is read, and none is made of what a device sent.
 */
function linearise(
  ast: Node,
  source: string,
  patterns: Map<string, LinearRegex>,
): { message: string; offset: number } | null {
  for (const node of nodesOf(ast)) {
    if (node.op !== 'rcall' || node.args[0] !== 'matches') continue
    const [pattern] = node.args[2]
    if (pattern?.op !== 'value' || typeof pattern.args !== 'string') {
      return {
        message: 'matches takes its pattern as a text, such as matches("^E[0-9]+")',
        offset: pattern?.pos ?? node.pos,
      }
    }
    const compiled = compileRegex(pattern.args)
    if (!compiled.ok) {
      const at = compiled.part === null ? -1 : source.indexOf(compiled.part, pattern.pos + 1)
      return { message: `the pattern of matches: ${compiled.message}`, offset: at === -1 ? pattern.pos : at }
    }
    patterns.set(pattern.args, compiled.regex)
    node.args[0] = LINEAR_MATCHES
  }
  return null
}

function pathsOf(ast: Node): string[] {
  const paths = new Set<string>()
  for (const node of nodesOf(ast)) {
    if (node.op !== '.') continue
    const [receiver, field] = node.args
    if (receiver.op === 'id') paths.add(`${receiver.args}.${field}`)
  }
  return [...paths]
}

/** All nodes of a tree, which the limits keep small, in the order of the source. */
function* nodesOf(part: unknown): Generator<Node> {
  if (Array.isArray(part)) {
    for (const child of part) yield* nodesOf(child)
  } else if (typeof part === 'object' && part !== null && 'op' in part) {
    const node = part as Node
    yield node
    yield* nodesOf(node.args)
  }
}
