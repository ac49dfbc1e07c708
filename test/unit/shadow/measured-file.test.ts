import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MeasuredFile } from '../../../edge-daemon/shadow/measured-file.ts'
import { HEAVY, nodeClassOf } from '../../../edge-daemon/shadow/node-class.ts'
import type { ManifestVariant } from '../../../protocol/model-manifest.ts'

let dir: string
let faults: string[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-measured-'))
  faults = []
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const variants = (...digests: string[]): ManifestVariant[] =>
  digests.map((digest, n) => ({
    name: `v${n}`,
    file: 'x.onnx',
    sha256: digest.repeat(64),
    bytes: 1,
    precision: 'fp32',
    need: {},
  }))

function open(release = '1.0.0'): MeasuredFile {
  return new MeasuredFile(join(dir, 'measured.json'), { release, onFault: (msg) => faults.push(msg) })
}

test('what was measured is there at the next start, also of the machine', () => {
  const file = open()
  file.keep(variants('a', 'b'), { v0: { runMs: 1 }, v1: { runMs: 2 } })
  const again = open()
  expect(again.find(variants('a', 'b'))).toEqual({ v0: { runMs: 1 }, v1: { runMs: 2 } })
  expect(again.find(variants('a', 'c'))).toBeNull()
  expect(again.machine).toEqual(file.machine)
  expect(file.machine.referenceMs).toBeGreaterThan(0)
  expect(faults).toEqual([])
})

test('another release measures anew', () => {
  open().keep(variants('a'), { v0: { runMs: 1 } })
  expect(open('1.0.1').find(variants('a'))).toBeNull()
})

test('a failure is not kept: its reason may go', () => {
  open().keep(variants('a', 'b'), { v0: { runMs: 1 }, v1: { fault: 'no memory' } })
  expect(open().find(variants('a', 'b'))).toBeNull()
})

test('a damaged file and a disk that refuses cost a measurement and are told', () => {
  writeFileSync(join(dir, 'measured.json'), '{"v":1,')
  expect(open().machine.cores).toBeGreaterThan(0)
  expect(faults[0]).toMatch(/measured\.json cannot be read/)
  expect(JSON.parse(readFileSync(join(dir, 'measured.json'), 'utf8'))).toMatchObject({ v: 1, models: [] })
  rmSync(dir, { recursive: true })
  const file = open()
  file.keep(variants('a'), { v0: { runMs: 1 } })
  expect(file.find(variants('a'))).toEqual({ v0: { runMs: 1 } })
  expect(faults.at(-1)).toMatch(/measured\.json cannot be written/)
})

test('only the last models are kept', () => {
  const file = open()
  for (let n = 0; n < 40; n += 1) file.keep(variants(n.toString(16).padStart(2, '0')), { v0: { runMs: n } })
  expect(file.find(variants('00'))).toBeNull()
  expect(open().find(variants('27'))).toEqual({ v0: { runMs: 39 } })
})

test.each([
  ['as heavy as it is called', 8, 16e9, 2, 'heavy'],
  ['just heavy', HEAVY.cores, HEAVY.memoryBytes, HEAVY.referenceMs, 'heavy'],
  ['too few cores', 2, 16e9, 2, 'light'],
  ['too little memory', 8, 4e9, 2, 'light'],
  ['slow cores', 8, 16e9, 9, 'light'],
])('a node is classed by cores, memory and speed: %s', (_what, cores, memoryBytes, referenceMs, is) => {
  expect(nodeClassOf({ cores, memoryBytes, referenceMs })).toBe(is)
})
