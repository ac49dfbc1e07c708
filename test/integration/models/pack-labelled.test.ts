import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LabelledSource } from '../../../edge-daemon/shadow/labelled-source.ts'
import { verifyFolder } from '../../../packages/verify-folder.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import type { ModelRequest } from '../../../src/command-line/model-commands.ts'
import { runModel } from '../../../src/commands/model.ts'
import { packLabelled } from '../../../src/packages/pack-labelled.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { samplePicture } from '../../support/pictures.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-labelled-'))
  for (const digit of [0, 1, 2]) {
    mkdirSync(join(dir, 'set', `${digit}`), { recursive: true })
    for (let n = 0; n < 10; n += 1) writeFileSync(join(dir, 'set', `${digit}`, `${n}.png`), samplePicture(digit))
  }
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('is read by a node as it was packed, classes mixed, the same each time, and prints its digest', async () => {
  const io = new CapturedIo()
  const out = join(dir, 'out')
  const line = ['labelled', 'pack', join(dir, 'set'), '--name', 'digits-seen', '--release', '3', '--out', out]
  const { task } = readCommandLine(line, '0') as ModelRequest
  await runModel(task, { file: null } as never, io)
  const whole = await verifyFolder({ folder: out, trust: null })
  expect(io.out().trim()).toBe(whole.digest)
  expect(whole.statement).toMatchObject({ kind: 'labelled', name: 'digits-seen', version: '3' })

  const source = new LabelledSource(out)
  const labels: string[] = []
  for (let sample = await source.next(); sample !== null; sample = await source.next()) {
    expect(Buffer.from(sample.picture).equals(samplePicture(Number(sample.label)))).toBe(true)
    labels.push(sample.label ?? '')
  }
  source.close()
  expect(labels.toSorted()).toEqual([...'0'.repeat(10), ...'1'.repeat(10), ...'2'.repeat(10)])
  expect(new Set(labels.slice(0, 10)).size).toBe(3)

  const again = join(dir, 'again')
  await packLabelled({ folder: join(dir, 'set'), name: 'digits-seen', version: '3', out: again })
  expect((await verifyFolder({ folder: again, trust: null })).digest).toBe(whole.digest)
})

test('refuses a folder without pictures, one that is too large, and a name that is none, before anything counts', async () => {
  const wish = { name: 'set', version: '1', out: join(dir, 'out') }
  mkdirSync(join(dir, 'empty', 'cat'), { recursive: true })
  await expect(packLabelled({ ...wish, folder: join(dir, 'empty') })).rejects.toThrow('holds no folder with pictures')
  await expect(packLabelled({ ...wish, folder: join(dir, 'set'), name: '../x' })).rejects.toMatchObject({
    code: 'PACKAGE_INVALID',
  })
  expect(readdirSync(dir)).not.toContain('out')
  writeFileSync(join(dir, 'set', '1', 'large.png'), Buffer.alloc(4_100_000))
  await expect(packLabelled({ ...wish, folder: join(dir, 'set') })).rejects.toThrow(/large\.png.*too large/)
  expect(readdirSync(wish.out)).not.toContain('package.sig')
})
