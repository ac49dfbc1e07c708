import { chmod, cp, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readPackageTrust } from '../../../edge-daemon/models/trust.ts'
import { openPackage } from '../../../packages/model-package.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { MAX_SAMPLE_BYTES } from '../../../protocol/model-manifest.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import { runModel } from '../../../src/commands/model.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { edgedeck } from '../../support/edgedeck.ts'
import { writePackage } from '../../support/model-package.ts'

const DIGITS = fileURLToPath(new URL('../../../models/digits', import.meta.url))
const PASSPHRASE = 'four words nobody guesses'
let dir: string
const at = (name: string): string => join(dir, name)

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'edgedeck-model-commands-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

/** As the command line means it, in this process. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const request = readCommandLine(['model', ...args], '0.0.0')
  if (request.kind !== 'model') throw new Error(`not understood: ${args.join(' ')}`)
  const io = new CapturedIo()
  const passphrase = { file: request.passphraseFile, env: PASSPHRASE, ask: null }
  const code = await runModel(request.task, passphrase, io).then(
    (isWhole) => (isWhole ? 0 : 3),
    (error: unknown) => {
      if (!(error instanceof EdgeError)) throw error
      io.stderr.write(error.toLine())
      return 1
    },
  )
  return { code, stdout: io.out(), stderr: io.err() }
}

describe('edgedeck model', () => {
  it('packs no picture of a self-test that a node would not read, and a node opens no such package', async () => {
    await cp(DIGITS, at('digits'), { recursive: true })
    const manifest = JSON.parse(await readFile(at('digits/manifest.json'), 'utf8'))
    const [sample] = manifest.selfTest
    const large = `digits/${sample.file}`
    const whole = await readFile(at(large))
    await truncate(at(large), MAX_SAMPLE_BYTES + 1)
    const refused = await run('pack', at('digits'), '--out', at('out'))
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${sample.file}, a self-test of digits@`),
    })
    expect(refused.stderr).toMatch(/has 10000001 bytes, and at most 10000000 are read .*→ take a smaller picture/)
    await expect(stat(at('out')), 'nothing was written').rejects.toMatchObject({ code: 'ENOENT' })
    await writeFile(at(large), whole)
    const files: Record<string, Uint8Array> = {}
    for (const path of await readdir(at('digits'), { recursive: true })) {
      if (path !== 'package.sig' && (await stat(at(`digits/${path}`))).isFile())
        files[path] = await readFile(at(`digits/${path}`))
    }
    files[sample.file] = Buffer.alloc(MAX_SAMPLE_BYTES + 1)
    const { name, version } = manifest
    await writePackage(at('made'), files, { name, version })
    await expect(openPackage(at('made'), { trust: null })).rejects.toThrow(/at most 10000000 /)
  })

  it('makes a key, packs, signs and lists what a node then takes', async () => {
    const made = await run('keys', 'new', at('release'))
    expect(made).toMatchObject({ code: 0 })
    expect((await stat(at('release.key'))).mode & 0o777).toBe(0o600)
    expect(await readFile(at('release.key'), 'utf8')).not.toContain('PRIVATE KEY')
    const packed = await run('pack', DIGITS, '--out', at('out'))
    expect(packed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^[0-9a-f]{64}\n$/) })
    const trust = await readPackageTrust([at('release.pub')])
    await expect(openPackage(at('out'), { trust })).rejects.toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
    expect(await run('sign', at('out'), '--key', at('release.key'))).toMatchObject({ code: 0, stdout: packed.stdout })
    expect(await openPackage(at('out'), { trust: await readPackageTrust([made.stdout.trim()]) })).toMatchObject({
      item: { kind: 'model', name: 'digits', digest: packed.stdout.trim() },
      signedBy: [trust[0]?.id],
    })
    const listed = await run('list', dir, '--trust', at('release.pub'), '-o', 'json')
    expect(listed.code).toBe(0)
    expect(JSON.parse(listed.stdout)).toEqual([
      expect.objectContaining({
        name: 'digits',
        digest: packed.stdout.trim(),
        variants: ['fp32', 'int8'],
        signatures: [{ key: trust[0]?.id, isTrusted: true }],
        fault: null,
      }),
    ])
    expect((await run('list', at('out'))).stdout).toMatch(/digits +\S+ +model .*fp32,int8 +[0-9a-f]{16}\? /)
  })

  it('signs while it packs, with a key that is not sealed, and packs the same again to the same digest', async () => {
    expect(await run('keys', 'new', at('ci'), '--no-passphrase')).toMatchObject({ code: 0 })
    const first = await run('pack', DIGITS, '--out', at('a'), '--key', at('ci.key'))
    const again = await run('pack', at('a'), '--out', at('a'), '--key', at('ci.key'))
    expect([first.code, again.code, again.stdout]).toEqual([0, 0, first.stdout])
    await openPackage(at('a'), { trust: await readPackageTrust([at('ci.pub')]) })
  })

  it('says in the list what is damaged, and ends with 3', async () => {
    await cp(DIGITS, at('good'), { recursive: true })
    await cp(DIGITS, at('bad'), { recursive: true })
    await writeFile(at('bad/digits.onnx'), 'something else')
    const { code, stdout } = await edgedeck(['model', 'list', dir, '-o', 'ndjson'])
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(code).toBe(3)
    expect(rows.map(({ fault }) => fault)).toEqual([expect.stringMatching(/digits\.onnx has 14 bytes/), null])
  })

  it.each<[string, () => Promise<string[]>, RegExp]>([
    [
      'a key that is there already',
      async () => {
        await writeFile(at('k.pub'), '')
        return ['keys', 'new', at('k')]
      },
      /OUTPUT_REFUSED: .*k\.pub is there already/,
    ],
    [
      'a key that others can read',
      async () => {
        await run('keys', 'new', at('k'), '--no-passphrase')
        await chmod(at('k.key'), 0o644)
        return ['sign', DIGITS, '--key', at('k.key')]
      },
      /PKI_UNUSABLE: .*k\.key/,
    ],
    [
      'a public key to sign with',
      async () => {
        await run('keys', 'new', at('k'), '--no-passphrase')
        await chmod(at('k.pub'), 0o600)
        return ['sign', DIGITS, '--key', at('k.pub')]
      },
      /PKI_UNUSABLE: .*holds no Ed25519 private key/,
    ],
    [
      'a wrong passphrase, before anything is written',
      async () => {
        await run('keys', 'new', at('k'))
        await writeFile(at('wrong'), 'another passphrase', { mode: 0o600 })
        return ['pack', DIGITS, '--out', at('out'), '--key', at('k.key'), '--passphrase-file', at('wrong')]
      },
      /PASSPHRASE_WRONG/,
    ],
    [
      'a damaged package to sign',
      async () => {
        await cp(DIGITS, at('bad'), { recursive: true })
        await writeFile(at('bad/card.md'), '')
        await run('keys', 'new', at('k'), '--no-passphrase')
        return ['sign', at('bad'), '--key', at('k.key')]
      },
      /PACKAGE_INVALID: .*card\.md/,
    ],
    [
      'a model without self-tests',
      async () => {
        await cp(DIGITS, at('old'), { recursive: true })
        const {
          selfTest: _,
          maxAccuracyLoss: __,
          ...manifest
        } = JSON.parse(await readFile(at('old/manifest.json'), 'utf8'))
        await writeFile(at('old/manifest.json'), JSON.stringify({ ...manifest, format: 1 }))
        return ['pack', at('old'), '--out', at('out')]
      },
      /MODEL_INVALID: .*format 1/,
    ],
    [
      'a folder with a link in it',
      async () => {
        await cp(DIGITS, at('linked'), { recursive: true })
        await symlink('/etc/passwd', at('linked/notes'))
        return ['pack', at('linked'), '--out', at('out')]
      },
      /PACKAGE_INVALID: .*notes.*no links/,
    ],
    [
      'a file whose name no package may hold',
      async () => {
        await cp(DIGITS, at('named'), { recursive: true })
        await writeFile(at('named/.hidden'), '')
        return ['pack', at('named'), '--out', at('out')]
      },
      /PACKAGE_INVALID/,
    ],
    [
      'an out folder that holds something',
      async () => {
        await cp(DIGITS, at('out'), { recursive: true })
        return ['pack', DIGITS, '--out', at('out')]
      },
      /OUTPUT_REFUSED: .*something is there already/,
    ],
  ])('refuses %s', async (_what, prepare, said) => {
    const { code, stderr } = await run(...(await prepare()))
    expect(code).not.toBe(0)
    expect(stderr).toMatch(said)
  })
})
