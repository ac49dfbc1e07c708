/** One sample of the Prometheus text format. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y
const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\\n]|\\[\\n"])*)"\s*(,?)/y
const VALUE = /[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*$/y

/**
 * Parse the samples of a Prometheus text exposition (format 0.0.4) whose name `wanted` accepts. Comments are passed over; a
 * line that is not of the format is left out, so that one odd exporter line does not cost the others.
 */
export function parseExposition(text: string, wanted: (name: string) => boolean): Sample[] {
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    NAME.lastIndex = 0
    const name = NAME.exec(line)?.[0]
    if (name === undefined || !wanted(name)) continue
    const sample = parseSample(line, name)
    if (sample !== null) samples.push(sample)
  }
  return samples
}

function parseSample(line: string, name: string): Sample | null {
  const labels: Record<string, string> = {}
  let position = name.length
  if (line[position] === '{') {
    position += 1
    for (;;) {
      if (line[position] === '}') break
      LABEL.lastIndex = position
      const match = LABEL.exec(line)
      if (match?.[1] === undefined || match[2] === undefined) return null
      labels[match[1]] = match[2].replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
      position = LABEL.lastIndex
      if (match[3] === '' && line[position] !== '}') return null
    }
    position += 1
  }
  VALUE.lastIndex = position
  const raw = VALUE.exec(line)?.[1]
  const value = raw === undefined ? null : numberOf(raw)
  return value === null ? null : { name, labels, value }
}

function numberOf(raw: string): number | null {
  const word = raw.toLowerCase().replace(/^[+-]/, '')
  if (word === 'nan') return Number.NaN
  if (word === 'inf') return raw.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(word) ? Number(raw) : null
}
