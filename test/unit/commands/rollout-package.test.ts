import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { digestOfStatement } from '../../../identity/package-signature.ts'
import type { Statement } from '../../../protocol/package.ts'
import { findItem, sourcesOf } from '../../../src/commands/rollout-package.ts'

const dir = mkdtempSync(join(tmpdir(), 'package-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const DIGEST = 'ab'.repeat(32)

it('takes a package by name, version and digest, and asks for a digest that is missing', async () => {
  expect(await findItem(`digits@2.0.0#${DIGEST}`)).toEqual({
    kind: 'model',
    name: 'digits',
    version: '2.0.0',
    digest: DIGEST,
  })
  await expect(findItem('digits@2.0.0')).rejects.toMatchObject({ code: 'USAGE' })
  await expect(findItem(`.digits@2.0.0#${DIGEST}`)).rejects.toMatchObject({ code: 'USAGE' })
})

it('takes what a folder says it is, and refuses one that is no package, or a labelled set', async () => {
  await expect(findItem(join(dir, 'nothing'))).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
  const statement: Statement = {
    v: 1,
    kind: 'model',
    name: 'digits',
    version: '2.0.0',
    files: [{ path: 'model.onnx', bytes: 1, sha256: DIGEST }],
  }
  const write = (of: Statement) =>
    writeFileSync(join(dir, 'package.sig'), JSON.stringify({ statement: of, signatures: [] }))
  write(statement)
  expect(await findItem(dir)).toEqual({
    kind: 'model',
    name: 'digits',
    version: '2.0.0',
    digest: digestOfStatement(statement),
  })
  write({ ...statement, kind: 'labelled' })
  await expect(findItem(dir)).rejects.toMatchObject({ code: 'USAGE' })
})

it('has nodes fetch from where it was said, else from the bucket of the bus, and from what consoles bring', () => {
  expect(sourcesOf([], 'packages')).toEqual([{ kind: 'nats', bucket: 'packages' }, { kind: 'link' }])
  expect(sourcesOf([], null)).toEqual([{ kind: 'link' }])
  expect(sourcesOf(['nats:spare', 'https://files.plant/', 'link'], 'packages')).toEqual([
    { kind: 'nats', bucket: 'spare' },
    { kind: 'https', url: 'https://files.plant/' },
    { kind: 'link' },
  ])
  for (const wrong of ['nats:', 'ftp://files', 'packages']) expect(() => sourcesOf([wrong], null)).toThrow(/no source/)
})
