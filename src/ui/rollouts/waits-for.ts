import type { NodeStanding } from '../../rollout/contract.ts'
import { missingIn } from '../../rollout/missing.ts'
import { awaitsApproval, type RolloutState, runningWave } from '../../rollout/state.ts'
import { formatAge } from '../format.ts'

/** What a rollout does or waits for now, in a line: the first thing that somebody who looks wants to know. */
export function waitsFor(
  state: RolloutState,
  { nowMs, driver }: { readonly nowMs: number; readonly driver: object | null },
): string {
  const said = saidOf(state, nowMs)
  const isOver = state.phase === 'done' || state.phase === 'reverted'
  return driver === null && !isOver ? `NOBODY DRIVES IT, nothing goes on; ${said}` : said
}

function saidOf(state: RolloutState, nowMs: number): string {
  const { halt, exceptions } = state
  switch (state.phase) {
    case 'done':
    case 'reverted': {
      const left = exceptions.map(({ key, why }) => `${key}: ${why}`).join('; ')
      const what = state.phase === 'done' ? 'all waves are through' : `what was changed is back${whyOf(halt)}`
      return left === '' ? what : `${what}; ${count(exceptions.length, 'exception')}: ${left}`
    }
    case 'paused':
      return pausedText(state)
    case 'reverting': {
      const back = counted(state, ['reverted'])
      const going = counted(state, ['reverting'])
      return `going back${whyOf(halt)}: ${back} of ${back + going} are back`
    }
    case 'running':
      return runningText(state, nowMs)
  }
}

/** Nodes of a paused wave are judged on, so that what is missing may have come by now. */
function pausedText(state: RolloutState): string {
  const { halt } = state
  const index = runningWave(state)
  const wave = index === null ? undefined : state.waves[index]
  const isJudgedSince = halt !== null && (wave?.judgedAt ?? 0) > halt.at
  if (wave !== undefined && halt?.by === null && isJudgedSince && wave.verdict?.verdict === 'pass') {
    return `paused, but by now the gates of ${wave.name} pass: resume goes on`
  }
  return `paused${halt?.by == null ? '' : ` by ${halt.by}`}${whyOf(halt)}; no new step is begun`
}

function runningText(state: RolloutState, nowMs: number): string {
  const waiting = awaitsApproval(state)
  if (waiting !== null) return `${waiting.name} is through; waits for somebody to approve what comes next`
  const index = runningWave(state)
  const wave = index === null ? undefined : state.waves[index]
  if (wave === undefined)
    return state.waves.every(({ phase }) => phase === 'ended') ? 'ending' : 'the next wave is about to begin'
  const own = [...state.nodes.values()].filter((node) => node.wave === index)
  const serving = own.filter(({ mayServe, isConfirmed }) => mayServe || isConfirmed)
  const parts = [`${wave.name}: ${serving.length} of ${own.length} serve it`]
  const busy = own.filter(({ mayServe, isConfirmed }) => !mayServe && !isConfirmed)
  for (const [standing, word] of BEFORE_IT_SERVES) {
    const at = busy.filter((node) => node.standing === standing).length
    if (at > 0) parts.push(`${at} ${word}`)
  }
  const since = serving.reduce((newest, node) => Math.max(newest, node.probationAt ?? 0), 0)
  if (serving.length > 0 && since > 0) {
    const { soakSec, maxSoakSec } = state.plan.strategy
    const watched = Math.max(0, nowMs - since)
    if (watched < soakSec * 1000) parts.push(`watched ${formatAge(watched)} of at least ${formatAge(soakSec * 1000)}`)
    else parts.push(`watched ${formatAge(watched)}, at most ${formatAge(maxSoakSec * 1000)}`)
  }
  const isSoaked = wave.soakFrom !== null && nowMs >= wave.soakFrom + state.plan.strategy.soakSec * 1000
  if (wave.verdict?.verdict === 'inconclusive') {
    const missing = missingIn(wave.verdict, state.plan.strategy.gates.minRequests)
    if (isSoaked) parts.push(`not judged yet: ${missing.join('; ')}`)
  } else if (wave.verdict !== null) parts.push(wave.verdict.verdict === 'pass' ? 'gates pass' : 'gates fail')
  return parts.join('; ')
}

/** What nodes of a wave do before they serve it. */
const BEFORE_IT_SERVES: readonly (readonly [NodeStanding, string])[] = [
  ['staging', 'fetching it'],
  ['shadowing', 'trying it on shadow'],
  ['suspect', 'suspect'],
  ['reverted', 'back'],
]

function counted(state: RolloutState, standings: readonly NodeStanding[]): number {
  return [...state.nodes.values()].filter(({ standing }) => standings.includes(standing)).length
}

function whyOf(halt: RolloutState['halt']): string {
  return halt === null || halt.why === '' ? '' : `: ${halt.why}`
}

function count(of: number, what: string): string {
  return `${of} ${what}${of === 1 ? '' : 's'}`
}
