import type { Baseline, Counts, NodeKey, PlanNode } from './contract.ts'
import type { Deliberation } from './deliberation.ts'
import type { ChangedEvidence, GateInput, PeerEvidence } from './gates/contract.ts'
import { countsBetween, isSound } from './gates/counts.ts'
import type { NodeState, WaveState } from './state.ts'

/** Older counters are not taken for those of now, ms. */
export const FRESH_MS = 15_000

/** Counters of every node of the plan that tells any, as a stretch begins. */
export function takeBaseline(on: Deliberation): Record<NodeKey, Baseline> {
  const counters: Record<NodeKey, Baseline> = {}
  for (const { key } of on.draft.plan.nodes) {
    const now = baselineOf(on, key)
    if (now !== null) counters[key] = now
  }
  return counters
}

/** Whether a node tells counters that a stretch may begin with. */
export function hasCounters(on: Deliberation, key: NodeKey): boolean {
  return baselineOf(on, key) !== null
}

function baselineOf(on: Deliberation, key: NodeKey): Baseline | null {
  const seen = on.seen(key)
  if (seen?.reach !== 'up' || seen.counters === null || !isSound(seen.counters)) return null
  // Counters from long ago are none of this stretch.
  if (seen.toldAt === null || on.nowMs - seen.toldAt > FRESH_MS) return null
  const { requests, failed, slow } = seen.counters
  const criticalAlerts = Number.isSafeInteger(seen.criticalAlerts) ? seen.criticalAlerts : 0
  return { requests, failed, slow, instance: seen.instance, criticalAlerts }
}

/** What a wave is judged by: one stretch since its soak began, for all nodes that serve the new item and all that are unchanged. */
export function gateInputOf(on: Deliberation, wave: WaveState): GateInput {
  const changed: ChangedEvidence[] = []
  const unchanged: PeerEvidence[] = []
  const same = new Set(on.draft.plan.unchanged)
  for (const planned of on.draft.plan.nodes) {
    const node = on.draft.nodes.get(planned.key)
    if (node !== undefined && isSoaking(node, wave)) {
      changed.push({ ...evidenceOf(on, planned, wave), compared: comparedOf(on, node) })
    } else if (!same.has(planned.key) && (node === undefined || isUntouched(node))) {
      unchanged.push(evidenceOf(on, planned, wave))
    }
  }
  return {
    limits: on.draft.plan.strategy.gates,
    waves: partsOf(on.draft.plan, wave.soaks),
    changed,
    unchanged,
    looks: wave.looks,
  }
}

/**
 * Of how many equal parts of `falseStop` this soak may spend one. Each wave has one, and one more is for the nodes that catch
 * up; within a wave the first soak has two thirds of it and the k-th a part of 1/k(k+1) of that, which add up to all of it
 * however many come.
 */
export function partsOf({ waves }: { readonly waves: readonly unknown[] }, soaks: number): number {
  return (waves.length + 1) * 1.5 * (soaks <= 1 ? 1 : soaks * (soaks + 1))
}

/** Serves the new item since before the stretch began. */
function isSoaking(node: NodeState, { soakFrom }: WaveState): boolean {
  if (node.standing === 'done') return true
  const serves = node.standing === 'probation' || node.standing === 'confirming' || node.standing === 'suspect'
  return serves && node.probationAt !== null && soakFrom !== null && node.probationAt <= soakFrom
}

/** Served the old item through the whole stretch: one that went back did not. */
function isUntouched(node: NodeState): boolean {
  return !node.mayServe && !node.isConfirmed && node.activations === 0
}

function evidenceOf(on: Deliberation, { key, site, nodeClass }: PlanNode, { baseline }: WaveState): PeerEvidence {
  const before: Counts | null = on.draft.start?.[key] ?? null
  const from = baseline?.[key]
  const now = baselineOf(on, key)
  const since = from === undefined || now === null ? null : countsBetween(from, now)
  const newCriticalAlerts =
    from === undefined || now === null ? 0 : Math.max(0, now.criticalAlerts - from.criticalAlerts)
  return { key, site, nodeClass, before, since, newCriticalAlerts }
}

function comparedOf(on: Deliberation, { key, activation }: NodeState): ChangedEvidence['compared'] {
  if (on.draft.isDisagreementAccepted) return null
  const change = on.seen(key)?.change
  if (!change || change.rollout !== on.draft.id || change.activation !== activation || change.shadow === null)
    return null
  const { compared, agreed, errors } = change.shadow
  const pictures = compared + errors
  const disagreed = pictures - agreed
  const isSound = Number.isSafeInteger(pictures) && disagreed >= 0 && disagreed <= pictures && agreed >= 0
  return isSound ? { pictures, disagreed } : null
}
