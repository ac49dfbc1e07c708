import { isDeepStrictEqual } from 'node:util'
import { isSameItem } from '../../../protocol/change.ts'
import type { JournalEntry, RolloutEvent } from '../../../src/rollout/contract.ts'
import { fold } from '../../../src/rollout/fold.ts'
import type { RolloutState } from '../../../src/rollout/state.ts'
import { portionOf } from '../../../src/rollout/strategy.ts'
import { JUDGES, type Scenario, SimulatedWorld, WAYS } from './simulated-world.ts'

/** Time that a run may take behind everything that the scenario makes happen, ms. */
function limitMs({ strategy, nodes, troubles, decisions, strikes, waves }: Scenario): number {
  const { maxSoakSec, confirmWithinSec, darkSec, deferredForSec } = strategy
  const last = Math.max(0, ...troubles.map(({ atMs, forMs }) => atMs + forMs), ...decisions.map(({ atMs }) => atMs))
  const stops = strikes.reduce((sum, { forMs }) => sum + forMs + 30_000, 0)
  const rounds = 12 + waves.length * 4 + nodes
  return last + stops + deferredForSec * 2000 + rounds * (maxSoakSec + confirmWithinSec + darkSec + 60) * 1000
}

/** Run a scenario to its end and hold everything that happens to the laws. @throws Error that names the law which is broken */
export function holdToLaws(
  scenario: Scenario,
  hooks: { onEnd?: (world: SimulatedWorld) => void } = {},
): SimulatedWorld {
  const world = new SimulatedWorld(scenario, JUDGES)
  const most = limitMs(scenario)
  let checked = 0
  let state: RolloutState | null = null
  while (!world.hasEnded) {
    world.step()
    for (const entry of world.journal.entries.slice(checked)) {
      if (state !== null) onEvent(world, state, entry.event)
      state = fold(state, [entry])
      checked += 1
    }
    onTime(world, scenario)
    if (world.elapsedMs > most) {
      throw new Error(`liveness: after ${most / 1000} s it is ${world.state.phase}: ${describe(world)}`)
    }
  }
  onEnd(world, scenario)
  foldsTheSame(world.journal.entries, scenario.seed)
  hooks.onEnd?.(world)
  return world
}

/** Laws about what is decided, by the state before it. */
function onEvent(world: SimulatedWorld, state: RolloutState, event: RolloutEvent): void {
  if (event.type !== 'step.intended' || event.term !== state.term) return
  const node = state.nodes.get(event.node)
  if (node === undefined) return
  if (event.step === 'activate' && event.activation !== node.activation) {
    if (state.phase !== 'running') throw new Error(`${event.node} is activated while the rollout is ${state.phase}`)
    const wave = node.wave === null ? undefined : state.waves[node.wave]
    if (wave?.phase !== 'running') throw new Error(`${event.node} is activated before its wave`)
    const before = state.waves.slice(0, node.wave ?? 0)
    if (before.some((one) => one.phase !== 'ended' || (one.needsApproval && one.approvedBy === null))) {
      throw new Error(`${event.node} is activated before the waves before it are over and approved`)
    }
    withinBudget(world, state, event.node)
  }
  if (event.step === 'confirm') {
    const wave = node.wave === null ? undefined : state.waves[node.wave]
    const isJudged = wave?.verdict?.verdict === 'pass' && (wave.judgedAt ?? 0) >= (wave.soakFrom ?? 0)
    const isPassed = wave?.promotedBy !== null && wave?.verdict?.verdict !== 'fail'
    if (node.probationAt === null || (wave?.soakFrom ?? 0) < node.probationAt || (!isJudged && !isPassed)) {
      throw new Error(`${event.node} is confirmed unjudged`)
    }
    const soakedMs = event.at - (wave?.soakFrom ?? event.at)
    if (!isPassed && soakedMs < state.plan.strategy.soakSec * 1000)
      throw new Error(`${event.node} is confirmed unsoaked`)
  }
}

