import type { Measured } from './recording.ts'

/** One turn of one contender. */
export interface Sample extends Measured {
  readonly name: string
  readonly nodes: number
}

interface Row {
  readonly title: string
  readonly digits: number
  readonly of: (sample: Sample) => number
}

const ROWS: readonly Row[] = [
  { title: 'CPU, % of a core', digits: 1, of: (sample) => sample.cpuPct },
  { title: 'KB/s to the terminal', digits: 1, of: (sample) => sample.bytesPerSec / 1000 },
  { title: 'key to frame p50, ms', digits: 1, of: (sample) => quantile(sample.keyMs, 0.5) },
  { title: 'key to frame p99, ms', digits: 1, of: (sample) => quantile(sample.keyMs, 0.99) },
  { title: 'first frame, ms', digits: 0, of: (sample) => sample.firstFrameMs },
]

/** A table: min/median/max of the rounds, and how many times more the last contender needs, by rounds. */
export function report(samples: readonly Sample[]): string {
  const names = [...new Set(samples.map((sample) => sample.name))]
  const lines = [`| nodes | | ${names.join(' | ')} | ratio |`, `|---|---|${names.map(() => '---').join('|')}|---|`]
  for (const nodes of new Set(samples.map((sample) => sample.nodes))) {
    const turns = names.map((name) => samples.filter((sample) => sample.name === name && sample.nodes === nodes))
    for (const { title, digits, of } of ROWS) {
      const cells = turns.map((turn) => spread(turn.map(of), digits))
      lines.push(`| ${nodes} | ${title} | ${cells.join(' | ')} | ${ratio(turns, of)} |`)
    }
    const keys = turns.map((turn) => turn.reduce((sum, sample) => sum + sample.keyMs.length, 0))
    const late = turns.map((turn) => turn.reduce((sum, sample) => sum + sample.lateKeys, 0))
    const counted = keys.map((count, index) => `${count} (${late[index]})`)
    lines.push(`| ${nodes} | keys (answered after the next) | ${counted.join(' | ')} | |`)
  }
  return `${lines.join('\n')}\n\nmin/median/max of the rounds; a ratio is of turns that follow each other.`
}

function ratio(turns: readonly (readonly Sample[])[], of: Row['of']): string {
  const [own, other] = turns
  if (own === undefined || other === undefined) return ''
  return spread(
    own.map((sample, round) => {
      const against = other[round]
      return against === undefined ? Number.NaN : of(against) / of(sample)
    }),
    1,
  )
}

function spread(values: readonly number[], digits: number): string {
  const shown = [0, 0.5, 1].map((share) => quantile(values, share).toFixed(digits))
  return shown.join('/')
}

/** By linear interpolation between the two nearest values. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const below = sorted[Math.floor(at)] ?? Number.NaN
  const above = sorted[Math.ceil(at)] ?? Number.NaN
  return below + (above - below) * (at - Math.floor(at))
}
