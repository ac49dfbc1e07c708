import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const ROOT = new URL('../../../', import.meta.url)
const text = readFileSync(new URL('docs/security.md', ROOT), 'utf8')

/** `unit/a/{b,c}.test.ts` as its files. */
function spelledOut(path: string): string[] {
  const [, head = '', names, tail = ''] = /^(.*)\{(.*)\}(.*)$/.exec(path) ?? []
  return names === undefined ? [path] : names.split(',').map((name) => `${head}${name}${tail}`)
}

const quoted = [...text.matchAll(/`([^`]+)`/g)].map(([, inner = '']) => inner)

test('every test and file that the threat model leans on exists', () => {
  const tests = quoted.filter((path) => /^(?:unit|integration|e2e|fuzz)\//.test(path)).map((path) => `test/${path}`)
  const files = quoted.filter((path) => /^(?:src|protocol|test)\//.test(path))
  const missing = [...tests, ...files].flatMap(spelledOut).filter((path) => !existsSync(new URL(path, ROOT)))
  expect(tests.length).toBeGreaterThan(15)
  expect(missing).toEqual([])
})
