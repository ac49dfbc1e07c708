import type { ChangeFault } from '../../protocol/change.ts'
import type { Deliberation } from './deliberation.ts'
import { FRESH_MS, gateInputOf, hasCounters, takeBaseline } from './gate-input.ts'
import { missingIn } from './missing.ts'
import { isExhausted, isQuiet, mayTry, order } from './retry.ts'
import { type NodeState, runningWave, START, type WaveState } from './state.ts'
import { CONFIRM_SLACK_SEC, portionOf } from './strategy.ts'
import { ago, lostNodes } from './suspicion.ts'

/** Faults by which a node says that the release is bad; the others are its own or the driver's. */
const OF_RELEASE: ReadonlySet<ChangeFault> = new Set(['load', 'errors', 'slow', 'disagrees', 'unclean_starts'])

/** Judged so often while a wave soaks, ms. */
const LONGEST_JUDGE_MS = 60_000
const SHORTEST_JUDGE_MS = 1000

/** The wave that runs. */
export function currentWave(on: Deliberation): { readonly wave: WaveState; readonly index: number } | null {
  const index = runningWave(on.draft)
  const wave = index === null ? undefined : on.draft.waves[index]
  return wave === undefined || index === null ? null : { wave, index }
}

/** Nodes of the wave that are judged together: they serve the new item since before its counters were taken. */
export function soaking(on: Deliberation, wave: WaveState, index: number): NodeState[] {
  return on.nodes().filter((node) => {
    const serves = node.standing === 'probation' || node.standing === 'confirming' || node.standing === 'suspect'
    const isIn = wave.soakFrom !== null && node.probationAt !== null && node.probationAt <= wave.soakFrom
    return node.wave === index && serves && isIn
  })
}

/** Nodes of the wave on probation that are not judged yet. */
export function unjudged(on: Deliberation, wave: WaveState, index: number): NodeState[] {
  return on.nodes().filter((node) => {
    const isLater = wave.soakFrom === null || (node.probationAt ?? 0) > wave.soakFrom
    return node.wave === index && node.standing === 'probation' && isLater
  })
}

/** Whether more nodes may join those on probation before these would go back unconfirmed. */
export function hasTimeToJoin(on: Deliberation, nodes: readonly NodeState[]): boolean {
  const { confirmWithinSec, maxSoakSec } = on.draft.plan.strategy
  const spareMs = (confirmWithinSec - maxSoakSec - CONFIRM_SLACK_SEC / 2) * 1000
  return nodes.every((node) => on.nowMs - (node.probationAt ?? on.nowMs) < spareMs)
}

/** Counters of the beginning, as soon as any node tells some. */
export function takeStart(on: Deliberation): void {
  if (on.draft.start !== null) return
  const counters = takeBaseline(on)
  if (Object.keys(counters).length > 0) on.emit({ type: 'baseline.taken', wave: START, counters })
}

/**
 * Stop the rollout when nodes of the wave went back for what the release does, never loaded it, or are dark since their
 * step: more of them than `maxFailedNodes`.
 */
export function stopOnFailedNodes(on: Deliberation): void {
  const current = currentWave(on)
  if (current === null) return
  const failed = on
    .nodes()
    .filter(
      ({ wave, fault, standing }) =>
        wave === current.index && fault !== null && OF_RELEASE.has(fault) && standing !== 'waiting',
    )
  const lost = lostNodes(on)
  if (failed.length + lost.length <= on.draft.plan.strategy.maxFailedNodes) return
  const words = [
    ...failed.map(({ key, fault, why }) => `${key}: ${fault}${why === null ? '' : `, ${why}`}`),
    ...lost.map(({ key }) => `${key}: dark for ${ago(on.darkForMs(key))} after its step`),
  ]
  const more = words.length > 3 ? ` and ${words.length - 3} more` : ''
  on.emit({ type: 'rollout.failing', why: `${words.slice(0, 3).join('; ')}${more}`.slice(0, 1000) })
}

/** Judge the wave when it is time, confirm what has soaked and passed, stop what fails, pause when too little is known. */
export function judgeAndConfirm(on: Deliberation): void {
  const current = currentWave(on)
  if (current === null) return
  const { index } = current
  if (isTimeToJudge(on, current.wave, soaking(on, current.wave, index))) {
    const verdict = on.judges.wave(gateInputOf(on, current.wave))
    on.emit({ type: 'gate.judged', wave: current.wave.name, verdict })
    if (verdict.verdict === 'fail') {
      const failed = verdict.findings.filter((finding) => finding.verdict === 'fail').map(({ msg }) => msg)
      on.emit({
        type: 'rollout.failing',
        why: `${current.wave.name} fails its gates: ${failed.join('; ')}`.slice(0, 1000),
      })
      return
    }
  }
  const wave = on.draft.waves[index] as WaveState
  const nodes = soaking(on, wave, index)
  if (nodes.length === 0 || wave.soakFrom === null) return
  if (mayConfirm(on, wave, wave.soakFrom)) confirm(on, nodes)
  else pauseWithoutData(on, wave, wave.soakFrom)
}

