import { appendFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseExposition, type Sample } from '../../../edge-daemon/health/exposition.ts'
import { ChangingNode } from '../../support/changing-node.ts'
import { eventually } from '../../support/edge-daemon.ts'

const SETTINGS = 'alerts:\n  cpuPct: 95\n'

let node: ChangingNode
beforeEach(async () => {
  node = new ChangingNode()
  await node.serve()
})
afterEach(() => node[Symbol.asyncDispose]())

/** What `/metrics` says now of changes and conditions. */
async function series(): Promise<Sample[]> {
  const url = new URL('/metrics', node.served?.liveUrl.replace('ws:', 'http:'))
  return parseExposition(await (await fetch(url)).text(), (name) => /^edge_(change|condition)/.test(name))
}

/** Wait until a condition holds, and require that it is a series too. */
async function isTold(code: string, severity: string): Promise<void> {
  await eventually(() => node.status.conditions.some((condition) => condition.code === code), { what: code })
  expect(await series()).toContainEqual({ name: 'edge_condition', labels: { code, severity }, value: 1 })
}

async function phase(): Promise<string | undefined> {
  return (await series()).find(({ name }) => name === 'edge_change_info')?.labels.phase
}

describe('a node tells whoever does not look at the rollout', { timeout: 120_000 }, () => {
  it('that a model is on probation, and that it was taken back', async () => {
    expect(await phase()).toBeUndefined()
    await node.activate(await node.shelve('2.0.0'))
    await isTold('model_on_probation', 'info')
    expect(await phase()).toBe('probation')
    await node.diesTwice()
    await node.until('reverted')
    await isTold('model_returned', 'warning')
    expect(node.status.conditions.map(({ code }) => code)).not.toContain('model_on_probation')
    expect(await phase()).toBe('reverted')
  })

  it('that confirmed settings are not in force, until others are confirmed', async () => {
    const spoilt = await node.shelveConfig('1', SETTINGS)
    await node.activate(spoilt)
    await isTold('config_on_probation', 'info')
    await node.ask('change.confirm', { activation: 'a1' })
    await node.ask('change.end')
    await node.kill()
    appendFileSync(`${node.home.stateDir}/packages/${spoilt.digest}/settings.yaml`, '# more\n')
    await node.serve()
    await isTold('config_drift', 'warning')
    await node.activate(await node.shelveConfig('2', SETTINGS), { rollout: 'r2', activation: 'a2' })
    await node.ask('change.confirm', { rollout: 'r2', activation: 'a2' })
    await eventually(() => !node.status.conditions.some(({ code }) => code === 'config_drift'), {
      what: 'it is told no longer',
    })
  })
})