/** Never does a step of ours make more nodes of a site unavailable than its budget has. */
function withinBudget(world: SimulatedWorld, state: RolloutState, key: string): void {
  const observation = world.driver?.observe(world.now)
  const site = state.nodes.get(key)?.plan.site
  const ofSite = state.plan.nodes.filter((node) => node.site === site)
  const isOut = (one: string): boolean => {
    const seen = observation?.nodes.get(one)
    const node = state.nodes.get(one)
    const isOurs =
      node?.standing === 'activating' ||
      node?.standing === 'reverting' ||
      node?.standing === 'suspect' ||
      node?.open?.step === 'activate' ||
      node?.open?.step === 'revert'
    return seen?.reach !== 'up' || seen.criticalAlerts > 0 || isOurs
  }
  if (isOut(key)) return
  const out = ofSite.filter((node) => isOut(node.key)).length
  const most = portionOf(state.plan.strategy.siteBudget, ofSite.length)
  if (out + 1 > most) throw new Error(`budget: ${key} is taken out of ${site}, where ${out} of at most ${most} are out`)
}

/** Laws about what is, whoever did it. */
function onTime(world: SimulatedWorld, { strategy }: Scenario): void {
  const out = new Map<string, number>()
  const total = new Map<string, number>()
  for (const node of world.nodes.values()) {
    const { site } = node.options
    total.set(site, (total.get(site) ?? 0) + 1)
    if (node.isAlive && node.isSwapping && node.criticalAlerts === 0 && node.isLinked) {
      out.set(site, (out.get(site) ?? 0) + 1)
    }
    if (node.longestProbationMs > strategy.confirmWithinSec * 1000 + 1000) {
      throw new Error(`${node.options.key} is on probation for ${node.longestProbationMs / 1000} s`)
    }
  }
  for (const [site, count] of out) {
    // Nodes that go back by themselves ask nobody.
    const byThemselves = [...world.nodes.values()].filter(
      (node) => node.options.site === site && node.isSwapping && node.phase === 'reverting',
    ).length
    const most = portionOf(strategy.siteBudget, total.get(site) ?? 0)
    if (count - byThemselves > most)
      throw new Error(`budget: ${count} of ${site} are swapped at once, at most ${most} may`)
  }
}

function onEnd(world: SimulatedWorld, scenario: Scenario): void {
  const { state } = world
  const excepted = new Set(state.exceptions.map(({ key }) => key))
  for (const { key, why } of state.exceptions) {
    if (why === '') throw new Error(`${key} is reported without a reason`)
  }
  const [before, next] = WAYS[scenario.way]
  const want = state.phase === 'done' ? next : before
  for (const [key, node] of world.nodes) {
    if (!state.nodes.has(key)) {
      if (!isSameItem(node.serving, before)) throw new Error(`${key} is not of the rollout and was changed`)
      continue
    }
    if (excepted.has(key)) continue
    const isThere = isSameItem(node.serving, want) && isSameItem(node.confirmed, want)
    if (!isThere)
      throw new Error(`${state.phase}: ${key} serves ${node.serving.version} (${node.phase}) and is not reported`)
    if (node.holds(state.id) && node.isLinked && node.isAlive) {
      const wasDark = scenario.troubles.length > 0
      if (!wasDark) throw new Error(`${key} is locked by a rollout that ended`)
    }
  }
  for (const node of state.nodes.values()) {
    const isKnown = node.before !== null && isSameItem(node.before, before)
    if (node.isConfirmed && !isKnown) throw new Error(`${node.key} was changed, and nobody knows what it had`)
    if (node.standing === 'probation' && !excepted.has(node.key)) throw new Error(`${node.key} is left on probation`)
  }
}

/** The same journal makes the same state in one go, by piece, with pieces read twice. */
export function foldsTheSame(entries: readonly JournalEntry[], seed: number): void {
  const whole = fold(null, entries)
  let pieces: RolloutState | null = null
  let from = 0
  let turn = seed >>> 0
  while (from < entries.length) {
    turn = (Math.imul(turn, 1_664_525) + 1_013_904_223) >>> 0
    const to = from + 1 + (turn % 37)
    pieces = fold(pieces, entries.slice(Math.max(0, from - (turn % 11)), to))
    from = to
  }
  if (!isDeepStrictEqual(whole, pieces)) throw new Error('a journal read in pieces makes another state')
}

/** Where a run stands, for whoever reads a broken law. */
export function describe(world: SimulatedWorld): string {
  const { state } = world
  const standings = new Map<string, number>()
  for (const { standing } of state.nodes.values()) standings.set(standing, (standings.get(standing) ?? 0) + 1)
  const waves = state.waves.map(({ name, phase, verdict }) => `${name} ${phase} ${verdict?.verdict ?? ''}`)
  return `${[...standings].map(([standing, count]) => `${count} ${standing}`).join(', ')}; ${waves.join(', ')}; ${state.halt?.why ?? ''}`
}
