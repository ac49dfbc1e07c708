import type { Measured } from './recording.ts'

/** One turn of one contender. */
export interface Sample extends Measured {
  readonly name: string
  readonly nodes: number
}

interface Row {
  readonly title: string
  readonly digits: number
  /** The figure of a turn, beside the turn of the same round that drew nothing. */
  readonly of: (sample: Sample, undrawn: Sample | undefined) => number
}

const UNDRAWN = 'no screen'
const ROWS: readonly Row[] = [
  { title: 'CPU, % of a core', digits: 1, of: (sample) => sample.cpuPct },
  { title: 'CPU of drawing', digits: 1, of: (sample, undrawn) => sample.cpuPct - (undrawn?.cpuPct ?? Number.NaN) },
  { title: 'KB/s to the terminal', digits: 1, of: (sample) => sample.bytesPerSec / 1000 },
  { title: 'key to frame p50, ms', digits: 1, of: (sample) => quantile(sample.keyMs, 0.5) },
  { title: 'key to frame p99, ms', digits: 1, of: (sample) => quantile(sample.keyMs, 0.99) },
  { title: 'first frame, ms', digits: 0, of: (sample) => sample.firstFrameMs ?? Number.NaN },
]

/** A table: min/median/max of the rounds, and how many times more the second contender needs than the first. */
export function report(samples: readonly Sample[]): string {
  const names = [...new Set(samples.map((sample) => sample.name))].filter((name) => name !== UNDRAWN)
  const lines = [`| nodes | | ${names.join(' | ')} | ratio |`, `|---|---|${names.map(() => '---').join('|')}|---|`]
  for (const nodes of new Set(samples.map((sample) => sample.nodes))) {
    const turnsOf = (name: string): Sample[] =>
      samples.filter((sample) => sample.name === name && sample.nodes === nodes)
    const undrawn = turnsOf(UNDRAWN)
    const contenders = names.map(turnsOf)
    for (const { title, digits, of } of ROWS) {
      const figures = contenders.map((turns) => turns.map((turn, round) => of(turn, undrawn[round])))
      const [own = [], other = []] = figures
      const ratios = other.map((figure, round) => figure / (own[round] ?? Number.NaN))
      const cells = figures.map((rounds) => spread(rounds, digits))
      lines.push(`| ${nodes} | ${title} | ${cells.join(' | ')} | ${ratios.length === 0 ? '' : spread(ratios, 1)} |`)
    }
    const keys = contenders.map((turns) => {
      const late = turns.reduce((sum, turn) => sum + turn.lateKeys, 0)
      return `${turns.reduce((sum, turn) => sum + turn.keyMs.length, 0)} (${late})`
    })
    lines.push(`| ${nodes} | keys (answered after the next) | ${keys.join(' | ')} | |`)
    if (undrawn.length > 0) {
      const cpu = spread(
        undrawn.map((turn) => turn.cpuPct),
        1,
      )
      lines.push(`| ${nodes} | CPU without a screen | ${names.map(() => cpu).join(' | ')} | |`)
    }
  }
  return `${lines.join('\n')}\n\nmin/median/max of the rounds; a ratio is of turns that follow each other.`
}

function spread(values: readonly number[], digits: number): string {
  return [0, 0.5, 1].map((share) => quantile(values, share).toFixed(digits)).join('/')
}

/** By linear interpolation between the two nearest values. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}
