import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isSafe } from '../../../protocol/untrusted-text.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import { runReplay } from '../../../src/commands/replay.ts'
import { mergeClouds } from '../../../src/config/cloud-address.ts'
import { parseNodeFlag } from '../../../src/link/directory.ts'
import { cloudBlock, cloudRecord, publishBlocks } from '../../support/cloud-blocks.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { EdgedeckProcess, edgedeck } from '../../support/edgedeck.ts'
import { LiveNode, logBody, resultBody } from '../../support/live-node.ts'
import { type NatsFixture, natsFixture } from '../../support/nats-server.ts'

let node: LiveNode
let nats: NatsFixture
beforeEach(async () => {
  ;[node, nats] = await Promise.all([new LiveNode().start(), natsFixture()])
  await nats.addStream()
})
afterEach(async () => {
  await node.server.stop()
  await nats[Symbol.asyncDispose]()
})

/** The command inside this process: whether all answered, and what it wrote. */
async function replay(...args: readonly string[]) {
  const request = readCommandLine(['replay', ...args], '0.0.0')
  if (request.kind !== 'replay') throw new Error(`read as ${request.kind}`)
  const address = request.node.map(parseNodeFlag).find(({ key }) => key === request.name) ?? null
  const io = new CapturedIo()
  const clouds = mergeClouds(request.cloud, [])
  const whole = await runReplay({ ...request, node: address, clouds, access: { version: '0.0.0' } }, io)
  return { whole, stdout: io.out(), stderr: io.err() }
}

const EVER = ['--from', '1970-01-01', '--to', '2099-01-01', '--timeout', '60s']
const at = () => ['--node', `n1=${node.url}`]
const cloud = () => ['--cloud', `east=${nats.url}`]
const lines = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map(
      (line) =>
        JSON.parse(line) as { kind: string; source: string; record?: { seq: number }; gap?: { reason: string } },
    )
const told = (stdout: string) =>
  lines(stdout).map(({ kind, source, record, gap }) => `${kind} ${source} ${record?.seq ?? gap?.reason}`)
/** A record of the time that {@link LiveNode} keeps its rows at. */
const old = (seq: number, body = resultBody('failed')) => {
  const timestamp = 1_000_000 + seq
  return { seq, timestamp, line: JSON.stringify({ seq, node_id: 'n1', timestamp, ...body }) }
}

