import { type NodeFilter, parseFilter } from './filter.ts'
import type { NodeView } from './view.ts'

/** A node by what the operator's list says of it. */
export interface ListedNode {
  readonly key: string
  /** Absent where only the node itself says it. */
  readonly site?: string | undefined
}

/** Which nodes something is done on, as a person typed it. */
export interface NodeSelection {
  /** Names that stand in it as they are, for "there is no such node". */
  readonly names: readonly string[]
  /** Whether what the list says is enough to tell of a node; else it must be asked how it is. */
  tells(node: ListedNode): boolean
  /** Whether a node is not out already by its name and listed site. */
  mayHold(node: ListedNode): boolean
  /** Whether the node is one of them; `view` is what it says itself, null where it was not asked. */
  holds(node: ListedNode, view: NodeView | null): boolean
}

/** A selection, or what is wrong with the text and what to write instead. */
export type ParsedSelection =
  | { readonly ok: true; readonly selection: NodeSelection }
  | { readonly ok: false; readonly message: string }

type Verdict = boolean | 'ask'

/** One word that narrows. */
type Term = (node: ListedNode, view: NodeView | null) => Verdict

/**
 * Read a selection: words apart by spaces. Names add nodes: `press-1`, `press-1,press-2`, `press-*`; without any it is all of
 * them. Terms narrow, and each must match: `site=plant-a` or `site:plant` (whole or part), and what the fleet's filter knows
 * (`state:stale`, `cpu>80`); `!` turns a name or a term round. An empty text is refused: all nodes are said in words.
 */
export function parseSelection(texts: readonly string[]): ParsedSelection {
  const names: string[] = []
  const wanted: ((key: string) => boolean)[] = []
  const terms: Term[] = []
  for (const word of texts.flatMap((text) => text.split(/\s+/)).filter((part) => part !== '')) {
    const isNegated = word.startsWith('!') && word.length > 1
    const bare = isNegated ? word.slice(1) : word
    if (/[:<>=]/.test(bare)) {
      const term = parseTerm(bare)
      if (typeof term === 'string') return { ok: false, message: term }
      terms.push(isNegated ? (node, view) => turned(term(node, view)) : term)
      continue
    }
    const parts = bare.split(',').filter((part) => part !== '')
    names.push(...parts.filter((part) => !part.includes('*')))
    const matches = parts.map(nameMatcher)
    const isOne = (key: string): boolean => matches.some((match) => match(key))
    if (isNegated) terms.push(({ key }) => !isOne(key))
    else wanted.push(isOne)
  }
  if (wanted.length === 0 && terms.length === 0) return { ok: false, message: 'no node is chosen' }
  const judge = (node: ListedNode, view: NodeView | null): Verdict => {
    if (wanted.length > 0 && !wanted.some((isOne) => isOne(node.key))) return false
    const verdicts = terms.map((term) => term(node, view))
    if (verdicts.includes(false)) return false
    return verdicts.includes('ask') ? 'ask' : true
  }
  return {
    ok: true,
    selection: {
      names,
      tells: (node) => judge(node, null) !== 'ask',
      mayHold: (node) => judge(node, null) !== false,
      holds: (node, view) => judge(node, view) === true,
    },
  }
}

/** Every node there is. */
export const EVERY_NODE: NodeSelection = {
  names: [],
  tells: () => true,
  mayHold: () => true,
  holds: () => true,
}

function parseTerm(word: string): Term | string {
  const [, field = '', sign = '', text = ''] = /^(site|name)([:=])(.*)$/i.exec(word) ?? []
  if (field === '') return askedTerm(word)
  const needle = text.toLowerCase()
  if (needle === '') return `${word} wants a text behind it`
  const fits = (value: string): boolean =>
    sign === '=' ? value.toLowerCase() === needle : value.toLowerCase().includes(needle)
  if (field.toLowerCase() === 'name') return ({ key }) => fits(key)
  return ({ site: listed }, view) => {
    const site = listed ?? view?.site ?? null
    return site === null ? (view === null ? 'ask' : false) : fits(site)
  }
}

function askedTerm(word: string): Term | string {
  const parsed = parseFilter(word)
  if (!parsed.ok) return parsed.message
  const { filter }: { filter: NodeFilter } = parsed
  return (_node, view) => (view === null ? 'ask' : filter.matches(view))
}

function turned(verdict: Verdict): Verdict {
  return verdict === 'ask' ? verdict : !verdict
}

/** A name as it is, or with `*` for any characters. */
function nameMatcher(pattern: string): (key: string) => boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return (key) => key === pattern
  return (key) => {
    if (!key.startsWith(first) || key.length < first.length + last.length || !key.endsWith(last)) return false
    const end = key.length - last.length
    let at = first.length
    for (const part of rest) {
      const found = key.indexOf(part, at)
      if (found < 0 || found + part.length > end) return false
      at = found + part.length
    }
    return true
  }
}
