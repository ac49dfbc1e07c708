import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Simulator, startSimulator } from '../../../bench/simulator/simulator.ts'
import { isSafe } from '../../../protocol/untrusted-text.ts'
import { EdgedeckProcess, edgedeck } from '../../support/edgedeck.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator({ nodes: 4, hz: 2, logsPerSec: 40, hostile: true })
})
afterAll(async () => {
  await simulator.stop()
})
const flags = (count = 4) => simulator.nodes.slice(0, count).flatMap(({ key, url }) => ['--node', `${key}=${url}`])
/** How long a busy machine may take. */
const PATIENT = ['--timeout', '60s']

describe('edgedeck nodes', () => {
  it('prints every node as JSON with known figures, and exits 0', async () => {
    const { code, stdout, stderr } = await edgedeck(['nodes', ...PATIENT, '-o', 'json', ...flags()])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const nodes = JSON.parse(stdout) as Record<string, unknown>[]
    expect(nodes.map((node) => node.name).toSorted()).toEqual(simulator.nodes.map((node) => node.key))
    for (const node of nodes) {
      expect(node).toMatchObject({ state: 'up', reason: null, model: 'digits@1.0.0 fp32', uplink: 'up' })
      expect(node.inferencesPerSec).toBeGreaterThan(1)
      expect(node.savedPct).toBeGreaterThan(90)
    }
  })

  it('shows an unreachable node on top with the reason, and exits 1', async () => {
    const gone = ['--node', 'gone=ws://127.0.0.1:1/live']
    const { code, stdout } = await edgedeck(['nodes', ...PATIENT, ...flags(2), ...gone])
    expect(code).toBe(1)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(4)
    expect(lines[0]).toMatch(/^NAME +SITE +STATE +CPU .* AGE +NOTE$/)
    expect(lines[1]).toMatch(/^gone .*connecting.*connection refused: nothing listens there$/)
  })

  it('lets nothing hostile through to the terminal', async () => {
    const { stdout } = await edgedeck(['nodes', ...PATIENT, ...flags(1)])
    expect(stdout).toContain('␛[2J')
    expect(stdout.split('\n').filter((line) => !isSafe(line))).toEqual([])
  })

  it('is what `edgedeck` prints where there is no terminal', async () => {
    const { code, stdout } = await edgedeck(flags(2))
    expect(code).toBe(0)
    expect(stdout).toMatch(/^NAME .*\nnode-00/)
  })

  it('watches until it is ended by a signal, and says so by its exit code', async () => {
    const running = new EdgedeckProcess(['nodes', '--watch', '-o', 'ndjson', ...flags(1)])
    await running.until(() => running.stdout.split('\n').length > 3)
    running.child.kill('SIGTERM')
    expect((await running.result).code).toBe(143)
  })
})

describe('edgedeck model list over nodes', () => {
  it('says what each selected node serves, and that one did not answer', async () => {
    const [first = '', second = ''] = simulator.nodes.map(({ key }) => key)
    const whole = await edgedeck(['model', 'list', ...PATIENT, '--on', first, second, '-o', 'json', ...flags()])
    expect(whole).toMatchObject({ code: 0, stderr: '' })
    const rows = JSON.parse(whole.stdout) as Record<string, unknown>[]
    expect(rows.map(({ node }) => node).toSorted()).toEqual([first, second])
    for (const row of rows)
      expect(row).toMatchObject({ name: 'digits', version: '1.0.0', variant: 'fp32', isServed: true })
    const gone = ['--node', 'gone=ws://127.0.0.1:1/live']
    const { code, stdout } = await edgedeck(['model', 'list', ...PATIENT, '--all', ...flags(1), ...gone])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^NODE +SITE +KIND +NAME +VERSION +VARIANT +NOW +STATE +DIGEST +NOTE\n/)
    expect(stdout).toMatch(/^gone .*connection refused/m)
  })
})
