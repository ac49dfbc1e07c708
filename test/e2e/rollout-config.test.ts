import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packConfig } from '../../src/packages/pack-config.ts'
import { eventually } from '../support/edge-daemon.ts'
import { QUICK, RolloutFleet } from '../support/rollout-fleet.ts'

const SETTINGS = 'filter:\n  minConfidence: 0.9\n'

test('settings go through waves as models do, by one plain command', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-settings-'))
  await using fleet = new RolloutFleet(2)
  try {
    const file = join(dir, 'settings.yaml')
    writeFileSync(file, SETTINGS)
    // Packages of the same content are the same item, whoever signed each.
    const items = await Promise.all(fleet.nodes.map((node) => node.shelveConfig('7', SETTINGS)))
    const folder = await packConfig({ file, name: 'settings', version: '7', out: join(dir, 'package') })
    await fleet.start()
    const ended = await fleet.run('start', folder, '--all', ...QUICK, '--from', 'link')
    expect(ended, ended.stdout).toMatchObject({ code: 0 })
    // The newest status may be from just before the end.
    await eventually(() => fleet.nodes.every((node) => node.changes.confirmed.length > 0), { what: 'both tell it' })
    expect(fleet.nodes.map((node) => node.changes.confirmed)).toEqual(items.map((item) => [item]))
    expect(fleet.nodes.map((node) => node.changes.drift)).toEqual([undefined, undefined])
    expect(fleet.failed).toBe(0)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
