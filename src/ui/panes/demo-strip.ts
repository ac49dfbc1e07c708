import type { Keymap } from '../../actions/keymap.ts'
import { type KeyHint, showKey } from '../../actions/keymap.ts'
import type { DemoPanel } from '../demo-panel.ts'
import type { Line } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

const KEYS: readonly (readonly [KeyHint['action'], string])[] = [
  ['demo.cut', 'uplink'],
  ['demo.kill', 'kill'],
  ['demo.slow', 'slow'],
  ['demo.garbage', 'garbage'],
]

/** One line that says this is a demo, what is broken in it now, and the keys that break and mend things. */
export function demoStrip(demo: DemoPanel, keymap: Keymap, look: Look, columns: number): Line {
  const { nodes, cloud } = demo.state()
  const out = line(look.theme)
    .add(' demo ', 'accent')
    .add(`cloud ${cloud.kind} ${cloud.up ? 'up' : 'down'}`, cloud.up ? 'muted' : 'danger')
  const broken = nodes.flatMap((node) => {
    const faults = [
      ...(node.pid === null ? ['down'] : []),
      ...(node.uplink === 'up' ? [] : ['uplink cut']),
      ...(node.slowMs > 0 ? [`slow +${node.slowMs} ms`] : []),
      ...(node.garbage ? ['garbage'] : []),
    ]
    return faults.length === 0 ? [] : [`${node.name}: ${faults.join(', ')}`]
  })
  const hints = KEYS.flatMap(([action, word]) => {
    const key = keymap.keysOf(action)[0]
    return key === undefined ? [] : [[showKey(key), word] as const]
  })
  const hintColumns = hints.reduce((sum, [key, word]) => sum + widthOf(key) + widthOf(word) + 3, 0)
  if (broken.length > 0) out.add('  ').rest(broken.join('; '), columns - hintColumns - 2, 'warning')
  out.padTo(columns - hintColumns)
  if (out.columns + hintColumns > columns) return out.done()
  for (const [key, word] of hints) out.add(key, 'key').add(` ${word}  `, 'muted')
  return out.done()
}
