import { SiteBudget } from './budget.ts'
import type { NodeStanding } from './contract.ts'
import type { Deliberation } from './deliberation.ts'
import { foreignLock } from './heed.ts'
import { isExhausted, isQuiet, mayTry, order } from './retry.ts'
import { currentWave, hasTimeToJoin, soaking, unjudged } from './soak.ts'
import type { NodeState, WaveState } from './state.ts'
import { ago } from './suspicion.ts'

/** Standings that take one of the places of `parallel`; a shadow runs at idle and takes none. */
const UNDER_WAY: ReadonlySet<NodeStanding> = new Set(['staging', 'activating', 'reverting'])
/** Times that a node goes back unconfirmed before it is given up. */
const MOST_UNCONFIRMED = 10
/** An activation of which the node tells no end is given up after so long, ms. */
const LONGEST_ACTIVATION_MS = 600_000

/** A deferred node is left alone for so long, since what deferred it may not be seen from here, ms. */
const COME_BACK_MS = 10_000

/** How many more steps may begin. */
export function freePlaces(on: Deliberation): number {
  const taken = on.nodes().filter(({ standing, open }) => open !== null || UNDER_WAY.has(standing)).length
  return Math.max(0, on.draft.plan.strategy.parallel - taken)
}

/** Bring nodes of the wave that runs to where they serve the new item; then stage those of the next one ahead. */
export function prepare(on: Deliberation): void {
  const current = currentWave(on)
  if (current === null) return
  const { wave, index } = current
  const inWave = on.nodes().filter((node) => node.wave === index)
  for (const node of inWave) again(on, node)
  for (const node of inWave) judgeShadow(on, on.node(node.key), { wave, index })
  if (on.draft.phase !== 'running') return
  comeBack(on, index)
  activate(on, wave, index)
  shadow(on, index)
  stage(on, index)
  stage(on, index + 1)
  deferStragglers(on, wave, index)
}

/** Whether nodes of the wave may still come to serve it without anybody's help. */
export function mayMoreJoin(on: Deliberation): boolean {
  const current = currentWave(on)
  if (current === null) return false
  const isPaused = on.draft.phase !== 'running'
  return on.nodes().some(({ wave, standing, key, open }) => {
    if (wave !== current.index) return false
    if (standing === 'activating') return true
    if (isPaused || !on.isUp(key)) return false
    return (
      open !== null || standing === 'staging' || standing === 'staged' || isShadow(standing) || standing === 'waiting'
    )
  })
}

function isShadow(standing: NodeStanding): boolean {
  return standing === 'shadowing' || standing === 'shadowed'
}

/** Send a step again whose last try failed, or of which nothing is heard; give it up after many tries. */
function again(on: Deliberation, node: NodeState): void {
  const { standing, failure } = node
  const step =
    standing === 'staging'
      ? 'stage'
      : standing === 'activating'
        ? 'activate'
        : standing === 'shadowing'
          ? 'shadow'
          : null
  if (step === null || node.open !== null || !on.isUp(node.key)) return
  if (failure?.step === step && isExhausted(node, step)) {
    if (!failure.isFinal)
      on.emit({ type: 'step.failed', node: node.key, step, code: failure.code, msg: failure.msg, isFinal: true })
    return
  }
  if (step === 'activate' && on.nowMs - node.since >= LONGEST_ACTIVATION_MS) {
    const msg = `the node has not said for ${ago(on.nowMs - node.since)} that it serves it`
    on.emit({ type: 'step.failed', node: node.key, step, code: 'CHANGE_UNFIT', msg, isFinal: true })
    return
  }
  // A pause begins no step; one that was begun is brought to its end.
  const isDue = failure?.step === step ? mayTry(on, node, step) : isQuiet(on, node, step)
  if (isDue) order(on, node, step)
}

