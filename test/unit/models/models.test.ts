import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadModels, pickModel } from '../../../edge-daemon/models/models.ts'
import { publicOf } from '../../../identity/keys.ts'
import { newPackageKey, packageKeyId } from '../../../identity/package-signature.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { MAX_SAMPLE_BYTES } from '../../../protocol/model-manifest.ts'
import { writePackage } from '../../support/model-package.ts'

const weights = Buffer.from('these stand for the weights of a network')

let dir: string

beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'edgedeck-models-')))
})

afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

function manifest(change: Record<string, unknown> = {}, variant: Record<string, unknown> = {}): string {
  const sound = {
    format: 1,
    name: 'digits',
    version: '1.0.0',
    input: { name: 'input', datatype: 'FP32', shape: [-1, 1, 28, 28] },
    preprocessing: { color: 'gray-bt601', resize: 'area', divideBy: 255, polarity: 'white-on-black' },
    output: { name: 'probabilities', datatype: 'FP32', shape: [-1, 2], meaning: 'probabilities' },
    classes: ['no', 'yes'],
    variants: [
      {
        name: 'fp32',
        file: 'weights.onnx',
        sha256: createHash('sha256').update(weights).digest('hex'),
        bytes: weights.length,
        ...variant,
      },
    ],
  }
  return JSON.stringify({ ...sound, ...change }, null, 2)
}

async function addModel(folder: string, text = manifest(), content: Uint8Array | null = weights): Promise<string> {
  const path = join(dir, folder)
  await mkdir(path, { recursive: true })
  await writeFile(join(path, 'manifest.json'), text)
  if (content !== null) await writeFile(join(path, 'weights.onnx'), content)
  return path
}

async function refusal(serve: string | null = null): Promise<EdgeError> {
  const outcome = await pickModel(dir, serve).then(
    () => null,
    (error: unknown) => error,
  )
  if (!(outcome instanceof EdgeError)) throw new Error(`not refused with an EdgeError but ${String(outcome)}`)
  expect(outcome.next.length, 'a cure').toBeGreaterThan(0)
  return outcome
}

describe('picking the model to serve', () => {
  it('reads pictures of a self-test up to a size, and says which one is larger', async () => {
    const folder = await addModel('digits', manifest({ format: 2, selfTest: [{ file: 'a.png', class: 0 }] }))
    await writeFile(join(folder, 'a.png'), '')
    await truncate(join(folder, 'a.png'), MAX_SAMPLE_BYTES)
    expect(await pickModel(dir, null)).toMatchObject({ selfTest: [{ path: join(folder, 'a.png') }] })
    await truncate(join(folder, 'a.png'), MAX_SAMPLE_BYTES + 1)
    expect(await refusal()).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/a\.png, a picture of the self-test, has 10000001 bytes, and at most 10000000 /),
    })
  })

  it('serves the only model there is, with the real path of its verified file', async () => {
    const folder = await addModel('digits')
    expect(await pickModel(dir, null)).toMatchObject({
      name: 'digits',
      version: '1.0.0',
      variant: 'fp32',
      path: join(folder, 'weights.onnx'),
      sizeBytes: weights.length,
      classes: ['no', 'yes'],
      input: { shape: [-1, 1, 28, 28] },
    })
  })

  it('takes the first variant the manifest names and leaves the others alone', async () => {
    const [fp32] = JSON.parse(manifest()).variants
    await addModel('digits', manifest({ variants: [fp32, { ...fp32, name: 'int8', file: 'not-there.onnx' }] }))
    expect((await pickModel(dir, null)).variant).toBe('fp32')
  })

  it('serves the named one of several, whatever its folder is called', async () => {
    await addModel('a')
    await addModel('b', manifest({ name: 'faces' }))
    expect((await pickModel(dir, 'faces')).path).toBe(join(dir, 'b', 'weights.onnx'))
  })

  it('asks for a name when there are several', async () => {
    await addModel('a')
    await addModel('b', manifest({ name: 'faces' }))
    const { code, next } = await refusal()
    expect(code).toBe('MODEL_MISSING')
    expect(next.join()).toContain('models.serve to one of digits, faces')
  })

  it('chooses a version by name@version, and asks for one when there are several', async () => {
    await addModel('old')
    await addModel('new', manifest({ version: '1.1.0' }))
    expect((await pickModel(dir, 'digits@1.1.0')).path).toBe(join(dir, 'new', 'weights.onnx'))
    const { code, message, next } = await refusal('digits')
    expect(code).toBe('MODEL_MISSING')
    expect(message).toContain('several versions of digits')
    expect(next.join()).toContain('models.serve to one of digits@1.1.0, digits@1.0.0')
    expect((await refusal('digits@1.1')).message).toContain('did you mean digits@1.1.0?')
  })

  it('serves only what a trusted key signed where that is asked for', async () => {
    const key = newPackageKey()
    const signers = [{ id: packageKeyId(key), key: publicOf(key) }]
    const folder = await addModel('digits')
    await expect(pickModel(dir, null, signers)).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
    await writePackage(folder, { 'manifest.json': manifest(), 'weights.onnx': weights }, { keys: [key] })
    expect((await pickModel(dir, null, signers)).name).toBe('digits')
    await expect(pickModel(dir, null, [])).rejects.toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
    await writeFile(join(folder, 'manifest.json'), manifest({ description: 'another' }))
    await expect(pickModel(dir, null, signers)).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
  })

  it('proposes the nearest name when the named model is not there', async () => {
    await addModel('digits')
    const { code, message } = await refusal('digts')
    expect(code).toBe('MODEL_MISSING')
    expect(message).toContain('did you mean digits?')
  })

  it('refuses two folders with the same model name', async () => {
    await addModel('a')
    await addModel('b')
    const { code, message } = await refusal()
    expect(code).toBe('MODEL_INVALID')
    expect(message).toContain(join(dir, 'b'))
  })

  it('does not take files and folders without a manifest for models', async () => {
    await writeFile(join(dir, 'train_digits.py'), '')
    await mkdir(join(dir, 'lost+found'))
    const { code, message } = await refusal()
    expect([code, message]).toEqual(['MODEL_MISSING', `${dir} holds no model`])
  })

  it('says what to do when the directory is not there', async () => {
    await rm(dir, { recursive: true })
    const { code, message } = await refusal()
    expect(code).toBe('MODEL_MISSING')
    expect(message).toContain(dir)
  })

  it('serves a sound model beside a damaged one and still tells of the damage', async () => {
    await addModel('digits')
    await addModel('broken', '{')
    expect((await pickModel(dir, null)).name).toBe('digits')
    const { models, faults } = await loadModels(dir)
    expect(models).toHaveLength(1)
    expect(faults[0]?.message).toContain(join(dir, 'broken', 'manifest.json'))
  })
})

