import { itemWords } from '../../protocol/change.ts'
import type { UntrustedText } from '../../protocol/untrusted-text.ts'
import { safe } from '../fleet/clean.ts'
import type { Author, Decision, GateVerdict, Plan, RolloutEvent, StepName } from './contract.ts'
import { missingIn } from './missing.ts'

/** How an event is meant: `routine` steps of nodes, which are many; `person` for what somebody decided. */
export type EventTone = 'routine' | 'good' | 'caution' | 'bad' | 'person' | 'plain'

/** An event in words, safe to show. */
export interface EventText {
  readonly text: UntrustedText
  readonly tone: EventTone
}

const STEP_DONE: Readonly<Record<StepName, string>> = {
  stage: 'has it on its disk',
  shadow: 'tries it on shadow',
  activate: 'serves it, on probation',
  confirm: 'keeps it',
  end: 'is free again',
  revert: 'is back on what it had',
}
const ORDERED: Readonly<Record<StepName, string>> = {
  stage: 'is to fetch it',
  shadow: 'is to try it on shadow',
  activate: 'is to serve it',
  confirm: 'is to keep it',
  end: 'is to be free again',
  revert: 'is to go back',
}
const DECIDED: Readonly<Record<Decision, string>> = {
  pause: 'paused it',
  resume: 'resumed it',
  approve: 'approved',
  promote: 'promoted',
  abort: 'aborted it, so that what was changed goes back',
}

/** One line of a rollout's journal for people: what happened or was decided, and why. Null for what nobody needs to read. */
export function eventText(event: RolloutEvent, plan: Plan): EventText | null {
  const told = textOf(event, plan)
  return told === null ? null : { text: safe(told[1]), tone: told[0] }
}

function textOf(event: RolloutEvent, plan: Plan): readonly [EventTone, string] | null {
  switch (event.type) {
    case 'rollout.started': {
      const { plan: begun, by, why } = event
      const count = begun.waves.reduce((sum, wave) => sum + wave.nodes.length, 0)
      const waves = begun.waves.length === 1 ? '1 wave' : `${begun.waves.length} waves`
      const what =
        begun.undoes === null ? itemWords(begun.item) : `the way back from ${begun.undoes} to ${itemWords(begun.item)}`
      return ['person', `${nameOf(by)} started ${what} on ${nodes(count)} in ${waves}${because(why)}`]
    }
    case 'mandates.given':
      return null
    case 'driver.took':
      return ['plain', `${event.holder} drives it, term ${event.term}`]
    case 'person.decided': {
      const { decision, by, wave, why } = event
      const about = wave === null ? '' : ` ${wave}`
      return ['person', `${nameOf(by)} ${DECIDED[decision]}${about}${because(why)}`]
    }
    case 'wave.began':
      return ['plain', `${event.wave} begins`]
    case 'step.intended': {
      const { node, step, attempt, why } = event
      const again = attempt > 1 ? `, attempt ${attempt}` : ''
      return [step === 'revert' ? 'caution' : 'routine', `${node} ${ORDERED[step]}${again}${because(why)}`]
    }
    case 'step.done':
      return ['routine', `${event.node} ${doneText(event)}`]
    case 'step.failed': {
      const { node, step, code, msg, isFinal } = event
      return [
        isFinal ? 'bad' : 'caution',
        `${node}: ${step} ${isFinal ? 'failed' : 'is tried again'}: ${msg} (${code})`,
      ]
    }
    case 'node.returned':
      return ['bad', `${event.node} went back by itself: ${event.msg} (${event.fault})`]
    case 'node.deferred':
      return ['caution', `${event.node} is left for later: ${event.why}`]
    case 'node.suspected':
      return ['bad', `${event.node} is suspect: ${event.why}`]
    case 'node.cleared':
      return ['good', `${event.node} is no longer suspect: ${event.why}`]
    case 'baseline.taken':
      return ['routine', `figures of ${nodes(Object.keys(event.counters).length)} taken to compare ${event.wave} with`]
    case 'gate.judged':
      return [
        { pass: 'good', fail: 'bad', inconclusive: 'caution' }[event.verdict.verdict] as EventTone,
        gateText(event, plan),
      ]
    case 'wave.ended':
      return ['good', `${event.wave} is through: ${event.why}`]
    case 'rollout.paused':
      return ['caution', `paused: ${event.why}`]
    case 'rollout.failing':
      return ['bad', `going back: ${event.why}`]
    case 'rollout.ended': {
      const left = event.exceptions.length === 0 ? '' : `; ${nodes(event.exceptions.length)} neither changed nor back`
      const outcome = event.outcome === 'done' ? 'done' : 'over: what was changed is back'
      return [event.outcome === 'done' && left === '' ? 'good' : 'bad', `${outcome}${left}`]
    }
  }
}

function doneText({ step, change }: Extract<RolloutEvent, { type: 'step.done' }>): string {
  // The verb answers at once; how far the node is with it the status tells.
  if (step === 'stage' && change?.phase === 'staging') return 'fetches it'
  if (step === 'activate' && change?.phase === 'activating') return 'is about to serve it'
  if (step === 'revert' && change?.phase === 'reverting') return 'goes back'
  const shadow = step === 'shadow' ? change?.shadow : null
  if (shadow?.isDone) {
    const pct = shadow.compared === 0 ? '' : ` (${((100 * shadow.agreed) / shadow.compared).toFixed(1)} %)`
    return `has tried it on shadow: agreed on ${shadow.agreed} of ${shadow.compared}${pct}`
  }
  return STEP_DONE[step]
}

function gateText({ wave, verdict }: Extract<RolloutEvent, { type: 'gate.judged' }>, plan: Plan): string {
  const said = { pass: 'gates pass', fail: 'gates stop it', inconclusive: 'gates cannot tell yet' }[verdict.verdict]
  return `${wave}: ${said}${because(findingsText(verdict, plan))}`
}

/** The findings that made a verdict what it is, in a line. */
function findingsText(verdict: GateVerdict, { strategy }: Plan): string {
  if (verdict.verdict === 'inconclusive') return missingIn(verdict, strategy.gates.minRequests).join('; ')
  const decisive = verdict.findings.filter((finding) => finding.verdict === verdict.verdict)
  return decisive.map(({ msg }) => msg).join('; ')
}

function nameOf({ name }: Author): string {
  return name === '' ? 'somebody' : name
}

function because(why: string | null): string {
  return why === null || why === '' ? '' : `: ${why}`
}

function nodes(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`
}
