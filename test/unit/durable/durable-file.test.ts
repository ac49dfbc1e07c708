import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { appendLine, putFile, readSmallFile, removeFile, replaceFile } from '../../../durable/durable-file.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-durable-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe.each([
  ['waiting for the disk', async (...args: Parameters<typeof replaceFile>) => replaceFile(...args)],
  ['while other threads wait for it', putFile],
])('a small file, %s', (_, replace) => {
  test('is replaced with the permissions asked for, and nothing is left beside it', async () => {
    const path = join(dir, 'a.json')
    await replace(path, 'old', { mode: 0o644 })
    await replace(path, 'new')
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['a.json'])
  })

  test('stays when the new one cannot take its place', async () => {
    const path = join(dir, 'taken')
    mkdirSync(join(path, 'in-use'), { recursive: true })
    await expect(replace(path, 'x')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/)
    expect(readdirSync(dir)).toEqual(['taken'])
  })

  test('is written over what a crash left beside it where it is its own', async () => {
    const path = join(dir, 'state')
    writeFileSync(`${path}.new`, 'a torn draft that is longer')
    await replace(path, 'whole', { isSole: true })
    expect(readFileSync(path, 'utf8')).toBe('whole')
    expect(readdirSync(dir)).toEqual(['state'])
  })
})

test('ends a line that a crash cut off before it appends the next', () => {
  const path = join(dir, 'log')
  writeFileSync(path, '{"a":1}\n{"b"')
  appendLine(path, '{"c":3}')
  expect(readFileSync(path, 'utf8')).toBe('{"a":1}\n{"b"\n{"c":3}\n')
})

test('reads text with its mode, nothing where nothing is, and refuses what is far too large', () => {
  const path = join(dir, 'small')
  expect(readSmallFile(path, 10)).toBeNull()
  writeFileSync(path, '0123456789', { mode: 0o640 })
  expect(readSmallFile(path, 10)).toEqual({ text: '0123456789', mode: 0o640 })
  expect(() => readSmallFile(path, 9)).toThrow(RangeError)
  removeFile(path)
  removeFile(path)
  expect(readSmallFile(path, 10)).toBeNull()
})
