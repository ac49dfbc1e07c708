import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { LogPosition } from '../../../src/kube/log-position.ts'
import { linesOf, MAX_LINE_CHARS, readStamped, type StampedLine } from '../../../src/kube/pod-log-lines.ts'

/** A log of lines at these times (ms), each once; the text says which it is. */
const log = (...timesMs: readonly number[]): StampedLine[] =>
  timesMs.map((ms, index) => readStamped(`${new Date(ms).toISOString().replace('Z', `00000${index}Z`)} line ${index}`))

/** What an API server gives from a position on: whole seconds. */
const from = (lines: readonly StampedLine[], second: string | null): readonly StampedLine[] =>
  second === null ? lines : lines.filter(({ atMs }) => (atMs ?? 0) >= Date.parse(second))

describe('the position in a log', () => {
  it('loses and repeats no line, wherever reading stops and goes on', () => {
    const lines = log(1000, 1000, 1001, 1999, 2000, 2000, 2400, 5000, 5999, 6000)
    for (let stop = 0; stop <= lines.length; stop += 1) {
      for (let again = stop; again <= lines.length; again += 1) {
        const position = new LogPosition()
        const read: string[] = []
        const readOn = (until: number): void => {
          const joint = position.joint()
          for (const line of from(lines.slice(0, until), position.second)) {
            if (joint.isKnown(line)) continue
            position.advance(line)
            read.push(line.text)
          }
        }
        for (const until of [stop, again, lines.length]) readOn(until)
        expect(read).toEqual(lines.map(({ text }) => text))
      }
    }
  })

  it('knows that lines are missing when the last one does not come again', () => {
    const lines = log(1000, 1500, 1700, 9000)
    const position = new LogPosition()
    for (const line of lines.slice(0, 3)) position.advance(line)
    const joint = position.joint()
    expect(joint.isKnown(lines[3] as StampedLine)).toBe(false)
    expect(joint.isWhole).toBe(false)
  })

  it('keeps the zone of the times', () => {
    const position = new LogPosition()
    position.advance(readStamped('2026-11-26T08:30:46.682137426+08:00 x'))
    expect(position.second).toBe('2026-11-26T08:30:46+08:00')
  })
})

describe('the lines of a log', () => {
  const read = async (...chunks: readonly Buffer[]): Promise<StampedLine[]> => {
    const lines: StampedLine[] = []
    for await (const line of linesOf(Readable.from(chunks))) lines.push(line)
    return lines
  }

  it('come whole, whatever the bytes are cut into', async () => {
    const text = '2026-11-26T00:30:46.682137426Z grün 日本\n2026-11-26T00:30:47Z \nno time\r\nlast'
    for (let size = 1; size < 9; size += 1) {
      const bytes = Buffer.from(text)
      const chunks: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
      expect((await read(...chunks)).map((line) => [line.stamp, line.text])).toEqual([
        ['2026-11-26T00:30:46.682137426Z', 'grün 日本'],
        ['2026-11-26T00:30:47Z', ''],
        ['', 'no time'],
        ['', 'last'],
      ])
    }
  })

  it('are held up to a length, and what is over it is counted', async () => {
    const [line] = await read(Buffer.from('x'.repeat(MAX_LINE_CHARS + 90_000)), Buffer.from('yy\n'))
    expect(line?.text).toHaveLength(MAX_LINE_CHARS)
    expect(line?.cutChars).toBe(90_002)
  })
})
