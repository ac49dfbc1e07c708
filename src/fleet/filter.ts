import { currentFigure } from './current-figure.ts'
import type { NodeView } from './view.ts'

/** A filter that a person typed: every term must match. */
export interface NodeFilter {
  matches(node: NodeView): boolean
}

/** A filter, or what is wrong with the text and what to write instead. */
export type ParsedFilter = { ok: true; filter: NodeFilter } | { ok: false; message: string }

const WORDS: Readonly<Record<string, (node: NodeView) => string | null>> = {
  name: (node) => `${node.name} ${node.saysName ?? ''}`,
  site: (node) => node.site,
  state: (node) => node.state,
  model: (node) => node.model,
  change: (node) => node.change,
  uplink: (node) => node.uplink,
  store: (node) => node.store,
  alert: (node) => node.conditions.map((condition) => condition.code).join(' '),
}

const FIGURES: Readonly<Record<string, (node: NodeView) => number | null>> = {
  cpu: (node) => currentFigure(node, 'cpuPct'),
  mem: (node) => currentFigure(node, 'memPct'),
  disk: (node) => currentFigure(node, 'diskPct'),
  temp: (node) => currentFigure(node, 'tempC'),
  rate: (node) => currentFigure(node, 'inferencesPerSec'),
  p50: (node) => currentFigure(node, 'p50Ms'),
  p99: (node) => currentFigure(node, 'p99Ms'),
  raw: (node) => currentFigure(node, 'rawBytesPerSec'),
  up: (node) => currentFigure(node, 'upBytesPerSec'),
  saved: (node) => currentFigure(node, 'savedPct'),
  backlog: (node) => node.backlogRecords,
  alerts: (node) => node.alerts.critical + node.alerts.warning + node.alerts.info,
  age: (node) => (node.ageMs === null ? null : node.ageMs / 1000),
}

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '=': (a, b) => a === b,
}

/**
 * Read a filter: terms apart by spaces, all of which must match. `cam` finds a name or a site that holds it, `state:stale`
 * and `site:plant-a` look at one field, `cpu>80` compares a figure (percent, ms, bytes/s, seconds), `!` before a term
 * turns it round. An empty text matches all.
 */
export function parseFilter(text: string): ParsedFilter {
  const terms: ((node: NodeView) => boolean)[] = []
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const negated = word.startsWith('!') && word.length > 1
    const term = parseTerm(negated ? word.slice(1) : word)
    if (typeof term === 'string') return { ok: false, message: term }
    terms.push(negated ? (node) => !term(node) : term)
  }
  return { ok: true, filter: { matches: (node) => terms.every((term) => term(node)) } }
}

function parseTerm(word: string): ((node: NodeView) => boolean) | string {
  const comparison = /^([A-Za-z0-9]+)(>=|<=|>|<|=)(.*)$/.exec(word)
  if (comparison) {
    const [, field = '', operator = '', wanted = ''] = comparison
    const figure = pick(FIGURES, field)
    const compare = COMPARE[operator]
    if (!figure || !compare) return unknownField(field, FIGURES)
    const limit = Number(wanted.replace(/(%|ms|s|°C)$/, ''))
    if (wanted === '' || Number.isNaN(limit)) return `${field}${operator} wants a number, such as ${field}${operator}80`
    return (node) => {
      const value = figure(node)
      return value !== null && compare(value, limit)
    }
  }
  const colon = word.indexOf(':')
  if (colon > 0) {
    const field = word.slice(0, colon)
    const read = pick(WORDS, field)
    if (!read) return unknownField(field, WORDS)
    const needle = word.slice(colon + 1).toLowerCase()
    return (node) => (read(node) ?? '').toLowerCase().includes(needle)
  }
  const needle = word.toLowerCase()
  return (node) => `${node.name}\n${node.saysName ?? ''}\n${node.site ?? ''}`.toLowerCase().includes(needle)
}

function pick<T>(table: Readonly<Record<string, T>>, field: string): T | undefined {
  const name = field.toLowerCase()
  return Object.hasOwn(table, name) ? table[name] : undefined
}

function unknownField(field: string, table: object): string {
  return `"${field}" is no field here: use ${Object.keys(table).join(', ')}`
}
