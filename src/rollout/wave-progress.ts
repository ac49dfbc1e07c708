import type { Deliberation } from './deliberation.ts'
import { isThrough } from './prepare.ts'
import { currentWave } from './soak.ts'
import { awaitsApproval, CATCH_UP, mayCatchUp, type WaveState } from './state.ts'

/** Begin and end waves. */
export function moveWaves(on: Deliberation): void {
  endWave(on)
  if (on.draft.phase === 'running') beginWave(on)
}

function endWave(on: Deliberation): void {
  const current = currentWave(on)
  if (current === null) return
  const { wave, index } = current
  const nodes = on.nodes().filter((node) => node.wave === index)
  if (!nodes.every((node) => isThrough(node) && (node.open === null || node.standing === 'done'))) return
  const count = (standing: string): number => nodes.filter((node) => node.standing === standing).length
  const done = count('done')
  const deferred = count('deferred')
  if (wave.name === CATCH_UP) {
    if (deferred > 0 && !isLate(on, wave)) return
  } else if (index === 0 && done === 0 && nodes.length > 0 && wave.promotedBy === null) {
    if (on.draft.phase === 'running') on.emit({ type: 'rollout.paused', why: nobodyTried(on, wave) })
    return
  }
  const words = [`${done} of ${nodes.length} changed`]
  if (deferred > 0) words.push(`${deferred} deferred`)
  if (nodes.length > done + deferred) words.push(`${nodes.length - done - deferred} not changed`)
  on.emit({ type: 'wave.ended', wave: wave.name, why: words.join(', ') })
}

function nobodyTried(on: Deliberation, wave: WaveState): string {
  const first = on.nodes().find((node) => wave.nodes.includes(node.key))
  const why = first?.why === null || first === undefined ? '' : ` (${first.key}: ${first.why})`
  return `no node of ${wave.name} could be changed${why}, so nothing is known of the release. Resume to try again, promote to go on without, or abort`
}

/** Whether nobody is waited for any more. */
export function isLate({ nowMs, draft }: Deliberation, wave: WaveState): boolean {
  return nowMs >= (wave.beganAt ?? nowMs) + draft.plan.strategy.deferredForSec * 1000
}

function beginWave(on: Deliberation): void {
  const { draft } = on
  if (currentWave(on) !== null || awaitsApproval(draft) !== null) return
  const next = draft.waves.find((wave) => wave.phase === 'waiting')
  if (next !== undefined) {
    on.emit({ type: 'wave.began', wave: next.name })
    return
  }
  if (mayCatchUp(draft)) on.emit({ type: 'wave.began', wave: CATCH_UP })
}