function isTimeToJudge({ nowMs, draft }: Deliberation, wave: WaveState, nodes: readonly NodeState[]): boolean {
  const { soakFrom, judgedAt, promotedBy } = wave
  if (soakFrom === null || nodes.length === 0) return false
  if (judgedAt === null || judgedAt < soakFrom) return nowMs > soakFrom || promotedBy !== null
  const soakMs = draft.plan.strategy.soakSec * 1000
  const soakedAt = soakFrom + soakMs
  if (judgedAt < soakedAt && nowMs >= soakedAt) return true
  const everyMs = Math.min(LONGEST_JUDGE_MS, Math.max(SHORTEST_JUDGE_MS, soakMs / 10))
  return nowMs >= judgedAt + everyMs
}

/** Its soak is over and it passed after that; or somebody promoted it, and it does not fail. */
function mayConfirm({ nowMs, draft }: Deliberation, wave: WaveState, soakFrom: number): boolean {
  const { verdict, judgedAt, promotedBy } = wave
  if (verdict === null || judgedAt === null || judgedAt < soakFrom) return false
  if (promotedBy !== null) return verdict.verdict !== 'fail'
  const soakedAt = soakFrom + draft.plan.strategy.soakSec * 1000
  return verdict.verdict === 'pass' && nowMs >= soakedAt && judgedAt >= soakedAt
}

function confirm(on: Deliberation, nodes: readonly NodeState[]): void {
  for (const node of nodes) {
    if (!on.isUp(node.key)) continue
    if (
      node.standing === 'probation' ? mayTry(on, node, 'confirm') : isQuiet(on, node, 'confirm') || mayRetry(on, node)
    ) {
      order(on, node, 'confirm')
    } else if (node.open === null && isExhausted(node, 'confirm') && node.failure?.isFinal === false) {
      const { code, msg } = node.failure
      on.emit({ type: 'step.failed', node: node.key, step: 'confirm', code, msg, isFinal: true })
    }
  }
}

function mayRetry(on: Deliberation, node: NodeState): boolean {
  return node.standing === 'confirming' && node.failure?.step === 'confirm' && mayTry(on, node, 'confirm')
}

/** No data is neither pass nor fail: wait, then ask somebody. Nodes on probation go back by themselves meanwhile. */
function pauseWithoutData(on: Deliberation, wave: WaveState, soakFrom: number): void {
  const { draft, nowMs } = on
  if (draft.phase !== 'running' || wave.verdict?.verdict !== 'inconclusive') return
  const patientFrom = Math.max(soakFrom, draft.resumedAt ?? 0)
  if (nowMs < patientFrom + draft.plan.strategy.maxSoakSec * 1000) return
  const open = missingIn(wave.verdict, draft.plan.strategy.gates.minRequests)
  const waited = ago(nowMs - patientFrom)
  const why = `${wave.name} cannot be judged after ${waited}: ${open.join('; ')}. Resume to watch on, promote to let it pass, or abort`
  on.emit({ type: 'rollout.paused', why: why.slice(0, 1000) })
}

/**
 * Begin to judge those on probation, once no more nodes of the wave can join them: all later ones are judged after these.
 * `isBusy` says that some still might.
 */
export function beginSoak(on: Deliberation, isBusy: boolean): void {
  const current = currentWave(on)
  if (current === null) return
  const { wave, index } = current
  const fresh = unjudged(on, wave, index)
  if (fresh.length === 0 || soaking(on, wave, index).some(({ standing }) => standing !== 'suspect')) return
  if ((isBusy || isUntold(on, fresh)) && hasTimeToJoin(on, fresh)) return
  on.emit({ type: 'baseline.taken', wave: wave.name, counters: takeBaseline(on) })
}

/**
 * Whether counters are still to come: those of a node without which it could never be judged, or, from a driver that has only
 * just begun to listen, those of any node that is there.
 */
function isUntold(on: Deliberation, fresh: readonly NodeState[]): boolean {
  const isNew = on.nowMs - on.watchingSince < FRESH_MS
  const awaited = isNew ? on.draft.plan.nodes.filter(({ key }) => on.isUp(key)) : fresh
  return awaited.some(({ key }) => !hasCounters(on, key))
}

/** Pause when nodes cannot take the item at all: one of the canary, or more of a later wave than a tenth. */
export function pauseOnExceptions(on: Deliberation): void {
  const current = currentWave(on)
  if (current === null || on.draft.phase !== 'running' || current.wave.promotedBy !== null) return
  const { wave, index } = current
  const inWave = on.nodes().filter((node) => node.wave === index)
  const failed = inWave.filter(({ standing, mayServe }) => standing === 'exception' && !mayServe)
  const most = index === 0 ? 0 : portionOf({ percent: 10 }, inWave.length)
  if (failed.length <= most || wave.nodes.length === 0 || index >= on.draft.plan.waves.length) return
  const named = failed.slice(0, 3).map(({ key, why }) => `${key}: ${why ?? 'it failed'}`)
  const why = `${failed.length} of ${inWave.length} nodes of ${wave.name} cannot take it: ${named.join('; ')}. Resume to try them again, promote to go on without them, or abort`
  on.emit({ type: 'rollout.paused', why: why.slice(0, 1000) })
}
