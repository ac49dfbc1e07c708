import { type Keymap, showKey } from '../../actions/keymap.ts'
import type { RolloutFacts } from '../rollouts/facts.ts'
import type { Line } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'
import { phaseMark } from './rollout-look.ts'

/** One line about the rollouts that run, on every screen while there are any: the one that needs somebody most, and how many more. */
export function rolloutStrip(running: readonly RolloutFacts[], keymap: Keymap, look: Look, columns: number): Line {
  const [worst] = running.toSorted((a, b) => urgency(b) - urgency(a))
  if (worst === undefined) return []
  const { glyph, token, word } = phaseMark(worst.phase, look)
  const key = keymap.keysOf('rollout.list').map(showKey)[0]
  const more = running.length > 1 ? `  and ${running.length - 1} more` : ''
  const hint = key === undefined ? '' : `  ${key} shows it `
  const room = columns - widthOf(more) - widthOf(hint)
  const { counts, total } = worst
  const out = line(look.theme)
    .add(' rollout ', 'muted')
    .rest(worst.what, room, 'title')
    .rest(` ${glyph} ${word}`, room, token)
  out.rest(`  ${counts.done} of ${total} done`, room)
  const bad = counts.exception + counts.suspect + counts.back
  if (bad > 0) out.rest(`, ${bad} in trouble`, room, 'danger')
  out.rest(`  ${worst.waits}`, room, worst.driver === null ? 'danger' : urgency(worst) > 1 ? 'warning' : 'muted')
  return out.padTo(room).add(more, 'warning').add(hint, 'muted').done()
}

function urgency({ driver, phase, possible, counts }: RolloutFacts): number {
  if (driver === null) return 4
  if (phase === 'reverting') return 3
  if (phase === 'paused' || possible.approve === null || counts.exception + counts.suspect > 0) return 2
  return 1
}
