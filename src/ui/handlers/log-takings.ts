import type { ActionHandlers } from '../../actions/run.ts'
import type { LogRow } from '../../fleet/view.ts'
import type { Console } from '../console.ts'
import { formatBytes } from '../format.ts'
import { indexAt } from '../logs/choices.ts'
import { MAX_SAVED_LINES, type SavedLogs, saveRange, saveRows } from '../logs/save.ts'
import { plainText } from '../panes/log-lines.ts'
import { zoneOf } from '../panes/log-notes.ts'

/** What takes log lines out of the console: to the clipboard, or to a file. */
export function logTakings(console: Console): ActionHandlers {
  return {
    'logs.copy': () => {
      const row = console.logs.current()
      if (row !== null) copy(console, [row])
    },
    'logs.copyShown': () => copy(console, chosen(console)),
    'logs.save': () => {
      void save(console).then((told) => console.toast(told))
    },
  }
}

function copy(console: Console, rows: readonly LogRow[]): void {
  const zone = zoneOf(console)
  if (rows.length === 0) return
  const text = rows.map((row) => plainText(row, zone)).join('\n')
  const told = console.parts.copy(text)
  console.toast(rows.length === 1 ? told : `${rows.length} lines: ${told}`)
}

/** Lines from the mark to the cursor; those in sight where nothing is marked. */
function chosen(console: Console): readonly LogRow[] {
  const { rows } = console.logs.rows()
  const { mark, cursor } = console.parts.store.get().logs
  if (mark === null) {
    const { first, last } = console.logs.inSight
    return rows.slice(Math.max(0, first), last + 1)
  }
  const [from = 0, to = 0] = [indexAt(rows, mark), indexAt(rows, cursor)].sort((a, b) => a - b)
  return rows.slice(Math.max(0, from), to + 1)
}

/** Save the chosen range as the nodes keep it; without one, the lines that are held. Answers what to tell. */
async function save(console: Console): Promise<string> {
  const { store, logsDir } = console.parts
  const keys = console.logs.keys()
  const nowMs = console.nowMs()
  const container = console.logs.container()
  const who = container?.place.label ?? nameOf(keys)
  const when = new Date(nowMs).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15)
  const options = { dir: logsDir, name: `${when}-${who}`, zone: zoneOf(console) }
  const isRange = store.get().logs.range !== null && store.get().replay === null
  if (isRange) console.toast(`reading the range from ${container === null ? 'the nodes' : 'the node'} to save it …`)
  const saved = isRange
    ? await saveRange(console.logs.wish(), nowMs, options)
    : await saveRows(console.logs.rows().rows, options)
  return savedText(saved)
}

function nameOf(keys: ReadonlySet<string> | null): string {
  if (keys === null) return 'all-nodes'
  return keys.size > 2 ? `${keys.size}-nodes` : [...keys].join('-')
}

function savedText(saved: SavedLogs): string {
  if (!saved.ok) return `not saved: ${saved.message}`
  const missing = saved.failed.size === 0 ? '' : `, without all of ${[...saved.failed.keys()].join(', ')}`
  const more = saved.truncated ? `, the first ${MAX_SAVED_LINES} of more` : ''
  return `saved ${saved.lines} lines (${formatBytes(saved.bytes)}${missing}${more}): ${saved.file}`
}
