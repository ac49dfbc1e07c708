import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { addKey } from '../../../edge-daemon/store/key-file.ts'
import type { ShadowReport } from '../../../protocol/change.ts'
import { ChangingNode } from '../../support/changing-node.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { descendants, isAlive } from '../../support/process-tree.ts'
import { neverSays } from '../../support/worse-model.ts'

// Children start in 0.2 s on an idle machine and in several on a busy one.
vi.setConfig({ testTimeout: 300_000 })
const PATIENT = { timeoutMs: 120_000 }
/** On a busy machine nothing moves at idle priority. */
const SETTINGS = { 'models.shadowPriority': 'normal' }
const NOT_SEVEN = [0, 1, 2, 3, 4, 5, 6, 8, 9]
const DIGITS = fileURLToPath(new URL('../../../models/digits/', import.meta.url))
const BLIND_TO_7 = neverSays(7, readFileSync(join(DIGITS, 'digits.onnx')))

function shadowOf(node: ChangingNode): ShadowReport | null {
  return node.changes.change?.shadow ?? null
}

/** Pids of what the daemon runs beside the child that serves. */
function besides(node: ChangingNode): number[] {
  return descendants(node.served?.pid as number).filter((pid) => pid !== node.childPid && isAlive(pid))
}

async function shadowing(node: ChangingNode, how: Readonly<Record<string, unknown>>): Promise<void> {
  await node.stage(await node.shelve('1.0.1', BLIND_TO_7, NOT_SEVEN))
  await node.ask('change.shadow', { samples: 40, samplePct: 100, ...how })
}

test('on live traffic a candidate that is blind to a digit is seen to be, and devices are answered as before', async () => {
  await using node = new ChangingNode(SETTINGS)
  await node.serve()
  await shadowing(node, { source: 'live' })
  await eventually(async () => {
    // The samples' order is that of the digits: every tenth is a seven.
    expect(new Set(await node.infer(10))).toEqual(new Set([200]))
    return shadowOf(node)?.isDone === true
  }, PATIENT)
  const report = shadowOf(node)
  expect(report).toMatchObject({ source: 'live', wanted: 40, compared: 40, errors: 0 })
  expect(report?.agreed).toBeLessThan(40)
  expect(report?.agreed).toBeGreaterThan(20)
  expect(report?.confusion.every(([was, is]) => was === 7 && is !== 7)).toBe(true)
  expect(await node.until('staged')).toMatchObject({ isLocked: true, fault: null })
  expect(node.version).toBe('1.0.0')
  await eventually(() => besides(node).length === 0, PATIENT)
})

test('on kept pictures of a sealed store', async () => {
  await using node = new ChangingNode()
  const keyFile = join(node.home.dir, 'store.keys')
  addKey(keyFile)
  node.configure({ ...SETTINGS, 'inputs.sampleEvery': 1, 'store.keyFile': keyFile })
  await node.serve()
  await node.infer(30)
  await shadowing(node, { source: 'kept', samples: 1000 })
  await eventually(() => shadowOf(node)?.isDone === true, PATIENT)
  expect(shadowOf(node)).toMatchObject({ source: 'kept', wanted: 1000, compared: 30, agreed: 27 })
})

test('on a labelled set that somebody signed it is told how many each gets right; another package is refused as one', async () => {
  await using node = new ChangingNode(SETTINGS)
  await node.serve()
  const samples = readdirSync(join(DIGITS, 'samples'))
  const head = { format: 1, classes: [...'0123456789'], pictures: samples.length }
  const lines = samples.map((name) => ({
    label: name[0],
    picture: readFileSync(join(DIGITS, 'samples', name)).toString('base64'),
  }))
  const text = [head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('')
  const labelled = await node.put('labelled', '1', { 'labelled.ndjson': text })
  await shadowing(node, { source: 'labelled', samples: 1000, labelled })
  await eventually(() => shadowOf(node)?.isDone === true, PATIENT)
  const sevens = samples.filter((name) => name.startsWith('7')).length
  const total = samples.length
  expect(shadowOf(node)?.labelled).toEqual({ total, currentRight: total, candidateRight: total - sevens })

  await node.until('staged')
  const item = await node.shelve('1.0.2')
  await node.ask('change.shadow', { source: 'labelled', samples: 10, labelled: item.digest })
  const { fault } = await node.until('failed')
  expect(fault?.msg).toMatch(/is of kind model, not a labelled set/)
})

test('a candidate that is killed in the middle is told of and harms nobody; the end leaves nothing running', async () => {
  await using node = new ChangingNode(SETTINGS)
  await node.serve()
  await shadowing(node, { source: 'live', samples: 100_000 })
  const serving = node.childPid
  for (let death = 0; death < 3; death += 1) {
    await eventually(async () => {
      expect(new Set(await node.infer(5))).toEqual(new Set([200]))
      return besides(node).length === 2 && (shadowOf(node)?.compared ?? 0) > 0
    }, PATIENT)
    const killed = besides(node)
    for (const pid of killed) process.kill(pid, 'SIGKILL')
    await eventually(() => !killed.some(isAlive), PATIENT)
    if (node.changes.change?.phase === 'failed') break
    await node.infer(5)
  }
  await eventually(async () => {
    await node.infer(5)
    return node.changes.change?.phase === 'failed'
  }, PATIENT)
  expect(node.changes.change?.fault?.kind).toBe('load')
  expect(node.childPid).toBe(serving)
  expect(new Set(await node.infer(10))).toEqual(new Set([200]))
  await eventually(() => besides(node).length === 0, PATIENT)
})

test.each(['change.end', 'SIGTERM', 'SIGKILL'] as const)('after %s nothing of a shadow runs any more', async (how) => {
  await using node = new ChangingNode(SETTINGS)
  await node.serve()
  await shadowing(node, { source: 'live', samples: 100_000 })
  await eventually(() => besides(node).length === 2, PATIENT)
  const pids = besides(node)
  // A child that is stopped sees no end of its pipe.
  process.kill(pids[0] as number, 'SIGSTOP')
  if (how === 'change.end') await node.ask('change.end')
  else process.kill(node.served?.pid as number, how)
  await eventually(() => !pids.some(isAlive), PATIENT)
})

test('on probation the model before is asked too, and too much disagreement takes the new one back', async () => {
  await using node = new ChangingNode(SETTINGS)
  await node.serve()
  const gates = { maxDisagreePct: 3, minRequests: 30 }
  await node.activate(await node.shelve('1.0.1', BLIND_TO_7, NOT_SEVEN), { gates, comparePct: 100 })
  await eventually(async () => {
    await node.infer(10)
    return node.changes.change?.phase === 'reverted'
  }, PATIENT)
  expect(node.changes.change?.fault).toMatchObject({ kind: 'disagrees' })
  expect(node.version).toBe('1.0.0')
  await eventually(() => besides(node).length === 0, PATIENT)
})
