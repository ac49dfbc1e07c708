import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readPatiently } from '../../../edge-daemon/changes/patient-read.ts'
import { isSpoilt } from '../../../edge-daemon/changes/way-back.ts'
import { PackageShelf } from '../../../edge-daemon/models/shelf.ts'
import { publicOf } from '../../../identity/keys.ts'
import { newPackageKey, packageKeyId } from '../../../identity/package-signature.ts'
import { verifyVariant } from '../../../packages/model-folder.ts'
import { verifyFolder } from '../../../packages/verify-folder.ts'
import { ailing } from '../../support/ailing-disk.ts'
import { writePackage } from '../../support/model-package.ts'

vi.mock('node:fs/promises', async (original) => {
  const { ailingFiles } = await import('../../support/ailing-disk.ts')
  return ailingFiles(original)
})

const key = newPackageKey()
const trust = [{ id: packageKeyId(key), key: publicOf(key) }]
let dir: string
let shelf: PackageShelf

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-unread-'))
  shelf = await PackageShelf.open(dir, trust)
})
afterEach(async () => {
  ailing.clear()
  await rm(dir, { recursive: true, force: true })
})

async function shelved() {
  const made = await writePackage(join(shelf.incoming, 'made'), { weights: 'w', 'samples/a': 'a' }, { keys: [key] })
  return shelf.accept(made.folder, made.signed)
}

describe('a package that the disk does not give now', () => {
  it.each([
    ['weights', 'open', 'EMFILE'],
    ['weights', 'read', 'EIO'],
    ['weights', 'read', 'ENOMEM'],
    ['package.sig', 'open', 'EMFILE'],
  ] as const)('is not spoilt: %s, %s says %s', async (file, call, code) => {
    const { digest, folder } = await shelved()
    ailing.set(join(digest, file), { call, code })
    const unread = { code: 'PACKAGE_UNREAD', message: expect.stringContaining(code) }
    await expect(verifyFolder({ folder, trust: null })).rejects.toMatchObject(unread)
    const told = await shelf.findWhole(digest).catch((error: unknown) => error)
    expect(told).toMatchObject(unread)
    expect(isSpoilt(told), 'so that it is tried again').toBe(false)
    ailing.clear()
    expect(await shelf.findWhole(digest)).toMatchObject({ digest })
  })

  it('is spoilt where its bytes were read and are others, where a file is short, and where one is gone', async () => {
    for (const spoil of [
      (path: string) => writeFile(path, 'x'),
      (path: string) => truncate(path),
      (path: string) => rm(path),
    ]) {
      const { digest, folder } = await shelved()
      await spoil(join(folder, 'weights'))
      await expect(verifyFolder({ folder, trust: null })).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
      expect(await shelf.findWhole(digest)).toBeNull()
    }
  })

  it('is as little a model that is damaged: what was confirmed is not put aside for a shortage', async () => {
    const { digest, folder } = await shelved()
    ailing.set(join(digest, 'weights'), { call: 'open', code: 'ENFILE' })
    const variant = {
      name: 'one',
      file: 'weights',
      bytes: 1,
      sha256: '0'.repeat(64),
      precision: 'fp32',
      need: {},
    } as const
    await expect(verifyVariant(folder, variant)).rejects.toMatchObject({ code: 'PACKAGE_UNREAD' })
    ailing.clear()
    await expect(verifyVariant(folder, variant)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  })

  it('is read a few times before a change ends for it', async () => {
    const { digest, folder } = await shelved()
    ailing.set(join(digest, 'weights'), { call: 'read', code: 'EIO' })
    let reads = 0
    const read = () => {
      reads += 1
      if (reads === 3) ailing.clear()
      return verifyFolder({ folder, trust: null })
    }
    expect(await readPatiently(read, { waitsMs: [1, 1, 1] })).toMatchObject({ digest })
    expect(reads).toBe(3)
    const refused = async () => {
      reads += 1
      throw new TypeError('something else')
    }
    await expect(readPatiently(refused, { waitsMs: [1] })).rejects.toThrow('something else')
    expect(reads, 'nothing but a disk is waited for').toBe(4)
  })
})
