import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readPackageTrust } from '../../../edge-daemon/models/trust.ts'
import { newPackageKey, packageKeyId, packageKeyPem, packageKeyText } from '../../../identity/package-signature.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-trust-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

it('reads keys from files and as words, each once', async () => {
  const [one, two] = [newPackageKey(), newPackageKey()]
  const file = join(dir, 'keys')
  await writeFile(file, packageKeyPem(one) + packageKeyPem(two))
  const signers = await readPackageTrust([file, packageKeyText(one)])
  expect(signers.map(({ id }) => id)).toEqual([packageKeyId(one), packageKeyId(two)])
  expect(await readPackageTrust([])).toEqual([])
})

it('names the entry that is no key, and never tells what it holds', async () => {
  const file = join(dir, 'release')
  await writeFile(file, newPackageKey().export({ type: 'pkcs8', format: 'pem' }))
  await expect(readPackageTrust([file])).rejects.toMatchObject({
    code: 'CONFIG_UNSERVABLE',
    message: `models.trust: ${JSON.stringify(file)} holds no Ed25519 public keys`,
  })
  await expect(readPackageTrust([join(dir, 'none.pub')])).rejects.toMatchObject({ code: 'CONFIG_UNSERVABLE' })
  await expect(readPackageTrust(['MCowBQYDK2VwAyEAAAAA'])).rejects.toMatchObject({ code: 'CONFIG_UNSERVABLE' })
})
