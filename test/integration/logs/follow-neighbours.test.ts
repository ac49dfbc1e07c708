import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { siblingsOf } from '../../../edge-daemon/logs/follow/file-place.ts'
import { FollowService } from '../../../edge-daemon/logs/follow/service.ts'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { followSettings } from '../../support/follow-settings.ts'

function folder(...names: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-neighbours-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  for (const name of names) writeFileSync(join(dir, name), '')
  return dir
}

test.each([
  ['node-3-camera.log', 'node-3-camera.log', ['node-3-camera.log.1', 'node-3-camera.log-20261126']],
  ['node-3-camera.log', 'node-3-camera.log.1', ['node-3-camera.log.1', 'node-3-camera.log-20261126']],
  ['app.log', 'app-2026-11-25.log', ['app-2026-11-24.log', 'app-2026-11-25.log']],
  [
    'current',
    'node-3-app.20261125T101112Z.log',
    ['node-3-app.20261125T101112Z.log', 'node-3-app.20261126T101112Z.log'],
  ],
])('what is followed as %s and stands in %s has no neighbour for a rotated file of its own', (followed, name, own) => {
  const others = ['node-1-camera.log', 'node-2-camera.log', 'node-3-camera.log', 'node-3-camera.log.1']
  const rotated = ['node-3-camera.log-20261126', 'node-3-camera.log.2.gz', 'app-2026-11-24.log', 'app-2026-11-25.log']
  const dated = ['node-3-app.20261125T101112Z.log', 'node-3-app.20261126T101112Z.log']
  const dir = folder(...others, ...rotated, ...dated)
  const found = siblingsOf(join(dir, name), join('/logs', followed)).map(({ path }) => basename(path))
  expect(found.sort()).toEqual([...own].sort())
})

test('a log whose name has a number is followed without the logs of other numbers beside it', async () => {
  const dir = folder('node-3.log')
  const store = await openStore({ dir: join(dir, 'store'), nodeName: 'n1', maxBytes: 1e8, segmentBytes: 4e6 })
  const kept: string[] = []
  store.onCommit((records) => {
    for (const { line } of records) kept.push(...(/of node-\d/.exec(line) ?? []))
  })
  const settings = followSettings(join(dir, 'node-3.log'))
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const service = new FollowService({ settings, stateDir: dir, store, settleMs: 0, log })
  await service.start()
  // Found while it was empty; what others wrote since was changed later, as a file that was rotated away would be.
  writeFileSync(join(dir, 'node-1.log'), 'INFO of node-1\n')
  for (let n = 0; n < 3; n += 1) {
    appendFileSync(join(dir, 'node-3.log'), 'INFO of node-3\n')
    await eventually(() => kept.filter((said) => said === 'of node-3').length === n + 1, {
      timeoutMs: 90_000,
      what: 'the line is kept',
    })
  }
  await service.stop()
  await store.close()
  expect(kept).toEqual(['of node-3', 'of node-3', 'of node-3'])
}, 240_000)
