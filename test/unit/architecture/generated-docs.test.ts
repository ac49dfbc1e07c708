import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../../../protocol/errors.ts'
import { generatedDocs } from '../../../scripts/generated-docs.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

test.each([...generatedDocs()])('%s says what the code says', (path, text) => {
  expect(readFileSync(`${root}${path}`, 'utf8'), 'run: npm run docs').toBe(text)
})

test('every error code in the catalogue is used, and no other', () => {
  const used = new Set<string>()
  for (const folder of ['edge-daemon', 'src', 'settings', 'packages', 'protocol', 'identity', 'tunnel', 'regex']) {
    for (const name of readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })) {
      if (!/\.tsx?$/.test(name) || name.endsWith('errors.ts')) continue
      const code = readFileSync(`${root}${folder}/${name}`, 'utf8')
      for (const match of code.matchAll(/'([A-Z]+(?:_[A-Z]+)+|USAGE|OVERLOADED)'/g)) used.add(match[1] as string)
    }
  }
  expect(Object.keys(ERROR_CODES).filter((code) => !used.has(code))).toEqual([])
})
