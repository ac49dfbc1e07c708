import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { appendLine, readSmallFile, removeFile, replaceFile } from '../../../durable/durable-file.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-durable-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('replaces a file with the permissions asked for, and leaves nothing beside it', () => {
  const path = join(dir, 'a.json')
  replaceFile(path, 'old', { mode: 0o644 })
  replaceFile(path, 'new')
  expect(readFileSync(path, 'utf8')).toBe('new')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(dir)).toEqual(['a.json'])
})

test('leaves the old file when the new one cannot take its place', () => {
  const path = join(dir, 'taken')
  mkdirSync(join(path, 'in-use'), { recursive: true })
  expect(() => replaceFile(path, 'x')).toThrow(/EISDIR|ENOTEMPTY|EEXIST/)
  expect(readdirSync(dir)).toEqual(['taken'])
})

test('writes over what a crash left beside a file of its own', () => {
  const path = join(dir, 'state')
  writeFileSync(`${path}.new`, 'a torn draft that is longer')
  replaceFile(path, 'whole', { isSole: true })
  expect(readFileSync(path, 'utf8')).toBe('whole')
  expect(readdirSync(dir)).toEqual(['state'])
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
