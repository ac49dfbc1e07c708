import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PackageReader, startPackageWorker } from '../../../edge-daemon/models/package-reader.ts'
import { publicOf } from '../../../identity/keys.ts'
import { newPackageKey, packageKeyId } from '../../../identity/package-signature.ts'
import { openPackage } from '../../../packages/model-package.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { writePackage } from '../../support/model-package.ts'

const DIGITS = fileURLToPath(new URL('../../../models/digits', import.meta.url))
const key = newPackageKey()
const trust = [{ id: packageKeyId(key), key: publicOf(key) }]
let dir: string
let reader: PackageReader
const started: Worker[] = []
const startWorker = (): Worker => {
  const worker = startPackageWorker()
  started.push(worker)
  return worker
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-reader-'))
  reader = new PackageReader({ startWorker })
})
afterEach(async () => {
  await reader.stop()
  started.length = 0
  await rm(dir, { recursive: true, force: true })
})

async function packageOf() {
  const manifest = JSON.parse(await readFile(join(DIGITS, 'manifest.json'), 'utf8'))
  const files: Record<string, Buffer> = { 'manifest.json': await readFile(join(DIGITS, 'manifest.json')) }
  const tests: readonly { file: string }[] = manifest.selfTest
  for (const { file } of [...manifest.variants, ...tests]) files[file] = await readFile(join(DIGITS, file))
  return await writePackage(join(dir, 'package'), files, { version: manifest.version, keys: [key] })
}

test('finds in its thread what would be found here', async () => {
  const { folder, digest } = await packageOf()
  expect(await reader.open(folder, { trust, digest })).toEqual(await openPackage(folder, { trust, digest }))
  expect(await reader.verify({ folder, trust, digest })).toMatchObject({ digest, signedBy: [trust[0]?.id] })
  expect(started.length).toBe(1)
})

test('says what is wrong as it would be said here', async () => {
  const { folder, digest } = await packageOf()
  const other = newPackageKey()
  const wish = { trust: [{ id: packageKeyId(other), key: publicOf(other) }], digest }
  const here = await openPackage(folder, wish).catch((error: unknown) => error)
  const there = await reader.open(folder, wish).catch((error: unknown) => error)
  expect(here).toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
  expect(there).toEqual(here)
  const { next } = here as { next: unknown }
  expect(there).toMatchObject({ code: 'PACKAGE_UNTRUSTED', next })
  await writeFile(join(folder, 'digits.onnx'), 'x')
  await expect(reader.verify({ folder, trust })).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
})

test('lets go of what was broken off, and goes on with the next', async () => {
  const { folder, digest } = await packageOf()
  const ending = new AbortController()
  const broken = reader.open(folder, { trust, digest, signal: ending.signal })
  ending.abort(new Error('another model is wanted'))
  await expect(broken).rejects.toThrow('another model is wanted')
  expect(await reader.open(folder, { trust, digest })).toMatchObject({ digest })
})

test('a thread that is lost leaves a package neither good nor spoilt, and the next question starts another', async () => {
  const { folder, digest } = await packageOf()
  const lost = reader.open(folder, { trust, digest })
  await started[0]?.terminate()
  await expect(lost).rejects.toMatchObject({ code: 'PACKAGE_UNREAD' })
  expect(await reader.open(folder, { trust, digest })).toMatchObject({ digest })
  expect(started.length).toBe(2)
})

test('its thread ends when nothing is asked of it', async () => {
  const brief = new PackageReader({ startWorker, idleMs: 1 })
  const { folder, digest } = await packageOf()
  await brief.verify({ folder, trust, digest })
  let ended = false
  started.at(-1)?.on('exit', () => {
    ended = true
  })
  await eventually(() => ended, { what: 'the thread has ended' })
  expect(await brief.verify({ folder, trust, digest })).toMatchObject({ digest })
  await brief.stop()
})
