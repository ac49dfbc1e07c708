import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Simulator, startSimulator } from '../../../bench/simulator/simulator.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { EdgedeckProcess, edgedeck } from '../../support/edgedeck.ts'

let simulator: Simulator
let folder: string
beforeAll(async () => {
  simulator = await startSimulator({ nodes: 4, hz: 20, logsPerSec: 400, hostile: true })
  folder = await mkdtemp(join(tmpdir(), 'edgedeck-commands-'))
})
afterAll(async () => {
  await simulator.stop()
  await rm(folder, { recursive: true })
})
const flags = (count = 4) => simulator.nodes.slice(0, count).flatMap(({ key, url }) => ['--node', `${key}=${url}`])
/** How long a busy machine may take. */
const PATIENT = ['--timeout', '60s']

describe('edgedeck logs', () => {
  it('prints the newest lines of all nodes in time order', async () => {
    // Few enough that those of all are among the newest, though one node is asked later than the other.
    const few = await startSimulator({ nodes: 4, hz: 20, logsPerSec: 20, hostile: true })
    onTestFinished(() => few.stop())
    const nodes = few.nodes.flatMap(({ key, url }) => ['--node', `${key}=${url}`])
    let rows: { node: string; atMs: number; kind: string }[] = []
    const print = async (): Promise<boolean> => {
      const args = ['logs', '--tail', '30', '--level', 'debug', '-o', 'ndjson', ...PATIENT, ...nodes]
      const { code, stdout } = await edgedeck(args)
      expect(code).toBe(0)
      rows = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
      return rows.length >= 30
    }
    await eventually(print, { what: 'there are so many lines' })
    expect(rows).toHaveLength(30)
    expect(new Set(rows.map((row) => row.node)).size).toBe(4)
    expect(rows.map((row) => row.atMs)).toEqual(rows.map((row) => row.atMs).toSorted((a, b) => a - b))
  })

  it('follows chosen nodes, levels and texts, and ends quietly when its reader leaves', async () => {
    const args = [
      'logs',
      ...PATIENT,
      '-f',
      '--level',
      'error',
      '--contains',
      'OUTBOX',
      ...flags(),
      'node-002',
      'node-003',
    ]
    const running = new EdgedeckProcess(args)
    await running.until(() => running.stdout.split('\n').length > 5)
    // The last may still be coming.
    for (const line of running.stdout.split('\n').slice(0, -1)) expect(line).toMatch(/ node-00[23] ERROR .*outbox/)
    running.child.stdout.destroy()
    expect(await running.result).toMatchObject({ code: 0, stderr: '' })
  })

  it('tells on standard error which node did not answer, and exits 1', async () => {
    const { code, stderr } = await edgedeck(['logs', ...PATIENT, ...flags(1), '--node', 'gone=ws://127.0.0.1:1'])
    expect(code).toBe(1)
    expect(stderr).toBe('edgedeck: gone: connection refused: nothing listens there\n')
  })
})

describe('edgedeck', () => {
  it('without any node says how to point it at a fleet and that there is a demo', async () => {
    const { code, stderr } = await edgedeck([])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^edgedeck: USAGE: no node is known → .*--node NAME=wss:.*config\.yaml.*edgedeck demo\n$/)
  })

  it('reads its nodes from a file, and exits 78 with every line to correct when the file is wrong', async () => {
    const good = join(folder, 'good.yaml')
    const [node] = simulator.nodes
    await writeFile(good, `nodes:\n  - name: one\n    url: ${node?.url}\n`)
    const fine = await edgedeck(['nodes', ...PATIENT, '--config', good])
    expect(fine).toMatchObject({ code: 0, stdout: expect.stringContaining('one ') })
    const bad = join(folder, 'bad.yaml')
    await writeFile(bad, 'nodez: []\nlogLevel: loud\n')
    const wrong = await edgedeck(['nodes', '--config', bad])
    expect(wrong.code).toBe(78)
    expect(wrong.stderr).toContain(`${bad}:1: nodez: unknown key; did you mean "nodes"?`)
    expect(wrong.stderr).toContain(`${bad}:2: logLevel: expected one of`)
  })

  it('names a node that is not in the list', async () => {
    const { code, stderr } = await edgedeck(['logs', 'nope', ...flags(1)])
    expect(code).toBe(2)
    expect(stderr).toContain('no node is called nope')
  })
})
