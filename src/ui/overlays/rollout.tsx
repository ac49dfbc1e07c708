import { Text } from 'ink'
import type { Console } from '../console.ts'
import { planLines } from '../panes/rollout-plan.ts'
import { isBeginnable, type RolloutFace } from '../rollouts/face.ts'
import { KNOBS } from '../rollouts/knobs.ts'
import type { Size } from '../terminal/line.ts'
import { fitText, truncate, wrapWords } from '../terminal/text.ts'
import { Dialog } from './help.tsx'
import { PackagesOverlay } from './packages.tsx'

const WIDTH = 100
const MOST_LINES = 14
const KNOB_COLUMNS = 18
const VALUE_COLUMNS = 28

/** What is asked and told on the way to a rollout and about one. */
export function RolloutOverlay({
  console,
  size,
  face,
}: {
  readonly console: Console
  readonly size: Size
  readonly face: RolloutFace
}) {
  switch (face.phase) {
    case 'choosing':
      return <PackagesOverlay console={console} size={size} face={face} />
    case 'planning':
      return <Planning console={console} size={size} face={face} />
    case 'busy':
      return (
        <Said
          console={console}
          size={size}
          title={face.title}
          lines={[face.text]}
          fault={null}
          foot={`esc ${face.esc}`}
        />
      )
    case 'typing': {
      const cursor = console.parts.look.ascii ? '_' : '█'
      const lines = [...face.lines, `> ${face.typed}${cursor}`]
      const foot = `enter ${face.enter}; esc ${face.esc}`
      return <Said console={console} size={size} title={face.title} lines={lines} fault={face.fault} foot={foot} />
    }
    case 'failed':
      return <Said console={console} size={size} title={face.title} lines={face.lines} fault={null} foot="esc closes" />
  }
}

function Said({
  console,
  size,
  title,
  lines,
  fault,
  foot,
}: {
  readonly console: Console
  readonly size: Size
  readonly title: string
  readonly lines: readonly string[]
  readonly fault: string | null
  readonly foot: string
}) {
  const { look } = console.parts
  const width = Math.min(size.columns - 2, 84)
  const wrapped = lines.flatMap((text) => wrapWords(text, width - 4)).slice(0, Math.min(MOST_LINES, size.rows - 6))
  return (
    <Dialog console={console} size={size} width={width} height={wrapped.length + 3} title={truncate(title, width - 4)}>
      {wrapped.map((text, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no name and only their place.
        <Text key={index} {...look.theme.ink('surface')}>{` ${text}`}</Text>
      ))}
      {fault === null ? <Text> </Text> : <Text {...look.theme.ink('danger')}>{` ${truncate(fault, width - 4)}`}</Text>}
      <Text dimColor>{` ${truncate(foot, width - 4)}`}</Text>
    </Dialog>
  )
}

function Planning({
  console,
  size,
  face,
}: {
  readonly console: Console
  readonly size: Size
  readonly face: Extract<RolloutFace, { phase: 'planning' }>
}) {
  const { look } = console.parts
  const width = Math.min(size.columns - 2, WIDTH)
  const lines =
    face.plan === null
      ? wrapWords(face.fault ?? '', width - 4).map((text) => ({ text, token: 'danger' as const }))
      : planLines(face.plan).flatMap(({ text, token }) =>
          wrapWords(text, width - 4).map((part) => ({ text: part, token })),
        )
  const faults = face.plan === null || face.fault === null ? [] : wrapWords(face.fault, width - 4).slice(0, 2)
  const room = Math.max(3, Math.min(lines.length, size.rows - KNOBS.length - faults.length - 8))
  const first = Math.max(0, Math.min(face.scroll, lines.length - room))
  const shown = lines.slice(first, first + room)
  const left = lines.length - first - shown.length
  const help = KNOBS[face.row]?.help ?? ''
  const goesOn = isBeginnable(face.plan) ? 'enter goes on; ' : ''
  const foot = `${goesOn}esc ${face.esc}; arrows change it; f takes a file${left > 0 ? `; ^D ${left} more` : ''}`
  return (
    <Dialog
      console={console}
      size={size}
      width={width}
      height={KNOBS.length + shown.length + faults.length + 4}
      title={truncate(`plan: ${face.title}`, width - 4)}
    >
      {KNOBS.map((knob, index) => {
        const isChosen = index === face.row
        const mark = isChosen ? (look.ascii ? '>' : '▶') : ' '
        const value = fitText(knob.value(face.strategy), VALUE_COLUMNS)
        const arrows = look.ascii ? ['<', '>'] : ['◂', '▸']
        return (
          <Text key={knob.name} wrap="truncate" inverse={isChosen} {...look.theme.ink('surface')}>
            {` ${mark} ${fitText(knob.name, KNOB_COLUMNS)}${arrows[0]} ${value} ${arrows[1]} ${isChosen ? help : ''}`}
          </Text>
        )
      })}
      <Text
        dimColor
      >{` ${truncate(face.file === null ? 'all else as the defaults have it' : `strategy of ${face.file}`, width - 4)}`}</Text>
      {shown.map(({ text, token }, index) => (
        <Text
          // biome-ignore lint/suspicious/noArrayIndexKey: lines have no name and only their place.
          key={index}
          bold={token === 'title'}
          dimColor={token === 'muted'}
          {...look.theme.ink(token === 'warning' || token === 'danger' ? token : 'surface')}
        >
          {` ${text}`}
        </Text>
      ))}
      {faults.map((text) => (
        <Text key={text} {...look.theme.ink('danger')}>{` ${text}`}</Text>
      ))}
      <Text> </Text>
      <Text dimColor>{` ${truncate(foot, width - 4)}`}</Text>
    </Dialog>
  )
}
