import { safe } from '../fleet/clean.ts'
import { eventText } from '../rollout/event-text.ts'
import { awaitsApproval, hasEnded, type NodeState, type WaveState } from '../rollout/state.ts'
import { formatAge, UNKNOWN } from '../ui/format.ts'
import { type PrintedColumn, printTable } from './output.ts'
import type { RolloutNow } from './rollout-now.ts'
import { isOnlyBrought, itemText, nodesText, sourcesText } from './rollout-plan.ts'

/** One line: what it is and where. */
export function headText({ view, state, course }: RolloutNow): string {
  const what = `${state.id}  ${itemText(state.plan)}${state.plan.undoes === null ? '' : `, undoes ${state.plan.undoes}`}`
  return `${safe(what)}  ${courseText({ view, state, course })}\n`
}

/** How it goes, in words: what it waits for, and who has to do something. */
export function courseText({ view, state, course }: RolloutNow): string {
  const waits = awaitsApproval(state)
  const halt = state.halt === null ? '' : `: ${safe(state.halt.why)}`
  if (course === 'done') return 'done'
  if (course === 'incomplete') return `done but for ${nodesText(state.exceptions.length)}`
  if (course === 'reverted') {
    const left = state.exceptions.length === 0 ? '' : `, but for ${nodesText(state.exceptions.length)}`
    return `taken back${left}${halt}`
  }
  const driver = view.driver === null ? 'nobody drives it' : `driven by ${safe(view.driver.heldBy)}`
  if (state.phase === 'reverting') return `going back${halt} (${driver})`
  if (state.phase === 'paused') return `paused${halt} (${driver})`
  if (waits !== null) return `waits for approval of ${waits.name} (${driver})`
  const running = state.waves.find(({ phase }) => phase === 'running')
  const between = state.waves.some(({ phase }) => phase === 'ended') ? 'between waves' : 'about to begin'
  return `${running === undefined ? between : `in ${running.name}`} (${driver})`
}

/** Waves, nodes, and what the gates said last, for people. */
export function statusText(now: RolloutNow, nowMs: number): string {
  const { state } = now
  const nodes = [...state.nodes.values()]
  const waveName = ({ wave }: NodeState): string => (wave === null ? 'later' : (state.waves[wave]?.name ?? UNKNOWN))
  const nodeColumns: readonly PrintedColumn<NodeState>[] = [
    { title: 'NODE', text: ({ key }) => safe(key) },
    { title: 'SITE', text: ({ plan }) => safe(plan.site) },
    { title: 'WAVE', text: waveName },
    { title: 'STANDS', text: ({ standing }) => standing },
    { title: 'FOR', align: 'right', text: ({ since }) => formatAge((state.endedAt ?? nowMs) - since) },
    { title: 'WHY', text: ({ why }) => safe(why ?? '') },
  ]
  const waveColumns: readonly PrintedColumn<WaveState>[] = [
    { title: 'WAVE', text: ({ name }) => name },
    { title: 'STATE', text: ({ phase }) => phase },
    { title: 'NODES', align: 'right', text: ({ nodes: keys }) => String(keys.length) },
    { title: 'GATES', text: ({ verdict }) => verdict?.verdict ?? UNKNOWN },
    { title: 'BECAUSE', text: ({ why }) => safe(why ?? '') },
  ]
  const findings = state.waves.findLast(({ verdict }) => verdict !== null)?.verdict?.findings ?? []
  const told = findings.map(({ verdict, msg }) => `  ${verdict.padEnd(12)} ${safe(msg)}\n`)
  return [
    headText(now),
    `started by ${safe(state.by.name === '' ? 'somebody' : state.by.name)} ${formatAge(nowMs - state.startedAt)} ago${state.why === null ? '' : `: ${safe(state.why)}`}\n`,
    ...(!hasEnded(state) && isOnlyBrought(state.plan) ? [`the package comes ${sourcesText(state.plan)}\n`] : []),
    '\n',
    printTable(waveColumns, state.waves),
    ...(told.length === 0 ? [] : ['\n', ...told]),
    '\n',
    printTable(nodeColumns, nodes),
    ...state.exceptions.map(({ key, why }) => `left over: ${safe(`${key}: ${why}`)}\n`),
  ].join('')
}

/** Why it is where it is: each decision with what it was made from; `all` with each step of each node. */
export function explainText(now: RolloutNow, all: boolean): string {
  const { entries } = now.view
  const lines = entries.flatMap(({ seq, event, ignored }, index) => {
    if (ignored !== undefined)
      return [`${' '.repeat(21)}${String(seq).padStart(4)}  does not count: ${safe(ignored)}\n`]
    const told = eventText(event, now.view.plan)
    if (told === null || (!all && (told.tone === 'routine' || isOvertaken(entries, index)))) return []
    const at = new Date(event.at).toISOString().replace('T', ' ').slice(0, 19)
    const inputs = event.type === 'gate.judged' ? event.verdict.findings : []
    return [
      `${at}  ${String(seq).padStart(4)}  ${told.text}\n`,
      ...inputs.map(({ verdict, msg }) => `${' '.repeat(27)}${verdict.padEnd(12)} ${safe(msg)}\n`),
    ]
  })
  const end = hasEnded(now.state) ? 'so it is' : 'so now it is'
  return [headText(now), '\n', ...lines, `\n${end} ${courseText(now)}\n`].join('')
}

/** Gates that could not tell yet, and were asked again before anything else happened to their wave. */
function isOvertaken(entries: RolloutNow['view']['entries'], index: number): boolean {
  const event = entries[index]?.event
  if (event?.type !== 'gate.judged' || event.verdict.verdict !== 'inconclusive') return false
  const next = entries.slice(index + 1).find(({ event: { type } }) => !type.startsWith('step.'))?.event
  return next?.type === 'gate.judged' && next.wave === event.wave
}