describe('verifying a model folder', () => {
  it('takes a models directory whose folders are links', async () => {
    const elsewhere = await realpath(await mkdtemp(join(tmpdir(), 'edgedeck-elsewhere-')))
    try {
      await addModel('held')
      await symlink(join(dir, 'held'), join(elsewhere, 'digits'))
      expect((await pickModel(elsewhere, null)).path).toBe(join(dir, 'held', 'weights.onnx'))
    } finally {
      await rm(elsewhere, { recursive: true, force: true })
    }
  })

  it.each([
    ['broken JSON', '{"format": 1,\n "name": ', /manifest\.json:2/],
    ['an unknown key', manifest({ flavour: 'sweet' }), /manifest\.json:\d+: flavour: unknown key/],
    ['another format', manifest({ format: 3 }), /format: must be 1 or 2/],
    ['no self-test in format 2', manifest({ format: 2 }), /selfTest: must name at least one picture/],
    [
      'a self-test of no class',
      manifest({ format: 2, selfTest: [{ file: 'a.png', class: 2 }] }),
      /selfTest: must name classes/,
    ],
    ['classes that do not fit the output', manifest({ classes: ['one'] }), /classes: must be as many/],
    ['a colour input', manifest({ input: { name: 'i', datatype: 'FP32', shape: [-1, 3, 8, 8] } }), /input\.shape\.1/],
    ['a name that could be a path', manifest({ name: '../digits' }), /name: letters/],
    ['a digest in the wrong case', manifest({}, { sha256: 'A'.repeat(64) }), /sha256: must be 64/],
    ['no variant', manifest({ variants: [] }), /variants/],
    ['a text of another kind', 'hello', /manifest\.json/],
    ['more than a manifest may hold', `${manifest()}${' '.repeat(70_000)}`, /at most 65536/],
  ])('names file and fault for a manifest with %s', async (_what, text, fault) => {
    await addModel('digits', text)
    const { code, message } = await refusal()
    expect(code).toBe('MODEL_INVALID')
    expect(message).toContain(join(dir, 'digits', 'manifest.json'))
    expect(message).toMatch(fault)
  })

  it.each([
    ['is missing', null, 'cannot be found'],
    ['is cut short', weights.subarray(1), `has ${weights.length - 1} bytes, its manifest says ${weights.length}`],
    ['has one flipped bit', weights.map((byte, at) => (at === 5 ? byte ^ 1 : byte)), 'has SHA-256'],
  ])('refuses weights when their file %s', async (_what, content, fault) => {
    await addModel('digits', manifest(), content)
    const { code, message } = await refusal()
    expect(code).toBe('MODEL_INVALID')
    expect(message).toContain(join(dir, 'digits', 'weights.onnx'))
    expect(message).toContain(fault)
  })

  it.each(['../secret.onnx', 'sub/../../secret.onnx', '/etc/hostname', '..\\secret.onnx'])(
    'refuses weights named %s',
    async (file) => {
      await writeFile(join(dir, 'secret.onnx'), weights)
      await addModel('digits', manifest({}, { file }))
      const { code, message } = await refusal()
      expect(code).toBe('MODEL_INVALID')
      expect(message).toContain('outside its folder')
    },
  )

  it('refuses weights that are a link out of the folder', async () => {
    await writeFile(join(dir, 'secret.onnx'), weights)
    const folder = await addModel('digits', manifest(), null)
    await symlink('../secret.onnx', join(folder, 'weights.onnx'))
    const { code, message } = await refusal()
    expect(code).toBe('MODEL_INVALID')
    expect(message).toContain('link out of its folder')
  })

  it('refuses a manifest that is a link out of the folder', async () => {
    await writeFile(join(dir, 'manifest.json'), manifest())
    await mkdir(join(dir, 'digits'))
    await symlink('../manifest.json', join(dir, 'digits', 'manifest.json'))
    await writeFile(join(dir, 'digits', 'weights.onnx'), weights)
    expect((await refusal()).message).toContain('link out of its folder')
  })

  it('follows a link that stays in the folder', async () => {
    const folder = await addModel('digits', manifest(), null)
    await writeFile(join(folder, 'v1.onnx'), weights)
    await symlink('v1.onnx', join(folder, 'weights.onnx'))
    expect((await pickModel(dir, null)).path).toBe(join(folder, 'v1.onnx'))
  })

  it('does not wait at a pipe that stands for the weights', async () => {
    const folder = await addModel('digits', manifest(), null)
    execFileSync('mkfifo', [join(folder, 'weights.onnx')])
    expect((await refusal()).message).toContain('is not a file')
  })
})
