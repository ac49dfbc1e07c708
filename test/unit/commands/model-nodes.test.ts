import { expect, it } from 'vitest'
import type { StatusChanges } from '../../../protocol/change.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import { heldPackages } from '../../../src/commands/model-nodes.ts'
import { cleanStatus, safe } from '../../../src/fleet/clean.ts'
import { changeStatus, changesWith, modelItem } from '../../support/change-status.ts'
import { statusFrame } from '../../support/live-frames.ts'

const AT = 1_793_000_000_000
const NODE = { key: 'press-1', site: safe('plant'), state: 'up', reason: null } as const

function held(changes: StatusChanges | undefined, version = '1.0.0', node: Parameters<typeof heldPackages>[0] = NODE) {
  const frame = statusFrame({ at: AT })
  const model = { name: 'digits', version, variant: 'int8' }
  const inference = { ...frame.inference, model }
  return heldPackages(node, cleanStatus({ ...frame, inference, ...(changes === undefined ? {} : { changes }) }))
}

it('tells the confirmed model that serves, with its variant', () => {
  expect(held(changesWith(null))).toMatchObject([
    { node: 'press-1', site: 'plant', version: '1.0.0', state: 'confirmed', isServed: true, variant: 'int8' },
  ])
})

it('tells what serves on probation, until when, and what the node goes back to', () => {
  expect(held(changesWith(changeStatus('probation', AT)), '2.0.0')).toMatchObject([
    {
      version: '2.0.0',
      state: 'probation',
      isServed: true,
      variant: 'int8',
      rollout: 'r7k2m',
      note: 'back by itself in 42s',
    },
    { version: '1.0.0', state: 'confirmed', isServed: false, variant: null },
  ])
})

it('tells what is only on its way, and why a change failed, behind what serves', () => {
  expect(held(changesWith(changeStatus('staging', AT)))).toMatchObject([
    { version: '1.0.0', state: 'confirmed', isServed: true },
    { version: '2.0.0', state: 'staging', isServed: false },
  ])
  const fault = { kind: 'package', msg: 'nobody trusted signed it' } as const
  expect(held(changesWith(changeStatus('failed', AT, { fault })))[1]).toMatchObject({
    state: 'failed',
    note: 'package: nobody trusted signed it',
  })
  const over = changeStatus('confirmed', AT, { isLocked: false, item: modelItem('1.0.0') })
  expect(held(changesWith(over))).toHaveLength(1)
})

it('tells settings beside the model, and in what the node differs from them', () => {
  const confirmed = [modelItem('1.0.0'), modelItem('3.0.0', 'config')]
  const drift = ['filter.minConfidence is 0.5 and not 0.8']
  expect(held(changesWith(null, { confirmed, drift }))).toMatchObject([
    { kind: 'model', isServed: true, drift: [] },
    { kind: 'config', version: '3.0.0', isServed: true, state: 'confirmed', variant: null, drift },
  ])
})

it('tells a model that is no package, a node that is away, and one that never told', () => {
  expect(held(changesWith(null, { confirmed: [] }))).toMatchObject([
    { version: '1.0.0', state: 'serves', isServed: true, digest: null, note: 'of its own folder' },
  ])
  expect(held(undefined)).toMatchObject([{ state: 'serves', note: 'it tells nothing of packages' }])
  const offline = { ...NODE, state: 'offline', reason: safe('no word for 3m') } as const
  expect(held(changesWith(null), '1.0.0', offline)[0]?.note).toBe('offline: no word for 3m')
  expect(heldPackages(offline, null)).toMatchObject([{ state: 'none', name: null, note: 'offline: no word for 3m' }])
})

it('takes nodes as rollouts do, or a folder', () => {
  expect(readCommandLine(['model', 'list'], '0')).toMatchObject({ kind: 'model', task: { what: 'list', folder: '.' } })
  expect(readCommandLine(['model', 'list', '--all', '-o', 'json'], '0')).toMatchObject({
    kind: 'model-nodes',
    format: 'json',
  })
  const chosen = readCommandLine(['model', 'list', '--on', 'site=plant', '!press-3', '-o', 'ndjson'], '0')
  if (chosen.kind !== 'model-nodes') throw new TypeError('it is about nodes')
  expect(chosen.selection.holds({ key: 'press-1', site: 'plant' }, null)).toBe(true)
  expect(chosen.selection.holds({ key: 'press-3', site: 'plant' }, null)).toBe(false)
  for (const wrong of [
    ['dir', '--all'],
    ['--all', '--on', 'a'],
    ['--on', 'a', '--trust', 'k.pub'],
  ]) {
    expect(() => readCommandLine(['model', 'list', ...wrong], '0')).toThrow(expect.objectContaining({ code: 'USAGE' }))
  }
})
