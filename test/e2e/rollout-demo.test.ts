import { mkdtempSync, rmSync } from 'node:fs'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EdgedeckProcess } from '../support/edgedeck.ts'
import { HeadlessDemo } from '../support/headless-demo.ts'
import { MUCH_TIME } from '../support/rollout-fleet.ts'

/** On a machine that runs all tests at once every model is slow; where that is not the story it decides nothing. */
const PATIENT = ['--set', 'gates.maxSlowPct=100', '--set', 'localGates.maxSlowPct=100'] as const
/** The demo's strategy has less time for confirming than a soak may then take. */
const SHADOWED = [...MUCH_TIME, '--set', 'confirmWithin=500s'] as const

let demo: HeadlessDemo
let stateDir: string

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'rollout-demo-'))
  demo = new HeadlessDemo()
  await demo.untilServing()
})
afterEach(async () => {
  await demo[Symbol.asyncDispose]()
  rmSync(stateDir, { recursive: true, force: true })
})

function command(...words: string[]): EdgedeckProcess {
  const nodes = demo.latest.nodes.flatMap(({ name, liveUrl }) => ['--node', `${name}=${liveUrl}`])
  return new EdgedeckProcess(['rollout', ...words, ...nodes], { XDG_STATE_HOME: stateDir })
}

/** Roll out one of the demo's models by the demo's strategy. */
function roll(what: string, ...words: readonly string[]): EdgedeckProcess {
  const model = demo.latest.models.find((one) => one.what === what)
  const { strategy } = demo.latest
  if (model?.from == null || strategy === null) throw new Error(`${what} is not offered`)
  const how = ['--all', '--from', model.from, '--strategy', strategy, '--leave-paused']
  return command('start', model.folder, ...how, ...words)
}

function shadow(samples: number, maxDisagreePct: number): string {
  return `shadow={"source":"live","samples":${samples},"samplePct":100,"maxDisagreePct":${maxDisagreePct}}`
}

/** Where the newest rollout and its nodes stand, by its journal. */
async function outcome(): Promise<unknown> {
  const { stdout } = await command('status', '-o', 'json').result
  return JSON.parse(stdout)
}

describe('the models of the demo, rolled out by plain commands over its nodes', { timeout: 900_000 }, () => {
  test('the better one goes through, to the canary first', async () => {
    const { code, stdout, stderr } = await roll('better', ...PATIENT, ...SHADOWED, '--set', shadow(40, 20)).result
    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/canary is through: 1 of 1 changed[\s\S]*wave-1 is through: 2 of 2 changed[\s\S]*done\n$/)
    expect(await outcome()).toMatchObject({ course: 'done', exceptions: [] })
  })

  test('the worse one is stopped by the shadow before anybody is served by it', async () => {
    // It says something else on a sixth to a third of the pictures, in stretches: of few of them that may be any share.
    const { code, stdout, stderr } = await roll('worse', ...PATIENT, ...SHADOWED, '--set', shadow(300, 5)).result
    expect(code, stdout + stderr).toBe(6)
    expect(stdout).toMatch(/paused: shadow on node-\d: \d+ of 300 differed from the current one \(\d+ %\), limit 5 %/)
    expect(stdout).not.toContain('is through')
  })

  test('the slow one is taken back by the share of answers over 50 ms, and goes no further than the canary', async () => {
    const { code, stdout, stderr } = await roll('slow', '--set', 'shadow=null').result
    expect(code, stdout + stderr).toBe(5)
    expect(stdout).toMatch(/went back by itself: \d+ of \d+ \([\d.]+ %\) took too long, and 80 % may/)
    expect(stdout).not.toContain('wave-1 begins')
    expect(await outcome()).toMatchObject({ course: 'reverted', exceptions: [] })
  })

  test('the crashing one is taken back by the first node on which it ends twice', async () => {
    const words = [...PATIENT, '--set', 'shadow=null', '--set', 'soak=60s', '--set', 'maxSoak=90s']
    const patient = ['--set', 'confirmWithin=150s', '--set', 'localGates.maxFailedPct=100']
    const { code, stdout, stderr } = await roll('crashing', ...words, ...patient).result
    // Elsewhere the division that ends it wraps around, and it is a good model.
    if (arch() !== 'x64') return expect(code, stdout + stderr).toBe(0)
    expect(code, stdout + stderr).toBe(5)
    expect(stdout).toMatch(/went back by itself: .*\(unclean_starts\)/)
    expect(await outcome()).toMatchObject({ course: 'reverted', exceptions: [] })
  })
})
