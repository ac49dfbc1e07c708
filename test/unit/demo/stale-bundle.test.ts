import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newerSource } from '../../../src/demo/stale-bundle.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'edgedeck-stale-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(file: string, writtenSec: number): string {
  const whole = path.join(root, file)
  mkdirSync(path.dirname(whole), { recursive: true })
  writeFileSync(whole, '')
  utimesSync(whole, writtenSec, writtenSec)
  return whole
}

test('names the newest source of the daemon that is newer than its bundle', () => {
  const bundle = write('dist/edge-daemon.js', 1000)
  write('edge-daemon/main.ts', 900)
  write('edge-daemon/live/server.ts', 1100)
  write('protocol/frames.ts', 1200)
  expect(newerSource(root, bundle)).toBe('protocol/frames.ts')
})

test('finds none where the bundle is newest, whatever else was written, nor where there are no sources', () => {
  const bundle = write('dist/edge-daemon.js', 1000)
  expect(newerSource(root, bundle)).toBeNull()
  write('edge-daemon/main.ts', 900)
  write('edge-daemon/README.md', 1100)
  write('src/ui/app.tsx', 1100)
  expect(newerSource(root, bundle)).toBeNull()
})
