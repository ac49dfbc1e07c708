import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PackageShelf } from '../../../edge-daemon/models/shelf.ts'
import { publicOf } from '../../../identity/keys.ts'
import { newPackageKey, packageKeyId } from '../../../identity/package-signature.ts'
import { writePackage } from '../../support/model-package.ts'

const key = newPackageKey()
const trust = [{ id: packageKeyId(key), key: publicOf(key) }]
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-shelf-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

async function bring(shelf: PackageShelf, version: string, keys = [key]) {
  return await writePackage(
    join(shelf.incoming, version),
    { weights: `of ${version}`, 'samples/a': 'a' },
    { version, keys },
  )
}

describe('the shelf of packages', () => {
  it('keeps several versions side by side and finds them after a restart', async () => {
    const shelf = await PackageShelf.open(dir, trust)
    const one = await bring(shelf, '1.0.0')
    const two = await bring(shelf, '2.0.0')
    await shelf.accept(one.folder, one.signed)
    const { folder } = await shelf.accept(two.folder, two.signed)
    expect(folder).toBe(join(dir, 'packages', two.digest))
    const again = await PackageShelf.open(dir, trust)
    expect((await again.list()).map(({ signed }) => signed.statement.version).sort()).toEqual(['1.0.0', '2.0.0'])
    expect(await again.find(one.digest)).toMatchObject({ digest: one.digest, bytes: 9, pins: [] })
    expect(await readdir(again.incoming)).toEqual([])
    const [weights] = two.signed.statement.files.slice(-1)
    expect(await again.fileOf(weights?.sha256 ?? '', weights?.bytes ?? 0)).toBe(join(folder, 'weights'))
    expect(await again.fileOf(weights?.sha256 ?? '', 1)).toBeNull()
  })

  it('takes the same package twice', async () => {
    const shelf = await PackageShelf.open(dir, trust)
    for (let turn = 0; turn < 2; turn += 1) {
      const { folder, signed } = await bring(shelf, '1.0.0')
      await shelf.accept(folder, signed)
    }
    expect(await shelf.list()).toHaveLength(1)
    expect(await readdir(shelf.incoming)).toEqual([])
  })

  it('takes nothing that is unsigned or damaged, and leaves that where it was', async () => {
    const shelf = await PackageShelf.open(dir, trust)
    const unsigned = await bring(shelf, '1.0.0', [])
    await expect(shelf.accept(unsigned.folder, unsigned.signed)).rejects.toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
    const damaged = await bring(shelf, '2.0.0')
    await writeFile(join(damaged.folder, 'weights'), 'OF 2.0.0')
    await expect(shelf.accept(damaged.folder, damaged.signed)).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
    expect(await shelf.list()).toEqual([])
    expect(await readdir(shelf.incoming)).toEqual(['1.0.0', '2.0.0'])
  })

  it('takes a package again whose files were spoilt where it stood, and keeps its pins', async () => {
    const shelf = await PackageShelf.open(dir, trust)
    const first = await bring(shelf, '1.0.0')
    const { folder } = await shelf.accept(first.folder, first.signed)
    await shelf.pin('confirmed-model', first.digest)
    expect(await shelf.findWhole(first.digest)).toMatchObject({ digest: first.digest })
    await writeFile(join(folder, 'weights'), 'OF 1.0.0')
    expect(await shelf.findWhole(first.digest)).toBeNull()
    const again = await bring(shelf, '1.0.0')
    await shelf.accept(again.folder, again.signed)
    expect(await readFile(join(folder, 'weights'), 'utf8')).toBe('of 1.0.0')
    expect(await shelf.findWhole(first.digest)).toMatchObject({ pins: ['confirmed-model'] })
  })

  it('removes what no pin keeps, also after a restart', async () => {
    const shelf = await PackageShelf.open(dir, trust)
    const brought = [await bring(shelf, '1.0.0'), await bring(shelf, '2.0.0'), await bring(shelf, '3.0.0')] as const
    for (const { folder, signed } of brought) await shelf.accept(folder, signed)
    const [one, two, three] = brought.map(({ digest }) => digest) as [string, string, string]
    await Promise.all([shelf.pin('confirmed-model', one), shelf.pin('serving-model', two), shelf.pin('staged', three)])
    await shelf.pin('staged', null)
    const again = await PackageShelf.open(dir, trust)
    expect(again.pins).toEqual({ 'confirmed-model': one, 'serving-model': two })
    expect(await again.removeUnpinned()).toEqual([three])
    expect((await again.list()).map(({ digest }) => digest).sort()).toEqual([one, two].sort())
    await again.pin('serving-model', one)
    expect(await again.removeUnpinned()).toEqual([two])
    expect((await again.find(one))?.pins).toEqual(['confirmed-model', 'serving-model'])
  })

  it('clears away what an earlier run was removing, and a folder without a statement', async () => {
    await mkdir(join(dir, 'packages', 'leaving', 'half'), { recursive: true })
    await mkdir(join(dir, 'packages', '0'.repeat(64)), { recursive: true })
    const shelf = await PackageShelf.open(dir, trust)
    expect(await shelf.list()).toEqual([])
    expect(await shelf.removeUnpinned()).toEqual(['0'.repeat(64)])
    expect((await readdir(join(dir, 'packages'))).filter((name) => name !== 'leaving')).toEqual(['incoming'])
    expect(await readdir(join(dir, 'packages', 'leaving'))).toEqual([])
    expect((await stat(shelf.incoming)).mode & 0o777).toBe(0o700)
  })

  it('says what to do about damaged pins instead of forgetting them', async () => {
    await (await PackageShelf.open(dir, trust)).pin('staged', '0'.repeat(64))
    await writeFile(join(dir, 'packages', 'pins.json'), '{"staged":')
    await expect(PackageShelf.open(dir, trust)).rejects.toMatchObject({ code: 'STORE_UNUSABLE' })
  })
})
