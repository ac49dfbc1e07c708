import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/edge-daemon.ts'
import { MUCH_TIME, RolloutFleet } from '../support/rollout-fleet.ts'
import { worseGraph } from '../support/worse-model.ts'

const DIGITS = fileURLToPath(new URL('../../models/digits/digits.onnx', import.meta.url))

let fleet: RolloutFleet

beforeEach(() => {
  fleet = new RolloutFleet(3)
})
afterEach(async () => {
  await fleet[Symbol.asyncDispose]()
})

const all = (version: string) => [version, version, version]

describe('a rollout over real daemons, by plain commands', () => {
  test('brings a good model to all, canary first, and explains itself; no request fails', async () => {
    const item = await fleet.shelve('2.0.0')
    await fleet.start()
    const { code, stdout, stderr } = await fleet.roll(item).result
    expect(code, `${stderr}\n${stdout}`).toBe(0)
    expect(stderr).toContain('3 nodes at 1 site')
    expect(stdout).toMatch(/canary begins[\s\S]*canary: gates pass[\s\S]*wave-1 begins[\s\S]*done\n$/)
    await eventually(() => fleet.versions().every((version) => version === '2.0.0'), { what: 'all serve it' })
    expect(fleet.answered).toBeGreaterThan(50)
    expect(fleet.failed).toBe(0)
    const explained = await fleet.run('explain')
    expect(explained.stdout).toMatch(/pass +0 of \d+ failed \(0 %\), limit 2 %/)
    const listed = await fleet.run('list', '-o', 'json')
    expect(JSON.parse(listed.stdout)).toMatchObject([{ phase: 'done', course: 'done' }])
  })

  test('is stopped by the shadow when the model says something else, before anybody is served by it', async () => {
    // It still gets these right, so that no self-test stops it.
    const item = await fleet.shelve('2.0.1', worseGraph(readFileSync(DIGITS)), [1, 3, 5, 9])
    await fleet.start()
    const shadow = '{"source":"live","samples":30,"nodes":"canary"}'
    const { code, stdout } = await fleet.roll(item, '--set', `shadow=${shadow}`, ...MUCH_TIME, '--leave-paused').result
    expect(code, stdout).toBe(6)
    expect(stdout).toMatch(/differed from the current one \(\d+ %\), limit 20 %/)
    expect(fleet.versions()).toEqual(all('1.0.0'))
    const aborted = await fleet.run('abort', '--why', 'it says something else')
    expect(aborted.stderr).toContain('nobody drives it')
    const driven = await fleet.run('drive', '-o', 'json')
    expect(driven.code, driven.stdout).toBe(5)
    expect(JSON.parse(driven.stdout)).toMatchObject({ course: 'reverted', exceptions: [] })
    expect(fleet.versions()).toEqual(all('1.0.0'))
  })
})
