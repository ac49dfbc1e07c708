import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { classesFor, forwardedFrom } from '../../../edge-daemon/search/forwarded-from.ts'

let dir = ''

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-forwarded-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('remembers the highest level that lines ever went up from, and never goes below error', () => {
  expect(forwardedFrom(dir, 'warn')).toBe('error')
  expect(forwardedFrom(dir, 'fatal')).toBe('fatal')
  expect(forwardedFrom(dir, 'error')).toBe('fatal')
  expect(forwardedFrom(dir, 'none')).toBeNull()
  expect(forwardedFrom(dir, 'error')).toBeNull()
})

test('relies on nothing that it cannot read or write', () => {
  writeFileSync(join(dir, 'log-classes.json'), '{"forwardedFrom":"loud"}')
  expect(forwardedFrom(dir, 'error')).toBeNull()
  writeFileSync(join(dir, 'log-classes.json'), 'torn')
  expect(forwardedFrom(dir, 'error')).toBeNull()
  expect(forwardedFrom(join(dir, 'nowhere'), 'fatal')).toBeNull()
})

test('looks where lines of a level may be', () => {
  expect(classesFor('error', 'error')).toEqual(['error'])
  expect(classesFor('fatal', 'error')).toEqual(['error'])
  expect(classesFor('error', 'fatal')).toEqual(['error', 'log'])
  expect(classesFor('warn', 'error')).toEqual(['error', 'log'])
  expect(classesFor(undefined, 'error')).toEqual(['error', 'log'])
  expect(classesFor('fatal', null)).toEqual(['error', 'log'])
})
