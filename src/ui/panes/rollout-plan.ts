import { itemWords } from '../../../protocol/change.ts'
import { safe } from '../../fleet/clean.ts'
import { blastRadius, type Reach } from '../../rollout/blast-radius.ts'
import type { Plan } from '../../rollout/contract.ts'
import { formatAge, formatPct } from '../format.ts'

/** Names of nodes in a line. */
const NAMES_SHOWN = 8

/** A line of a plan; what is wrong or left out stands out. */
export interface PlanLine {
  readonly text: string
  readonly token: 'title' | 'text' | 'muted' | 'warning'
}

/** What a plan will do, before anything of it happens: whom it touches, in which order, who is left for later and why. Safe to show. */
export function planLines(plan: Plan): PlanLine[] {
  const radius = blastRadius(plan)
  const { strategy } = plan
  const lines: PlanLine[] = [
    ...(plan.undoes === null ? [] : [{ text: `brings ${broughtText(plan)}`, token: 'title' as const }]),
    { text: `touches ${reachText(radius)}`, token: 'title' },
    {
      text: `at least ${formatAge(radius.leastSec * 1000)}: ${counted(plan.waves.length, 'wave')}, each watched ${watchedText(strategy)}; at most ${portionText(strategy.siteBudget)} of a site away at once`,
      token: 'text',
    },
  ]
  if (radius.unknownTraffic > 0) {
    lines.push({ text: `of ${counted(radius.unknownTraffic, 'node')} nobody knows the traffic`, token: 'warning' })
  }
  plan.waves.forEach((wave, index) => {
    const reach = radius.waves[index]
    const approval = wave.needsApproval ? '; then somebody has to approve' : ''
    lines.push({
      text: `${wave.name}: ${reach === undefined ? '' : reachText(reach)}${approval}`,
      token: 'text',
    })
    lines.push({ text: `  ${namesText(wave.nodes)}`, token: 'muted' })
  })
  if (plan.waves.length === 0) lines.push({ text: 'no node would be changed now', token: 'warning' })
  lines.push(
    ...reasons('left for later', plan.deferred),
    ...(plan.unchanged.length === 0
      ? []
      : [
          {
            text: `${counted(plan.unchanged.length, 'node')} have it already: ${namesText(plan.unchanged)}`,
            token: 'muted',
          } as const,
        ]),
    ...reasons('left out', plan.leftOut),
  )
  if (plan.peers.length > 0) {
    lines.push({
      text: `compared with ${counted(plan.peers.length, 'node')} of the same sites that nobody changes`,
      token: 'muted',
    })
  }
  return lines.map(({ text, token }) => ({ text: safe(text), token }))
}

/** What an undo brings, which is not named by whoever begins it. */
function broughtText({ item, nodes }: Plan): string {
  const others = nodes.filter((node) => node.item !== null).length
  return `${itemWords(item)} again${others === 0 ? '' : `, and ${counted(others, 'node')} another version that it had`}`
}

function watchedText({ soakSec, maxSoakSec, gates }: Plan['strategy']): string {
  const { severeFactor = 1 } = gates
  const until = severeFactor > 1 ? `, until ${severeFactor} times as many failures would show` : ''
  return `${formatAge(soakSec * 1000)} to ${formatAge(maxSoakSec * 1000)}${until}`
}

function reachText({ nodes, sites, trafficPct }: Reach): string {
  const share = trafficPct === null ? 'traffic unknown' : `${formatPct(trafficPct)} of the fleet's traffic`
  const where = sites.length <= 3 ? sites.join(', ') : counted(sites.length, 'site')
  return `${counted(nodes, 'node')}${where === '' ? '' : ` at ${where}`}, ${share}`
}

function reasons(what: string, nodes: Plan['deferred']): PlanLine[] {
  const byWhy = new Map<string, string[]>()
  for (const { key, why } of nodes) byWhy.set(why, [...(byWhy.get(why) ?? []), key])
  return [...byWhy].map(([why, keys]) => ({ text: `${what}, ${why}: ${namesText(keys)}`, token: 'warning' }))
}

function namesText(keys: readonly string[]): string {
  const more = keys.length - NAMES_SHOWN
  return `${keys.slice(0, NAMES_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function portionText(portion: Plan['strategy']['siteBudget']): string {
  return 'count' in portion ? counted(portion.count, 'node') : `${portion.percent} %`
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
