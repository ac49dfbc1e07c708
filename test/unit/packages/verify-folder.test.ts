import { execFileSync } from 'node:child_process'
import type { KeyObject } from 'node:crypto'
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { publicOf } from '../../../identity/keys.ts'
import {
  newPackageKey,
  packageKeyId,
  packageKeyPem,
  packageKeyText,
  readPackageSigners,
  signPackage,
} from '../../../identity/package-signature.ts'
import { verifyFolder } from '../../../packages/verify-folder.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { PACKAGE_FILE, parseSignedPackage, type Statement } from '../../../protocol/package.ts'
import { writePackage } from '../../support/model-package.ts'

const FILES = { 'a.onnx': 'weights', 'samples/one.png': 'a picture', 'manifest.json': '{}' }
let dir: string
let folder: string
const key = newPackageKey()

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-package-'))
  folder = join(dir, 'package')
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

function trusting(...keys: readonly KeyObject[]) {
  return keys.map((known) => ({ id: packageKeyId(known), key: publicOf(known) }))
}

async function refusal(trust = trusting(key) as ReturnType<typeof trusting> | null): Promise<EdgeError> {
  const outcome = await verifyFolder({ folder, trust }).then(
    () => null,
    (error: unknown) => error,
  )
  if (!(outcome instanceof EdgeError)) throw new Error(`not refused with an EdgeError but ${String(outcome)}`)
  expect(outcome.next.length, 'a cure').toBeGreaterThan(0)
  return outcome
}

