import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { parseOperators } from '../../../src/controller/operators.ts'

function fixture(name: string): string {
  return readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8')
}

function faultsOf(text: string): string[] {
  try {
    parseOperators(text, 'operators.yaml')
  } catch (error) {
    expect(error).toBeInstanceOf(EdgeError)
    return (error as EdgeError).message.split('\n')
  }
  throw new Error('nothing was refused')
}

test('a good file names who may log in, with what rights and by which keys', () => {
  const operators = parseOperators(fixture('good.yaml'), 'operators.yaml')
  expect([...operators.keys()]).toEqual(['mia', 'ops@night'])
  expect(operators.get('mia')).toMatchObject({
    rights: { role: 'operator', permissions: ['data'], sites: ['plant-a', 'warehouse-东'] },
    sinceMs: null,
  })
  expect(operators.get('mia')?.keys.map(({ type }) => type)).toEqual(['ssh-ed25519'])
  expect(operators.get('ops@night')).toMatchObject({
    rights: { role: 'admin', permissions: [], sites: '*' },
    sinceMs: Date.UTC(2026, 10, 25, 10, 32, 7),
  })
})

test('an empty list lets nobody in, and an empty file is a mistake', () => {
  expect(parseOperators('operators: []', 'operators.yaml').size).toBe(0)
  expect(faultsOf('')).toEqual([expect.stringContaining('operators')])
})

test('every fault is named with its line and what to write instead', () => {
  const faults = faultsOf(fixture('bad.yaml'))
  const expected = [
    /^operators\.yaml:3: operators\.0\.role: expected one of viewer, operator, admin$/,
    /^operators\.yaml:8: operators\.1\.sites: /,
    /^operators\.yaml:9: operators\.1\.keys: expected at least one key$/,
    /^operators\.yaml:13: operators\.2\.permisions: unknown key/,
    /^operators\.yaml:16: operators\.2\.keys\.1: the key is damaged$/,
    /^operators\.yaml:17: operators\.2\.keys\.2: the line says ssh-rsa/,
  ]
  for (const pattern of expected) expect(faults).toContainEqual(expect.stringMatching(pattern))
})

test('a name or a key that is there twice is refused', () => {
  const [, key = ''] = /(ssh-ed25519 \S+)/.exec(fixture('good.yaml')) ?? []
  const one = (name: string): string => `  - { name: ${name}, role: viewer, sites: "*", keys: ["${key}"] }\n`
  expect(faultsOf(`operators:\n${one('mia')}${one('tom')}`)).toEqual([
    "operators.yaml:3: operators.1.keys.0: this key is listed for mia too; a key is one person's",
  ])
  expect(faultsOf(`operators:\n${one('mia')}${one('mia')}`).join('\n')).toContain('"mia" is listed twice; rename one')
})
