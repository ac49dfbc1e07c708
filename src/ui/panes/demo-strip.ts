import type { Keymap } from '../../actions/keymap.ts'
import { type KeyHint, showKey } from '../../actions/keymap.ts'
import type { DemoPanel, DemoPanelNode } from '../demo-panel.ts'
import type { Line } from '../terminal/line.ts'
import { widthOf } from '../terminal/text.ts'
import { line } from '../widgets/line-builder.ts'
import type { Look } from './look.ts'

/** What a key of the demo does to a node as it is now. */
const KEYS: readonly (readonly [KeyHint['action'], (node: DemoPanelNode) => string])[] = [
  ['demo.cut', ({ uplink }) => (uplink === 'up' ? 'cut uplink' : 'mend uplink')],
  ['demo.kill', ({ pid }) => (pid === null ? 'revive' : 'kill')],
  ['demo.slow', ({ slowMs }) => (slowMs === 0 ? 'slow' : 'unslow')],
  ['demo.garbage', ({ garbage }) => (garbage ? 'no garbage' : 'garbage')],
]

/**
 * One line that says this is a demo, what is broken in it now, and what the keys would do to the node that they act on.
 */
export function demoStrip(
  demo: DemoPanel,
  current: { readonly keymap: Keymap; readonly nodeKey: string | null; readonly locked: boolean },
  look: Look,
  columns: number,
): Line {
  const { nodes, cloud } = demo.state()
  const out = line(look.theme)
    .add(' demo ', 'accent')
    .add(`cloud ${cloud.kind} ${cloud.up ? 'up' : 'down'}`, cloud.up ? 'muted' : 'danger')
  const broken = nodes.flatMap((node) => {
    const faults = [
      ...(node.pid === null ? ['down'] : []),
      ...(node.uplink === 'up' ? [] : ['uplink cut']),
      ...(node.slowMs > 0 ? ['slow'] : []),
      ...(node.garbage ? ['garbage'] : []),
    ]
    return faults.length === 0 ? [] : [`${node.name}: ${faults.join(', ')}`]
  })
  const target = nodes.find(({ name }) => name === current.nodeKey)
  if (current.locked)
    return out.add('  what its keys disturb is locked while you look at the past', 'replayRule').done()
  const hints = KEYS.flatMap(([action, word]) => {
    const key = current.keymap.keysOf(action)[0]
    return key === undefined || target === undefined ? [] : [[showKey(key), word(target)] as const]
  })
  const columnsOf = (): number => hints.reduce((sum, [key, word]) => sum + widthOf(key) + widthOf(word) + 3, 0)
  const rollOut = current.keymap.keysOf('rollout.open')[0]
  if (rollOut !== undefined && hints.length > 0) hints.unshift([showKey(rollOut), 'roll out'])
  // What is broken matters more.
  const needed = broken.length > 0 ? `${broken.length} disturbed`.length + 4 : 0
  if (hints.length > KEYS.length && out.columns + needed + columnsOf() > columns) hints.shift()
  const hintColumns = columnsOf()
  if (broken.length > 0) {
    const room = columns - hintColumns - out.columns - 4
    const all = broken.join('; ')
    const short = `${broken.length} disturbed`
    const told = [all, short].find((text) => widthOf(text) <= room)
    if (told !== undefined) out.add('  ').add(told, 'warning')
  }
  out.padTo(columns - hintColumns)
  if (out.columns + hintColumns > columns) return out.done()
  for (const [key, word] of hints) out.add(key, 'key').add(` ${word}  `, 'muted')
  return out.done()
}