describe('a package', () => {
  it('is taken with the signature of one trusted key among several', async () => {
    const stranger = newPackageKey()
    const { digest } = await writePackage(folder, FILES, { keys: [stranger, key] })
    const verified = await verifyFolder({ folder, trust: trusting(newPackageKey(), key), digest })
    expect(verified).toMatchObject({ digest, signedBy: [packageKeyId(key)], bytes: 18 })
  })

  it('is taken unsigned only where no key is asked for', async () => {
    await writePackage(folder, FILES)
    expect(await verifyFolder({ folder, trust: null })).toMatchObject({ signedBy: [] })
    expect(await refusal()).toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
    expect(await refusal([])).toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
  })

  it('is refused with the signature of a stranger, also under the name of a trusted key', async () => {
    const stranger = newPackageKey()
    const { signed } = await writePackage(folder, FILES, { keys: [stranger] })
    expect((await refusal()).message).toContain(packageKeyId(stranger).slice(0, 16))
    const [signature] = signed.signatures
    const lie = { ...signed, signatures: [{ key: packageKeyId(key), signature: signature?.signature ?? '' }] }
    await writeFile(join(folder, PACKAGE_FILE), JSON.stringify(lie))
    expect(await refusal()).toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
  })

  it('is refused when its statement was changed after it was signed', async () => {
    const { signed } = await writePackage(folder, FILES, { keys: [key] })
    const statement: Statement = { ...signed.statement, version: '1.0.1' }
    await writeFile(join(folder, PACKAGE_FILE), JSON.stringify({ ...signed, statement }))
    expect(await refusal()).toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
    await writeFile(join(folder, PACKAGE_FILE), JSON.stringify(signPackage({ ...signed, statement }, key)))
    expect(await verifyFolder({ folder, trust: trusting(key) })).toMatchObject({ statement })
  })

  it('is refused when it is not the one that was asked for', async () => {
    await writePackage(folder, FILES, { keys: [key] })
    await expect(verifyFolder({ folder, trust: trusting(key), digest: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'PACKAGE_INVALID',
    })
  })

  it.each<[string, RegExp, () => Promise<unknown>]>([
    ['a changed byte', /SHA-256/, () => writeFile(join(folder, 'a.onnx'), 'weighty')],
    ['a byte more', /8 bytes/, () => appendFile(join(folder, 'a.onnx'), '!')],
    ['a missing file', /one\.png is missing/, () => rm(join(folder, 'samples/one.png'))],
    ['a file more', /extra is not of the package/, () => writeFile(join(folder, 'samples/extra'), '')],
    ['a hidden file more', /\.note is not of the package/, () => writeFile(join(folder, '.note'), '')],
    [
      'a link to the right content',
      /no links/,
      async () => {
        await rename(join(folder, 'a.onnx'), join(dir, 'a.onnx'))
        await symlink(join(dir, 'a.onnx'), join(folder, 'a.onnx'))
      },
    ],
    [
      'a folder that is a link',
      /no links/,
      async () => {
        await rename(join(folder, 'samples'), join(dir, 'samples'))
        await symlink(join(dir, 'samples'), join(folder, 'samples'))
      },
    ],
    [
      'a pipe in place of a file',
      /no links/,
      async () => {
        await rm(join(folder, 'a.onnx'))
        execFileSync('mkfifo', [join(folder, 'a.onnx')])
      },
    ],
    [
      'a pipe in place of its statement',
      /package\.sig is not a file/,
      async () => {
        await rm(join(folder, PACKAGE_FILE))
        execFileSync('mkfifo', [join(folder, PACKAGE_FILE)])
      },
    ],
    [
      'a folder in place of a file',
      /a\.onnx is missing/,
      async () => {
        await rm(join(folder, 'a.onnx'))
        await mkdir(join(folder, 'a.onnx'))
      },
    ],
    ['no statement', /package\.sig cannot be read/, () => rm(join(folder, PACKAGE_FILE))],
    ['a statement without end', /at most 262144/, () => appendFile(join(folder, PACKAGE_FILE), ' '.repeat(270_000))],
  ])('is refused with %s', async (_what, said, change) => {
    await writePackage(folder, FILES, { keys: [key] })
    await change()
    const { code, message } = await refusal()
    expect([code, message]).toEqual(['PACKAGE_INVALID', expect.stringMatching(said)])
  })
})

describe('what a statement may say', () => {
  const sha256 = '0'.repeat(64)
  const listing = (...paths: string[]) => paths.map((path) => ({ path, bytes: 1, sha256 }))
  const text = (files: unknown) =>
    JSON.stringify({ statement: { v: 1, kind: 'model', name: 'digits', version: '1', files }, signatures: [] })

  it('takes files sorted by path', () => {
    expect(parseSignedPackage(text(listing('a/b', 'a0', 'b')), 'package.sig').statement.files).toHaveLength(3)
  })

  it.each([
    ['a way out', listing('../a')],
    ['a way out in the middle', listing('a/../b')],
    ['an absolute path', listing('/a')],
    ['a hidden file', listing('.a')],
    ['another system’s way out', listing('a\\b')],
    ['a path twice', listing('a', 'a')],
    ['a path twice but for capitals', listing('A', 'a')],
    ['paths out of order', listing('b', 'a')],
    ['a file that is a folder too', listing('a', 'a/b')],
    ['itself', listing('package.sig')],
    ['itself in capitals', listing('PACKAGE.SIG')],
    ['no files', []],
    ['more than a package may hold', [{ path: 'a', bytes: 4e9 + 1, sha256 }]],
  ])('refuses %s', (_what, files) => {
    expect(() => parseSignedPackage(text(files), 'package.sig')).toThrow(/package\.sig is not the statement/)
  })
})

describe('public keys', () => {
  it('are read as PEM, several in a text, and as one word', () => {
    const other = newPackageKey()
    const pem = readPackageSigners(`the keys of us\n${packageKeyPem(key)}\n${packageKeyPem(other)}`)
    expect(pem?.map(({ id }) => id)).toEqual([packageKeyId(key), packageKeyId(other)])
    expect(readPackageSigners(`${packageKeyText(key)}\n`)?.map(({ id }) => id)).toEqual([packageKeyId(key)])
  })

  it('are nothing else: private keys, other kinds, half a word', () => {
    const secret = key.export({ type: 'pkcs8', format: 'pem' }).toString()
    expect(readPackageSigners(secret)).toBeNull()
    expect(readPackageSigners(`${packageKeyPem(key)}${secret}`)).toBeNull()
    expect(readPackageSigners(packageKeyText(key).slice(4))).toBeNull()
    expect(readPackageSigners('')).toBeNull()
  })
})
