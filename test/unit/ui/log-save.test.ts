import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { safe } from '../../../src/fleet/clean.ts'
import { saveRange, saveRows } from '../../../src/ui/logs/save.ts'
import { KeptLogs } from '../../support/kept-logs.ts'

const GAP = { kind: 'gap', id: 1, key: 'n', name: safe('n'), atMs: 0, missed: 2, reason: 'away' } as const

test('saved lines take the place of no file, and a hostile name stays in its folder', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-save-'))
  try {
    const options = { dir: join(dir, 'logs'), name: '../../etc/passwd', zone: 'utc' } as const
    const saved = [await saveRows([GAP], options), await saveRows([GAP, GAP], options)]
    expect(saved).toMatchObject([
      { ok: true, lines: 1 },
      { ok: true, lines: 2 },
    ])
    expect(readdirSync(dir)).toEqual(['logs'])
    const files = readdirSync(options.dir).sort()
    expect(files).toHaveLength(2)
    for (const file of files) expect(statSync(join(options.dir, file)).mode & 0o777).toBe(0o600)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('a range is saved whole in one order of time, and says of whom something is missing', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-save-'))
  try {
    const [a, b, silent] = [new KeptLogs('a'), new KeptLogs('b'), new KeptLogs('silent')]
    silent.isSilent = true
    for (let number = 0; number < 3000; number += 1)
      (number % 3 === 0 ? a : b).keep(1000 + number, { msg: `line ${number}.` })
    const nodes = [a, b, silent].map((link) => ({ key: link.key, link, offsetMs: 0 }))
    const wish = { nodes, unreached: ['gone'], filter: {}, fromMs: 0, toMs: null }
    const saved = await saveRange(wish, 1e6, { dir, name: 'x', zone: 'utc' })
    expect(saved).toMatchObject({ ok: true, lines: 3000, truncated: false })
    if (!saved.ok) return
    expect([...saved.failed.keys()].sort()).toEqual(['gone', 'silent'])
    const lines = readFileSync(saved.file, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => Number(/line (\d+)\./.exec(line)?.[1]))).toEqual(lines.map((_, index) => index))
  } finally {
    rmSync(dir, { recursive: true })
  }
})
