import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const PRELOAD = fileURLToPath(new URL('../../torture/fault-preload.ts', import.meta.url))

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-preload-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

function run(script: string, env: Record<string, string>): SpawnSyncReturns<string> {
  const args = ['--input-type=module', '--eval', script]
  const options = { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: `--import=${PRELOAD}`, ...env } } as const
  return spawnSync(process.execPath, args, options)
}

it('moves the wall clock of a process and leaves its monotonic clock alone', () => {
  const file = join(dir, 'shift')
  writeFileSync(file, '3600000')
  const script = `
    import { writeFileSync } from 'node:fs'
    const [now, made, monotonic] = [Date.now(), new Date().getTime(), performance.now()]
    writeFileSync(${JSON.stringify(file)}, '-3600000')
    await new Promise((resolve) => setTimeout(resolve, 100))
    console.log(JSON.stringify({ now, made, back: now - Date.now(), passed: performance.now() - monotonic,
      set: new Date(5).getTime(), is: new Date() instanceof Date, iso: new Date(0).toISOString() }))`
  const before = Date.now()
  const said = JSON.parse(run(script, { TORTURE_CLOCK: file }).stdout)
  expect(said.now - before).toBeGreaterThanOrEqual(3_600_000)
  expect(said.made - said.now).toBeLessThan(1000)
  expect(said.back).toBeGreaterThan(7_100_000)
  expect(said.passed).toBeLessThan(60_000)
  expect(said).toMatchObject({ set: 5, is: true, iso: '1970-01-01T00:00:00.000Z' })
})

it.each([
  ['before', 'one'],
  ['after', 'one,two'],
])('kills a process exactly %s the call it is told, in a worker alone', (when, left) => {
  const file = join(dir, 'written')
  const script = `
    import { appendFileSync } from 'node:fs'
    import { Worker } from 'node:worker_threads'
    appendFileSync(${JSON.stringify(file)}, '')
    appendFileSync(${JSON.stringify(file)}, 'one')
    new Worker(\`
      import { appendFileSync } from 'node:fs'
      appendFileSync(${JSON.stringify(file)}, '')
      appendFileSync(${JSON.stringify(file)}, ',two')
      appendFileSync(${JSON.stringify(file)}, ',three')
    \`, { eval: true })
    setTimeout(() => undefined, 200_000)`
  expect(run(script, { TORTURE_CRASH: `appendFileSync:${when}:2` }).signal).toBe('SIGKILL')
  expect(readFileSync(file, 'utf8')).toBe(left)
})
