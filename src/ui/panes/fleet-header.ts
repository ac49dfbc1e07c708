import { safe } from '../../fleet/clean.ts'
import type { ReplayClock } from '../../fleet/replay-clock.ts'
import type { FleetTotals, FleetView } from '../../fleet/view.ts'
import { endingText, type Standing } from '../../identity/standing.ts'
import { formatByteRate, formatClock, formatCount, formatMs, formatRate, formatSaved, UNKNOWN } from '../format.ts'
import type { Line } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import { type LineBuilder, line } from '../widgets/line-builder.ts'
import { type Look, stateMark } from './look.ts'
import { replayBanner } from './replay-banner.ts'

/** What stands in the first line besides the figures. */
export interface HeaderText {
  /** Where the fleet comes from, e.g. `demo`. */
  readonly context: string
  readonly production: boolean
  readonly standing: Standing
  readonly nowMs: number
  /** Null while the fleet is looked at as it is now. */
  readonly replay: ReplayClock | null
  /** What is looked at is still on its way. */
  readonly isLoading: boolean
}

/** Two lines over everything: who is up, and the fleet's figures. Parts that do not fit are left out whole. */
export function fleetHeader(view: FleetView, text: HeaderText, look: Look, columns: number): Line[] {
  return [countsLine(view, text, look, columns), figuresLine(view.totals, look, columns)]
}

function countsLine(view: FleetView, text: HeaderText, look: Look, columns: number): Line {
  const { totals } = view
  const { replay, nowMs } = text
  const clock = ` ${replay === null ? '' : 'now '}${formatClock(nowMs, 'local')} `
  // The past is told first, in reverse, over the whole width: nobody takes it for now.
  const out = replay === null ? line(look.theme) : line(look.theme, 'replay')
  if (replay === null) out.add(' edgedeck ', 'title').add(text.context, 'accent').add('  ')
  else out.add(` ${replayBanner(replay, nowMs, text.isLoading)}   `)
  // What makes a fleet dangerous to touch, or its words worthless, gives way to nothing.
  if (text.production) out.add('PRODUCTION', 'warning').add('  ')
  if (view.nodes.some((node) => node.insecure)) out.add('insecure', 'danger').add('  ')
  const ending = endingText(text.standing, nowMs)
  if (ending !== null) out.add(ending, (text.standing.untilMs ?? 0) <= nowMs ? 'danger' : 'warning').add('  ')
  addIfFits(out, columns - clock.length, [[`${totals.nodes} node${totals.nodes === 1 ? '' : 's'}`, 'text']])
  for (const state of ['up', 'connecting', 'stale', 'offline', 'unknown'] as const) {
    const count = totals.byState[state]
    if (count === 0 && state !== 'up') continue
    const { glyph, token } = stateMark(state, look)
    addIfFits(out, columns - clock.length, [[`  ${glyph} ${count} ${state}`, count === 0 ? 'muted' : token]])
  }
  const { critical, warning } = totals.alerts
  if (critical > 0) addIfFits(out, columns - clock.length, [[`  ${critical} critical`, 'danger']])
  if (warning > 0)
    addIfFits(out, columns - clock.length, [[`  ${warning} warning${warning === 1 ? '' : 's'}`, 'warning']])
  if (critical + warning === 0)
    addIfFits(out, columns - clock.length, [
      [totals.byState.unknown > 0 ? '  no alerts known' : '  no alerts', 'muted'],
    ])
  const { name, rights } = text.standing
  if (name !== null) addIfFits(out, columns - clock.length, [[`  ${safe(name)}, ${rights.role}`, 'muted']])
  return out
    .padTo(columns - clock.length)
    .add(clock, 'muted')
    .done()
}

function figuresLine(totals: FleetTotals, look: Look, columns: number): Line {
  const out = line(look.theme).add(' ')
  const late = (totals.p99Ms ?? 0) > 50
  const figures: [string, string, 'text' | 'warning' | 'ok'][] = [
    ['p99 of 10 s ', formatMs(totals.p99Ms).padStart(7), late ? 'warning' : 'text'],
    ['saved of 1 min ', formatSaved(totals.savedPct).padStart(7), 'text'],
    ['inferences ', perSec(totals.inferencesPerSec).padStart(7), 'text'],
    ['sent up ', formatByteRate(totals.upBytesPerSec).padStart(9), 'text'],
    ['raw in ', formatByteRate(totals.rawBytesPerSec).padStart(9), 'text'],
    ['backlog ', formatCount(totals.backlogRecords).padStart(5), (totals.backlogRecords ?? 0) > 0 ? 'warning' : 'text'],
    ['p50 of 10 s ', formatMs(totals.p50Ms).padStart(7), 'text'],
  ]
  for (const [label, value, token] of figures) {
    addIfFits(out, columns, [
      [label, 'muted'],
      [value, token],
      ['   ', 'text'],
    ])
  }
  return out.done()
}

function perSec(rate: number | null): string {
  return rate === null ? UNKNOWN : `${formatRate(rate)}/s`
}

function addIfFits(
  out: LineBuilder,
  columns: number,
  parts: readonly (readonly [string, Parameters<LineBuilder['add']>[1]])[],
): void {
  const width = widthOf(
    parts
      .map(([text]) => text)
      .join('')
      .trimEnd(),
  )
  if (out.columns + width > columns) return
  for (const [text, token] of parts) out.add(text, token)
}
