import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readRecording } from '../../../bench/screen/recording.ts'
import { report } from '../../../bench/screen/report.ts'

const SIZE = { columns: 40, rows: 5, ticksPerSec: 100, draws: true }
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-bench-test-'))
})
afterEach(() => rm(dir, { recursive: true }))

describe('a recording of a terminal', () => {
  it('counts bytes and CPU between the two readings alone', async () => {
    const file = await recording([
      ['o', 100, '\x1b[2J\x1b[1H▶ node-1'],
      ['c', 1000, '50'],
      ['o', 1500, 'x'.repeat(300)],
      ['c', 3000, '70'],
      ['o', 3001, 'y'.repeat(999)],
    ])
    const { cpuPct, bytesPerSec, firstFrameMs } = await readRecording(file, SIZE)
    expect({ cpuPct, bytesPerSec, firstFrameMs }).toEqual({ cpuPct: 10, bytesPerSec: 150, firstFrameMs: 100 })
  })

  it('takes a key as answered when the cursor stands on another node, not when something else is drawn', async () => {
    const file = await recording([
      ['o', 0, '\x1b[2J\x1b[1H▶ node-1\x1b[2H  node-2'],
      ['c', 1, '0'],
      ['c', 2, '0'],
      ['k', 100, 'j'],
      ['o', 105, '\x1b[1;20H17 %'],
      ['o', 107, '\x1b[1H \x1b[2H▶'],
      ['o', 109, '\x1b[1;20H18 %'],
    ])
    const { keyMs, lateKeys } = await readRecording(file, SIZE)
    expect({ keyMs, lateKeys }).toEqual({ keyMs: [7], lateKeys: 0 })
  })

  it('counts a key that is not answered before the next as that late', async () => {
    const file = await recording([
      ['o', 0, '\x1b[2J\x1b[1H▶ node-1\x1b[2H  node-2'],
      ['c', 1, '0'],
      ['c', 2, '0'],
      ['k', 100, 'j'],
      ['k', 250, 'k'],
      ['o', 260, '\x1b[1H \x1b[2H▶'],
    ])
    const { keyMs, lateKeys } = await readRecording(file, SIZE)
    expect({ keyMs, lateKeys }).toEqual({ keyMs: [150, 10], lateKeys: 1 })
  })

  it('is refused when the table was never shown', async () => {
    const file = await recording([['o', 0, 'command not found']])
    await expect(readRecording(file, SIZE)).rejects.toThrow('command not found')
  })
})

it('the report sets drawing apart from the links and the model, round by round', () => {
  const turn = { nodes: 3, bytesPerSec: 1000, firstFrameMs: 200, keyMs: [2], lateKeys: 0 }
  const lines = report([
    { ...turn, name: 'edgedeck', cpuPct: 3 },
    { ...turn, name: 'plain Ink', cpuPct: 21 },
    { ...turn, name: 'no screen', cpuPct: 1 },
  ])
  expect(lines).toContain('| 3 | CPU, % of a core | 3.0/3.0/3.0 | 21.0/21.0/21.0 | 7.0/7.0/7.0 |')
  expect(lines).toContain('| 3 | CPU of drawing | 2.0/2.0/2.0 | 20.0/20.0/20.0 | 10.0/10.0/10.0 |')
})

/** A file as `meter.py` writes it. */
async function recording(events: readonly (readonly [kind: string, atMs: number, data: string])[]): Promise<string> {
  const file = join(dir, 'recording')
  const parts = events.map(([kind, atMs, data]) => {
    const bytes = Buffer.from(data)
    const head = Buffer.alloc(13)
    head.write(kind)
    head.writeBigUInt64LE(BigInt(atMs * 1e6), 1)
    head.writeUInt32LE(bytes.length, 9)
    return Buffer.concat([head, bytes])
  })
  await writeFile(file, Buffer.concat(parts))
  return file
}