describe('edgedeck replay', () => {
  it('prints what the node keeps, kind by kind, each record as it is kept', async () => {
    node.keep('results', resultBody())
    node.keep('alerts', {
      rule: 'cpu_high',
      state: 'firing',
      severity: 'warning',
      value: 91,
      threshold: 80,
      unit: '%',
      since: 1,
      msg: 'CPU is high',
    })
    node.keep('logs', logBody('hello \u001b[2J\u202e', 'warn'))
    const { whole, stdout, stderr } = await replay('n1', ...at(), ...EVER, '-o', 'ndjson')
    expect({ whole, stderr }).toEqual({ whole: true, stderr: '' })
    expect(told(stdout)).toEqual(['results node 1', 'alerts node 2', 'logs node 3'])
    expect(lines(stdout)[0]).toEqual({
      kind: 'results',
      node: 'n1',
      epoch: null,
      source: 'node',
      record: { seq: 1, node_id: 'n1', timestamp: 1_000_001, ...resultBody() },
    })
    expect(stdout.split('\n').every(isSafe)).toBe(true)
    expect(lines(stdout)[2]).toMatchObject({ record: { msg: 'hello \u001b[2J\u202e' } })
    const table = await replay('n1', ...at(), ...EVER)
    expect(table.stdout.split('\n').slice(0, 4)).toEqual([
      'TIME (UTC)                     SEQ  WHAT',
      '1970-01-01T00:16:40.001Z         1  200 7 90 % in 5.0 ms by digits@1.0.0',
      '1970-01-01T00:16:40.002Z         2  firing warning cpu_high: CPU is high',
      '1970-01-01T00:16:40.003Z         3  WARN  edge-daemon: hello ␛[2J·',
    ])
    const json = await replay('n1', ...at(), ...EVER, '--kind', 'logs,results', '-o', 'json')
    expect((JSON.parse(json.stdout) as { kind: string }[]).map(({ kind }) => kind)).toEqual(['logs', 'results'])
    expect((await replay('n1', ...at(), '-o', 'json')).stdout).toBe('[]\n')
  })

  it('reads on over as many requests as it takes, and says what was too large', async () => {
    for (let n = 0; n < 4500; n += 1) node.keep('results', resultBody())
    node.keep('results', { ...resultBody(), msg: 'x'.repeat(300_000) })
    const { stdout } = await replay('n1', ...at(), ...EVER, '--kind', 'results', '-o', 'ndjson')
    const rows = lines(stdout)
    expect(rows.flatMap(({ record }) => record?.seq ?? [])).toEqual(Array.from({ length: 4500 }, (_, n) => n + 1))
    expect(rows.flatMap(({ gap }) => gap?.reason ?? [])).toEqual(['too_large'])
  })

  it('waits for a slow pipe, and ends without a word when it closes', async () => {
    for (let n = 0; n < 30_000; n += 1) node.keep('results', { ...resultBody(), msg: 'x'.repeat(1000) })
    let pages = 0
    const read = node.read.bind(node)
    node.read = (request) => {
      pages += 1
      return read(request)
    }
    const running = new EdgedeckProcess(['replay', 'n1', ...at(), ...EVER, '--kind', 'results', '-o', 'ndjson'])
    // Not by looking now and then: more would go through meanwhile.
    running.child.stdout.once('data', () => running.child.stdout.pause())
    await running.until(() => running.stdout.length > 0)
    let before = -1
    while (pages !== before) {
      before = pages
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    expect(pages).toBeLessThan(40)
    running.child.stdout.destroy()
    const { code, stderr } = await running.result
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  it('takes from the cloud what the node does not have any more, and no record twice', async () => {
    await publishBlocks(nats, cloudBlock([old(1), old(2)], { prevSeq: 0, site: 's1' }))
    node.keep('logs', logBody('another class takes sequences'))
    node.keep('results', resultBody('failed'))
    node.keep('results', resultBody())
    const flags = [...at(), ...cloud(), ...EVER, '-o', 'ndjson']
    const { whole, stdout } = await replay('n1', ...flags, '--kind', 'results')
    expect(whole).toBe(true)
    expect(told(stdout)).toEqual(['results cloud 1', 'results node 2', 'results node 3'])
    const alone = await replay('n1', ...flags, '--source', 'node')
    expect(told(alone.stdout).filter((line) => line.startsWith('results'))).toEqual([
      'results node 2',
      'results node 3',
    ])
  })

  it('reads the cloud when the node is dead, says so, and exits 1', async () => {
    await publishBlocks(
      nats,
      cloudBlock([cloudRecord(1, resultBody('failed'))], { prevSeq: 0 }),
      cloudBlock([cloudRecord(9, resultBody('failed'))], { prevSeq: 4 }),
    )
    const dead = ['replay', 'n1', '--node', 'n1=ws://127.0.0.1:1/live', ...cloud(), ...EVER, '--kind', 'results']
    const { code, stdout, stderr } = await edgedeck([...dead, '-o', 'ndjson'])
    expect(code).toBe(1)
    expect(told(stdout)).toEqual(['results cloud missing', 'results cloud 1', 'results cloud 9'])
    expect(lines(stdout)[1]).toMatchObject({ epoch: 'e1' })
    expect(stderr).toMatch(/^edgedeck: n1: connection refused.*; reading the cloud instead\n$/)
    expect((await replay(...dead.slice(1))).stderr).toMatch(/results from 2026-.* to 2026-.* are not here: missing\n$/)
    // Nobody lists the node: the cloud knows it.
    const byName = await replay('plant/n1', ...cloud(), ...EVER, '--kind', 'results', '-o', 'ndjson')
    expect(byName.whole).toBe(true)
    expect(told(byName.stdout)).toHaveLength(3)
  })

  it('says what to do when there is nothing to read from', async () => {
    const gone = ['x', '--cloud', 'west=nats://127.0.0.1:1', ...EVER]
    await expect(replay('n7', ...at())).rejects.toMatchObject({ code: 'USAGE', message: 'no node is called n7' })
    await expect(replay('n1', '--node', 'n1=ws://127.0.0.1:1/live')).rejects.toMatchObject({
      code: 'NODE_UNREACHABLE',
      next: [expect.stringContaining('--cloud')],
    })
    await expect(replay('n1', ...at(), '--source', 'cloud')).rejects.toThrow('no region of the cloud is known')
    expect(await replay(...gone)).toMatchObject({ whole: false, stderr: expect.stringContaining('UNREACHABLE: west') })
    await expect(replay('n1', ...at(), '--from', 'soon')).rejects.toThrow('"soon" is not a time')
    await expect(replay('n1', ...at(), '--from', 'now', '--to', '-1m')).rejects.toThrow('--from is after --to')
  })
})
