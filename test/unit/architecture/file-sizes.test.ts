import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** A file that grew beyond this does more than one thing. */
const MAX_LINES = 400

test.each([
  'protocol',
  'settings',
  'packages',
  'identity',
  'tunnel',
  'regex',
  'durable',
  'edge-daemon',
  'src',
  'bench',
  'scripts',
  'test',
])('no file in %s has outgrown one thing', (folder) => {
  const files = readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  )
  expect(files.length).toBeGreaterThan(0)
  const sizes = files.map((name) => ({
    name,
    lines: readFileSync(`${root}${folder}/${name}`, 'utf8').split('\n').length,
  }))
  expect(sizes.filter(({ lines }) => lines > MAX_LINES)).toEqual([])
})
