import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { findBreaches, readImports } from '../../../scripts/import-graph.ts'

const planted: string[] = []
afterEach(() => {
  for (const root of planted.splice(0)) rmSync(root, { recursive: true })
})

function breachesOf(files: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'imports-'))
  planted.push(root)
  for (const [path, code] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), code)
  }
  const folders = [...new Set(Object.keys(files).map((path) => path.split('/')[0] as string))]
  return findBreaches(readImports(root, folders))
}

const leaf = 'export const x = 1\nexport type X = number\n'

test('the project itself keeps to its rules, and the check sees it', () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url))
  const imports = readImports(root, [
    'protocol',
    'settings',
    'packages',
    'identity',
    'tunnel',
    'regex',
    'durable',
    'edge-daemon',
    'src',
  ])
  expect(imports.length).toBeGreaterThan(50)
  expect(findBreaches(imports)).toEqual([])
})

test('an arrow that runs down is allowed', () => {
  expect(
    breachesOf({ 'protocol/a.ts': leaf, 'src/fleet/b.ts': "import { x } from '../../protocol/a.ts'\nexport { x }" }),
  ).toEqual([])
})

test.each([
  ['console to daemon', 'src/fleet/b.ts', "import { x } from '../../edge-daemon/store/a.ts'", 'edge-daemon/store/a.ts'],
  ['daemon to console', 'edge-daemon/daemon.ts', "import { x } from '../src/fleet/a.ts'", 'src/fleet/a.ts'],
  ['up, by import type', 'protocol/b.ts', "import type { X } from '../src/fleet/a.ts'", 'src/fleet/a.ts'],
  ['up, by re-export', 'src/fleet/b.ts', "export { x } from '../ui/a.ts'", 'src/ui/a.ts'],
  ['up, by import()', 'src/link/b.ts', "export const l = () => import('../ui/a.ts')", 'src/ui/a.ts'],
  ['up, by an inline type import', 'src/fleet/b.ts', "import { type X } from '../link/a.ts'", 'src/link/a.ts'],
  ['sideways', 'edge-daemon/live/b.ts', "import { x } from '../upstream/a.ts'", 'edge-daemon/upstream/a.ts'],
  [
    'as a process entry',
    'src/demo/b.ts',
    "new URL('../../edge-daemon/main.ts', import.meta.url)",
    'edge-daemon/main.ts',
  ],
])('an arrow from %s is refused', (_name, from, code, to) => {
  const breaches = breachesOf({ [from]: `${code}\nexport const y = 2`, [to]: leaf })
  expect(breaches).toHaveLength(1)
  expect(breaches[0]).toContain(`${from}:1`)
})

test('a package is refused outside its room', () => {
  expect(breachesOf({ 'src/fleet/a.ts': "import React from 'react'\nexport { React }" })[0]).toContain(
    'may not import the package react',
  )
  expect(breachesOf({ 'src/ui/a.ts': "import React from 'react'\nexport { React }" })).toEqual([])
})

test('a cycle closed by import type is found', () => {
  const breaches = breachesOf({
    'src/fleet/a.ts': "import type { B } from './b.ts'\nexport type A = B",
    'src/fleet/b.ts': "import type { C } from './c.ts'\nexport type B = C",
    'src/fleet/c.ts': "import { type A } from './a.ts'\nexport type C = A",
  })
  expect(breaches.some((breach) => breach.startsWith('import cycle:'))).toBe(true)
})

test('a file outside every room is refused', () => {
  expect(breachesOf({ 'odd/a.ts': "import { x } from './b.ts'\nexport { x }", 'odd/b.ts': leaf })[0]).toContain(
    'stands in no room',
  )
})
