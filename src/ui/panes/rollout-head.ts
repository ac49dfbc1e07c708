import { type Keymap, showKey } from '../../actions/keymap.ts'
import type { ActionId } from '../../actions/table.ts'
import { formatAge } from '../format.ts'
import type { Act } from '../rollouts/acts.ts'
import type { Group, RolloutFacts } from '../rollouts/facts.ts'
import type { Line } from '../terminal/line.ts'
import { widthOf, wrapWords } from '../terminal/text.ts'
import type { Token } from '../theme.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'
import { phaseMark } from './rollout-look.ts'

/** Lines that a rollout's head takes: they never scroll. */
export const ROLLOUT_HEAD_ROWS = 5

const COUNTED: readonly (readonly [Group, string, Token])[] = [
  ['exception', 'exceptions', 'danger'],
  ['suspect', 'suspect', 'danger'],
  ['back', 'back', 'danger'],
  ['serving', 'on probation', 'warning'],
  ['working', 'in work', 'info'],
  ['waiting', 'waiting', 'muted'],
  ['untouched', 'untouched', 'muted'],
  ['deferred', 'deferred', 'warning'],
]
const ACT_WORDS: readonly (readonly [Act, ActionId, string])[] = [
  ['drive', 'rollout.drive', 'drive'],
  ['approve', 'rollout.approve', 'approve'],
  ['pause', 'rollout.pause', 'pause'],
  ['resume', 'rollout.resume', 'resume'],
  ['promote', 'rollout.promote', 'promote'],
  ['abort', 'rollout.abort', 'abort'],
  ['undo', 'rollout.undo', 'undo'],
]
const BAR_COLUMNS = 20

/** What of a rollout never scrolls off: what it is and who drives it, how far it is, what it waits for, what can be done. */
export function rolloutHead(facts: RolloutFacts, keymap: Keymap, look: Look, columns: number): Line[] {
  const said = wrapWords(facts.waits, columns - 2).slice(0, 2)
  return [
    titleLine(facts, look, columns),
    countsLine(facts, look, columns),
    ...[0, 1].map((row) =>
      line(look.theme)
        .add(' ')
        .rest(said[row] ?? '', columns, waitsToken(facts))
        .done(),
    ),
    actsLine(facts, keymap, look, columns),
  ]
}

function titleLine(facts: RolloutFacts, look: Look, columns: number): Line {
  const { glyph, token, word } = phaseMark(facts.phase, look)
  const took = (facts.endedMs ?? facts.nowMs) - facts.startedMs
  const out = line(look.theme).add(` ${facts.what}`, 'title').add(`  ${glyph} ${word}`, token)
  out.add(facts.endedMs === null ? `  for ${formatAge(took)}` : `  took ${formatAge(took)}`, 'muted')
  const who = driverText(facts)
  const by = `  started by ${facts.by}`
  const rest = `  ${facts.id}, term ${facts.term}`
  if (who !== '') out.rest(`  ${who}`, columns, facts.driver === null ? 'danger' : 'text')
  if (out.columns + widthOf(by) <= columns) out.add(by, 'muted')
  if (out.columns + widthOf(rest) <= columns) out.add(rest, 'muted')
  return out.done()
}

function driverText({ driver, endedMs }: RolloutFacts): string {
  if (endedMs !== null) return ''
  if (driver === null) return 'no driver'
  return driver.isHere ? 'driven here' : `driven by ${driver.name}`
}

function countsLine({ counts, total }: RolloutFacts, look: Look, columns: number): Line {
  const out = line(look.theme).add(' ')
  const isRoomy = columns >= 70
  if (isRoomy) {
    const full = total === 0 ? 0 : Math.floor((counts.done / total) * BAR_COLUMNS)
    out.add((look.ascii ? '#' : '█').repeat(full), 'ok')
    out.add((look.ascii ? '.' : '░').repeat(BAR_COLUMNS - full), 'muted').add('  ')
  }
  out.add(`${counts.done} of ${total} done`, counts.done === total ? 'ok' : 'text')
  for (const [group, word, token] of COUNTED) {
    const text = `  ${counts[group]} ${counts[group] === 1 ? word.replace(/s$/, '') : word}`
    if (counts[group] > 0 && out.columns + widthOf(text) <= columns) out.add(text, token)
  }
  return out.done()
}

function waitsToken({ phase, driver, endedMs, counts }: RolloutFacts): Token {
  if (endedMs === null && driver === null) return 'danger'
  if (phase === 'reverting' || phase === 'reverted') return 'danger'
  if (phase === 'paused' || counts.exception + counts.suspect > 0) return 'warning'
  return phase === 'done' ? 'ok' : 'text'
}

/** What is possible comes first; what is not is dim, with the reason where there is room for it. */
function actsLine(facts: RolloutFacts, keymap: Keymap, look: Look, columns: number): Line {
  const out = line(look.theme)
  const acts = ACT_WORDS.flatMap(([act, action, word]) => {
    const key = keymap.keysOf(action)[0]
    return key === undefined ? [] : [{ key: showKey(key), word, why: facts.possible[act] }]
  })
  for (const { key, word } of acts.filter(({ why }) => why === null)) {
    if (out.columns + widthOf(key) + widthOf(word) + 3 > columns) break
    out.add(' ').add(key, 'key').add(` ${word} `)
  }
  const impossible = acts.filter(({ why }) => why !== null)
  if (impossible.length > 0) out.rest('  not now:', columns, 'stale')
  const bare = impossible.reduce((sum, { key, word }) => sum + widthOf(key) + widthOf(word) + 4, 0)
  let spare = columns - out.columns - bare
  for (const { key, word, why } of impossible) {
    const reason = `: ${why}`
    const hasRoom = widthOf(reason) <= spare
    const text = ` ${key} ${word}${hasRoom ? reason : ''}  `
    if (out.columns + widthOf(text) > columns) break
    if (hasRoom) spare -= widthOf(reason)
    out.add(text, 'stale')
  }
  return out.done()
}
