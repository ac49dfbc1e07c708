import type { Severity } from '../../../protocol/records.ts'
import type { NodeState } from '../../fleet/node-state.ts'
import type { Theme, Token } from '../theme.ts'

/** How panes look on this terminal. */
export interface Look {
  readonly theme: Theme
  /** Draw with ASCII alone. */
  readonly ascii: boolean
}

/** Mark, word and meaning of a node's state: never told by colour alone. */
export function stateMark(state: NodeState, look: Look): { readonly glyph: string; readonly token: Token } {
  const marks = {
    up: { glyph: look.ascii ? '+' : '●', token: 'ok' },
    connecting: { glyph: look.ascii ? '.' : '○', token: 'muted' },
    stale: { glyph: look.ascii ? '?' : '◐', token: 'warning' },
    offline: { glyph: look.ascii ? 'x' : '✗', token: 'danger' },
    unknown: { glyph: look.ascii ? '/' : '╱', token: 'muted' },
  } as const
  return marks[state]
}

/** Mark and meaning of a severity. */
export function severityMark(severity: Severity, look: Look): { readonly glyph: string; readonly token: Token } {
  const marks = {
    critical: { glyph: look.ascii ? '!!' : '▲▲', token: 'danger' },
    warning: { glyph: look.ascii ? ' !' : ' ▲', token: 'warning' },
    info: { glyph: ' i', token: 'info' },
  } as const
  return marks[severity]
}
