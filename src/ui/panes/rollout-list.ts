import { safe } from '../../fleet/clean.ts'
import { hasEnded } from '../../rollout/state.ts'
import { formatAge, formatClock } from '../format.ts'
import type { RolloutEntry } from '../rollouts/book.ts'
import type { Line, Size } from '../terminal/line.ts'
import { headerLine, placeColumns, rowLine, type TableColumn } from '../widgets/table.ts'
import { firstRow } from './fleet-table.ts'
import type { Look } from './look.ts'
import { phaseMark } from './rollout-look.ts'

/** Rollouts a row, around the cursor. */
export function rolloutRows(
  entries: readonly RolloutEntry[],
  { cursorId, nowMs }: { readonly cursorId: string | null; readonly nowMs: number },
  look: Look,
  size: Size,
): Line[] {
  const how = { theme: look.theme, ascii: look.ascii, columns: size.columns }
  const placed = placeColumns(columnsFor(nowMs, look), size.columns)
  const visible = Math.max(0, size.rows - 1)
  const at = Math.max(
    0,
    entries.findIndex(({ id }) => id === cursorId),
  )
  const first = firstRow(at, visible, entries.length)
  const rows = entries
    .slice(first, first + visible)
    .map((entry) => rowLine(placed, entry, how, { selected: entry.id === cursorId }))
  return [headerLine(placed, how), ...rows]
}

function columnsFor(nowMs: number, look: Look): TableColumn<RolloutEntry>[] {
  return [
    {
      id: 'phase',
      title: 'STANDS',
      rank: 1,
      minColumns: 12,
      cell: ({ state }) => {
        const { glyph, word, token } = phaseMark(state.phase, look)
        return { text: `${glyph} ${word}`, token }
      },
    },
    {
      id: 'what',
      title: 'WHAT',
      rank: 0,
      minColumns: 16,
      idealColumns: 32,
      cell: ({ state: { plan } }) => {
        const what = `${plan.item.name} ${plan.item.version}`
        return { text: safe(plan.undoes === null ? what : `undo of ${plan.undoes}`) }
      },
    },
    {
      id: 'done',
      title: 'DONE',
      rank: 2,
      minColumns: 9,
      align: 'right',
      cell: ({ state }) => {
        const nodes = [...state.nodes.values()]
        return { text: `${nodes.filter(({ standing }) => standing === 'done').length} of ${nodes.length}` }
      },
    },
    {
      id: 'began',
      title: 'BEGAN',
      rank: 3,
      minColumns: 9,
      cell: ({ state }) => ({ text: beganText(state.startedAt, nowMs), token: 'muted' }),
    },
    {
      id: 'took',
      title: 'TOOK',
      rank: 4,
      minColumns: 7,
      align: 'right',
      cell: ({ state }) => ({ text: formatAge((state.endedAt ?? nowMs) - state.startedAt) }),
    },
    {
      id: 'driver',
      title: 'DRIVEN BY',
      rank: 5,
      minColumns: 12,
      idealColumns: 28,
      cell: ({ state, view }) => {
        if (hasEnded(state)) return { text: '' }
        if (view.isDrivenHere) return { text: 'this console' }
        return view.driver === null ? { text: 'NOBODY', token: 'danger' } : { text: safe(view.driver.heldBy) }
      },
    },
    {
      id: 'by',
      title: 'STARTED BY',
      rank: 6,
      minColumns: 10,
      idealColumns: 20,
      cell: ({ state }) => ({ text: safe(state.by.name), token: 'muted' }),
    },
    {
      id: 'why',
      title: 'WHY',
      rank: 7,
      minColumns: 12,
      idealColumns: 60,
      cell: ({ state }) => ({ text: safe(whyText(state)), token: 'muted' }),
    },
    {
      id: 'id',
      title: 'ID',
      rank: 8,
      minColumns: 10,
      idealColumns: 16,
      cell: ({ id }) => ({ text: safe(id), token: 'muted' }),
    },
  ]
}

function whyText({ halt, why, exceptions }: RolloutEntry['state']): string {
  const left = exceptions.length === 0 ? null : `${exceptions.length} neither changed nor back`
  return [halt?.why ?? null, left, why].filter((part) => part !== null && part !== '').join('; ')
}

function beganText(startedMs: number, nowMs: number): string {
  const isToday = new Date(startedMs).toDateString() === new Date(nowMs).toDateString()
  return isToday ? formatClock(startedMs, 'local') : `${formatAge(nowMs - startedMs).split(' ')[0]} ago`
}