/** Nodes that were dark, locked or without a place in their site's budget and are not any more. */
function comeBack(on: Deliberation, index: number): void {
  const budget = new SiteBudget(on)
  for (const node of on.nodes()) {
    if (node.wave !== index || node.standing !== 'deferred' || !on.isUp(node.key)) continue
    if (on.nowMs - node.since < COME_BACK_MS) continue
    if (foreignLock(on, node) !== null || !budget.mayTakeOut(node) || isStraggling(on, node)) continue
    on.emit({ type: 'node.cleared', node: node.key, why: 'it can be changed now' })
  }
}

/** One that was passed over because it takes long stays so until it is through, or its turn to catch up has come. */
function isStraggling(on: Deliberation, { key, wave }: NodeState): boolean {
  const change = on.seen(key)?.change
  return (
    change?.rollout === on.draft.id && change.phase === 'staging' && wave !== null && wave < on.draft.plan.waves.length
  )
}

/** Once is enough: one that went back because nobody confirmed it has been on shadow. */
function needsShadow(on: Deliberation, { wave, activations }: NodeState): boolean {
  const { shadow } = on.draft.plan.strategy
  if (shadow === null || activations > 0 || on.draft.plan.item.kind !== 'model') return false
  return shadow.nodes === 'all' || wave === 0
}

/** Whether a node of the wave may be activated as far as it alone goes. */
function isReady(on: Deliberation, node: NodeState): boolean {
  return node.standing === 'shadowed' || (node.standing === 'staged' && !needsShadow(on, node))
}

function activate(on: Deliberation, wave: WaveState, index: number): void {
  // Those that soak are judged over one stretch; who is late has the next one.
  if (soaking(on, wave, index).some(({ standing }) => standing !== 'suspect')) return
  if (!hasTimeToJoin(on, unjudged(on, wave, index))) return
  let places = freePlaces(on)
  const budget = new SiteBudget(on)
  for (const node of on.nodes()) {
    if (places === 0) return
    if (node.wave !== index || !isReady(on, node) || !on.isUp(node.key) || !mayTry(on, node, 'activate')) continue
    if (!budget.mayTakeOut(node)) continue
    budget.takeOut(node)
    order(on, node, 'activate', { activation: nextActivation(on, node) })
    places -= 1
  }
}

/** Unique in the fleet, and the same whoever makes it: of the rollout, the node's place in the plan, and how often it was tried. */
function nextActivation({ draft }: Deliberation, { key, activations }: NodeState): string {
  const place = draft.plan.nodes.findIndex((node) => node.key === key)
  return `${draft.id.slice(0, 44)}-${place}-${activations + 1}`
}

function shadow(on: Deliberation, index: number): void {
  for (const node of on.nodes()) {
    const isNext = node.wave === index && node.standing === 'staged' && needsShadow(on, node)
    if (isNext && on.isUp(node.key) && mayTry(on, node, 'shadow')) order(on, node, 'shadow')
  }
}

function stage(on: Deliberation, index: number): void {
  let places = freePlaces(on)
  for (const node of on.nodes()) {
    if (places === 0) return
    if (node.wave !== index || node.standing !== 'waiting' || !on.isUp(node.key)) continue
    if (foreignLock(on, node) !== null) continue
    if (node.unconfirmed > MOST_UNCONFIRMED) {
      const msg = `it went back ${node.unconfirmed} times because nobody confirmed it`
      on.emit({ type: 'step.failed', node: node.key, step: 'stage', code: 'CHANGE_UNFIT', msg, isFinal: true })
    } else if (isExhausted(node, 'stage') && node.failure?.isFinal === false) {
      const { code, msg } = node.failure
      on.emit({ type: 'step.failed', node: node.key, step: 'stage', code, msg, isFinal: true })
    } else if (mayTry(on, node, 'stage')) {
      order(on, node, 'stage')
      places -= 1
    }
  }
}

