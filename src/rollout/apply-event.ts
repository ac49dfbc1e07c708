import { applyStep, release } from './apply-step.ts'
import type { RolloutEvent } from './contract.ts'
import { type Draft, newWave } from './draft.ts'
import { withLook } from './gates/looks.ts'
import { CATCH_UP, type NodeState, runningWave, START, type WaveState } from './state.ts'

/** The fold's one step: what an event makes of a state. Never throws; an event that does not fit changes nothing. */
export function applyEvent(draft: Draft, event: RolloutEvent): void {
  if (draft.phase === 'done' || draft.phase === 'reverted') return
  if (event.type === 'rollout.started') return
  if (event.type === 'driver.took') {
    if (event.term <= draft.term) return
    draft.term = event.term
    draft.driver = { holder: event.holder, since: event.at }
    draft.at = event.at
    return
  }
  if (event.type === 'person.decided') {
    draft.at = event.at
    obey(draft, event)
    return
  }
  if (event.term !== draft.term || draft.term === 0) return
  draft.at = event.at
  switch (event.type) {
    case 'wave.began':
      beginWave(draft, event)
      break
    case 'baseline.taken':
      if (event.wave === START) draft.start ??= event.counters
      else
        changeWave(draft, event.wave, ({ soaks }) => ({
          baseline: event.counters,
          soakFrom: event.at,
          soaks: soaks + 1,
          looks: { changed: [], unchanged: [] },
        }))
      break
    case 'gate.judged':
      changeWave(draft, event.wave, ({ looks }) => ({
        verdict: event.verdict,
        judgedAt: event.at,
        looks: withLook(looks, event.verdict),
      }))
      break
    case 'wave.ended':
      changeWave(draft, event.wave, (wave) =>
        wave.phase === 'running' ? { phase: 'ended', endedAt: event.at, why: event.why } : {},
      )
      break
    case 'rollout.paused':
      if (draft.phase !== 'running') break
      draft.phase = 'paused'
      draft.halt = { at: event.at, why: event.why, by: null }
      break
    case 'rollout.failing':
      takeBack(draft, { at: event.at, why: event.why, by: null })
      break
    case 'rollout.ended':
      draft.phase = event.outcome
      draft.endedAt = event.at
      draft.exceptions = event.exceptions
      break
    case 'mandates.given':
      break
    default:
      applyStep(draft, event)
  }
}

function beginWave(draft: Draft, { wave: name, at }: { readonly wave: string; readonly at: number }): void {
  if (name === CATCH_UP && !draft.waves.some((wave) => wave.name === CATCH_UP)) {
    const index = draft.waves.length
    const late: string[] = []
    for (const node of draft.nodes.values()) {
      if (node.standing !== 'deferred') continue
      late.push(node.key)
      draft.nodes.set(node.key, { ...node, wave: index })
    }
    draft.waves.push({ ...newWave({ name, nodes: late, needsApproval: false }), phase: 'running', beganAt: at })
    return
  }
  changeWave(draft, name, (wave) => (wave.phase === 'waiting' ? { phase: 'running', beganAt: at } : {}))
}

function changeWave(draft: Draft, name: string, change: (wave: WaveState) => Partial<WaveState>): void {
  const index = draft.waves.findIndex((wave) => wave.name === name)
  const wave = draft.waves[index]
  if (wave !== undefined) draft.waves[index] = { ...wave, ...change(wave) }
}

function takeBack(draft: Draft, halt: NonNullable<Draft['halt']>): void {
  if (draft.phase === 'reverting') return
  draft.phase = 'reverting'
  draft.halt = halt
}

/** What people decided counts whoever drives. */
function obey(draft: Draft, event: Extract<RolloutEvent, { type: 'person.decided' }>): void {
  const { at, decision, wave, by, why } = event
  draft.decisions = [...draft.decisions, { at, decision, wave, by, why }]
  if (draft.phase === 'reverting') return
  switch (decision) {
    case 'pause':
      draft.phase = 'paused'
      draft.halt = { at, why: why ?? `${by.name} paused it`, by: by.name }
      break
    case 'resume':
      resume(draft, at)
      break
    case 'approve':
      changeWave(draft, wave ?? lastBegun(draft), () => ({ approvedBy: by.name }))
      break
    case 'promote':
      draft.isDisagreementAccepted ||= doesDisagree(draft.waves.find(({ name }) => name === (wave ?? lastBegun(draft))))
      changeWave(draft, wave ?? lastBegun(draft), () => ({ approvedBy: by.name, promotedBy: by.name }))
      if (draft.phase === 'paused' && draft.halt?.by === null) resume(draft, at)
      break
    case 'abort':
      takeBack(draft, { at, why: why ?? `${by.name} aborted it`, by: by.name })
      break
  }
}

/** Go on, and try again what could not be done to nodes of the wave that runs and never served. */
function resume(draft: Draft, at: number): void {
  if (draft.phase !== 'paused') return
  draft.phase = 'running'
  draft.halt = null
  draft.resumedAt = at
  const running = runningWave(draft)
  for (const node of draft.nodes.values()) {
    if (node.wave === running && isWorthATry(node)) draft.nodes.set(node.key, release(node, at))
  }
}

function doesDisagree(wave: WaveState | undefined): boolean {
  const findings = wave?.verdict?.findings ?? []
  return findings.some(({ gate, verdict }) => gate === 'disagrees' && verdict === 'fail')
}

function isWorthATry(node: NodeState): boolean {
  return node.standing === 'exception' && !node.mayServe && !node.isConfirmed
}

function lastBegun(draft: Draft): string {
  return draft.waves.findLast((wave) => wave.phase !== 'waiting')?.name ?? draft.waves[0]?.name ?? ''
}
