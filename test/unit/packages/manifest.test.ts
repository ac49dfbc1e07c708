import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readManifest } from '../../../packages/model-folder.ts'

const parsed = vi.hoisted(() => ({ times: 0 }))
vi.mock('yaml', async (original) => {
  const yaml = await original<typeof import('yaml')>()
  return {
    ...yaml,
    parseDocument: (...args: Parameters<typeof yaml.parseDocument>) => {
      parsed.times += 1
      return yaml.parseDocument(...args)
    },
  }
})

const DIGITS = readFileSync(fileURLToPath(new URL('../../../models/digits/manifest.json', import.meta.url)), 'utf8')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edgedeck-manifest-'))
  parsed.times = 0
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function read(text: string): Promise<unknown> {
  writeFileSync(join(folder, 'manifest.json'), text)
  return await readManifest(folder)
}

test('a sound manifest is read as JSON alone, to what it would be as YAML', async () => {
  const quickly = await read(DIGITS)
  expect(parsed.times).toBe(0)
  // A comment is YAML and no JSON.
  expect(await read(`# ours\n${DIGITS}`)).toEqual(quickly)
  expect(parsed.times).toBe(1)
})

test('keys and colons within texts are not taken for keys', async () => {
  const description = 'a "key": and \\"another\\": \\\\'
  expect(await read(JSON.stringify({ ...JSON.parse(DIGITS), description }))).toMatchObject({ description })
  expect(parsed.times).toBe(0)
})

test.each([
  [
    'a key that is named twice',
    DIGITS.replace('"name": "digits"', '"name": "letters", "name": "digits"'),
    /:\d+: .*unique/,
  ],
  ['a key that is not known', DIGITS.replace('"format"', '"froms": 1, "format"'), /:\d+: froms: unknown key/],
  ['what is no JSON', `${DIGITS}}`, /:\d+: /],
])('%s is refused with its line', async (_, text, words) => {
  expect(text).not.toBe(DIGITS)
  await expect(read(text)).rejects.toThrow(words)
})