/** Decide on shadows that are done, or saw too little for as long as anybody waits. */
function judgeShadow(on: Deliberation, node: NodeState, { wave, index }: { wave: WaveState; index: number }): void {
  const plan = on.draft.plan.strategy.shadow
  if (plan === null || wave.promotedBy !== null || on.draft.phase !== 'running') return
  if (node.standing !== 'shadowed' && node.standing !== 'shadowing') return
  const told = on.seen(node.key)?.change
  const report = (told?.rollout === on.draft.id ? told.shadow : null) ?? node.change?.shadow ?? null
  const waitedMs = on.nowMs - Math.max(node.since, on.draft.resumedAt ?? 0)
  if (node.standing === 'shadowing' && waitedMs < on.draft.plan.strategy.maxSoakSec * 1000) return
  if (report === null) {
    if (node.standing === 'shadowing') pauseShadow(on, `${node.key} tells nothing of its shadow for ${ago(waitedMs)}`)
    return
  }
  const verdict = on.judges.shadow(report, plan)
  if (verdict.verdict === 'pass' && node.standing === 'shadowed') return
  // What was accepted already stops nobody when it is said once more.
  const isKnown = on.draft.isDisagreementAccepted && node.standing === 'shadowed'
  if (isKnown && verdict.findings.every((one) => one.gate === 'disagrees' || one.verdict === 'pass')) return
  on.emit({ type: 'gate.judged', wave: on.draft.waves[index]?.name ?? wave.name, verdict })
  const isWorse = verdict.findings.some((finding) => finding.gate === 'labelled' && finding.verdict === 'fail')
  const said = verdict.findings.filter((finding) => finding.verdict !== 'pass').map(({ msg }) => msg)
  const why = `shadow on ${node.key}: ${said.join('; ') || `not done after ${ago(waitedMs)}`}`
  if (isWorse) on.emit({ type: 'rollout.failing', why: why.slice(0, 1000) })
  else pauseShadow(on, why)
}

function pauseShadow(on: Deliberation, why: string): void {
  on.emit({ type: 'rollout.paused', why: `${why}. Promote to let it serve all the same, or abort`.slice(0, 1000) })
}

/** Pass over nodes that hold up a wave of which all others are through. */
function deferStragglers(on: Deliberation, wave: WaveState, index: number): void {
  const { darkSec, maxSoakSec } = on.draft.plan.strategy
  const isCatchUp = index >= on.draft.plan.waves.length
  const inWave = on.nodes().filter((node) => node.wave === index)
  const isBlocked = (node: NodeState): boolean => isReady(on, node) && node.open === null && on.isUp(node.key)
  const isSlow = (node: NodeState): boolean => node.standing === 'staging' && node.open === null && !isCatchUp
  const rest = inWave.filter((node) => isBlocked(node) || isSlow(node))
  const isHeldUp = inWave.every((node) => rest.includes(node) || isThrough(node))
  if (rest.length === 0 || !isHeldUp) return
  const budget = new SiteBudget(on)
  const quietFrom = Math.max(wave.soakFrom ?? 0, on.draft.resumedAt ?? 0)
  for (const node of rest) {
    const waitedMs = on.nowMs - Math.max(node.since, quietFrom)
    if (isSlow(node) && waitedMs >= maxSoakSec * 1000) {
      on.emit({ type: 'node.deferred', node: node.key, why: `it is still fetching after ${ago(waitedMs)}` })
    } else if (isBlocked(node) && !budget.mayTakeOut(node) && waitedMs >= darkSec * 1000) {
      const site = node.plan.site
      const why = `${budget.unavailableOf(site)} of its site are unavailable (${budget.spentBy(site)}), and ${budget.limitOf(site)} may be`
      on.emit({ type: 'node.deferred', node: node.key, why })
    }
  }
}

/** Nothing more happens to it in its wave. */
export function isThrough({ standing }: NodeState): boolean {
  return standing === 'done' || standing === 'deferred' || standing === 'exception' || standing === 'reverted'
}
