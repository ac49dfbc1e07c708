import { safe } from '../../fleet/clean.ts'
import { blastRadius } from '../../rollout/blast-radius.ts'
import type { Plan } from '../../rollout/contract.ts'
import { awaitsApproval, type RolloutState, runningWave } from '../../rollout/state.ts'
import type { Act } from './acts.ts'

/** Nodes that are named in a question. */
const NAMES_SHOWN = 6

/** What a decision will do to a rollout as it stands, for whoever is asked once more. `context` where it is production. */
export function actLines(act: Act, state: RolloutState, context: string | null): string[] {
  const lines = [consequence(act, state)]
  lines.push(
    context === null
      ? 'Why? It stands in the journal; it may be left empty.'
      : `${context} is a PRODUCTION context: type ${state.plan.item.name}, and why.`,
  )
  return lines.map((text) => safe(text))
}

function consequence(act: Act, state: RolloutState): string {
  const serving = [...state.nodes.values()].filter(({ mayServe, isConfirmed }) => mayServe || isConfirmed)
  const names = namesOf(serving.map(({ key }) => key))
  const next = state.waves.find(({ phase }) => phase === 'waiting')
  const running = runningWave(state)
  const wave = running === null ? null : (state.waves[running] ?? null)
  switch (act) {
    case 'pause':
      return 'No new step is begun. Nodes on probation go on being watched; what nobody confirms goes back by itself.'
    case 'resume':
      return 'It goes on where it was paused.'
    case 'approve':
      return `${awaitsApproval(state)?.name ?? 'The wave'} was watched; ${next === undefined ? 'the rest' : `${next.name} with ${counted(next.nodes.length)}`} begins.`
    case 'promote':
      return `The rest of the watch over ${wave?.name ?? 'this wave'} is passed over, and what the gates are not sure of. What fails still stops it.`
    case 'abort':
      return serving.length === 0
        ? 'It stops. No node serves anything of it.'
        : `It stops, and ${counted(serving.length)} go back to what they had: ${names}.`
    case 'drive':
      return 'This console goes on with it, under a term of its own: whoever drove it before has no effect any more.'
    case 'undo':
      return 'Each node gets back what it had before.'
  }
}

/** What beginning means, and what has to be typed where it is production. */
export function confirmLines(
  plan: Plan,
  production: { readonly context: string; readonly count: number } | null,
): string[] {
  const { nodes, sites } = blastRadius(plan)
  const first = plan.waves[0]
  const lines = [
    `${counted(nodes)} at ${sites.length === 1 ? (sites[0] ?? '') : `${sites.length} sites`}, first ${first === undefined ? 'none now' : `${counted(first.nodes.length)}: ${namesOf(first.nodes)}`}.`,
    'This console drives it while it is open. What fails goes back by itself.',
    production === null
      ? 'Why? It stands in the journal; it may be left empty.'
      : `${production.context} is a PRODUCTION context: type ${production.count}, and why.`,
  ]
  return lines.map((text) => safe(text))
}

/** What is wrong with what was typed: the word is missing, or the reason behind it. Null when nothing is. */
export function faultInTyped(typed: string, word: string | null): string | null {
  if (word === null) return null
  const [first = ''] = typed.trim().split(/\s+/)
  if (first !== word) return `type ${safe(word)} to go on, or esc`
  return whyBehind(typed, word) === '' ? `type why behind ${safe(word)}: it stands in the journal` : null
}

/** The reason in what was typed, without the word before it. */
export function whyBehind(typed: string, word: string | null): string {
  return word === null ? typed.trim() : typed.trim().slice(word.length).trim()
}

function namesOf(keys: readonly string[]): string {
  const more = keys.length - NAMES_SHOWN
  return `${keys.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function counted(count: number): string {
  return count === 1 ? '1 node' : `${count} nodes`
}
