import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const ROOMS = ['src', 'edge-daemon', 'identity', 'packages', 'protocol', 'tunnel', 'regex', 'durable', 'settings']
const TAKEN = /\{([^{}]*)\} = await import\(['"]([^.'"][^'"]*)['"]\)/g

test('of a package that is imported late only the default is taken: in what ships a CommonJS package has no other names', () => {
  const found: string[] = []
  for (const room of ROOMS) {
    for (const path of readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })) {
      if (!/\.tsx?$/.test(path)) continue
      for (const [, names = '', name = ''] of readFileSync(join(ROOT, room, path), 'utf8').matchAll(TAKEN)) {
        if (!name.startsWith('node:') && !/^\s*default: \w+\s*$/.test(names)) found.push(`${room}/${path}: ${name}`)
      }
    }
  }
  expect(found).toEqual([])
})
