import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isSafe } from '../../../protocol/untrusted-text.ts'
import { type PictureRequest, type PictureSurface, runPicture } from '../../../src/commands/picture.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { DaemonHome, type InferAnswer, postPicture, SOURCE } from '../../support/edge-daemon.ts'
import { samplePicture } from '../../support/pictures.ts'

const home = new DaemonHome()
const dir = mkdtempSync(join(tmpdir(), 'edgedeck-pictures-'))
let url = ''
let seven: InferAnswer
let broken: InferAnswer
let normal: InferAnswer
beforeAll(async () => {
  home.configure({
    'filter.abnormal': [
      { name: 'seven', when: 'result.pred == 7' },
      { name: 'odd', when: 'result.code != 200' },
    ],
  })
  const served = await home.serve({ program: SOURCE })
  url = served.liveUrl
  seven = await postPicture(served.inferUrl, samplePicture(7))
  broken = await postPicture(served.inferUrl, Buffer.from('no picture'))
  normal = await postPicture(served.inferUrl, samplePicture(1))
})
afterAll(async () => {
  await home[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true })
})

const PLAIN: PictureSurface = { columns: 40, rows: 20, depth: 'none', ascii: true }

async function picture(answer: InferAnswer, change: Partial<PictureRequest> = {}, surface = PLAIN) {
  const io = new CapturedIo()
  await runPicture(
    {
      name: 'n1',
      node: { key: 'n1', url },
      access: { version: '0.0.0' },
      seq: answer.seq ?? 0,
      save: null,
      format: 'table',
      timeoutMs: 60_000,
      ...change,
    },
    surface,
    io,
  )
  return { stdout: io.out(), stderr: io.err() }
}

describe('edgedeck picture', () => {
  it('draws the picture of a flagged result in the room and the colours there are', async () => {
    const plain = await picture(seven)
    const lines = plain.stdout.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(5)
    expect(lines.length).toBeLessThanOrEqual(20)
    expect(lines.every((line) => /^[ -~]{0,40}$/.test(line))).toBe(true)
    // Strokes of the digit on black.
    expect(plain.stdout).toMatch(/@/)
    expect(plain.stderr).toMatch(/^n1 \d+: png 28×28, \d+ B\n$/)
    const colours = await picture(seven, {}, { ...PLAIN, depth: 'true', ascii: false })
    expect(colours.stdout).toMatch(/^\u001b\[38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m▀.*\u001b\[0m\n/)
    const few = await picture(seven, {}, { ...PLAIN, depth: '16', ascii: false })
    expect(few.stdout).not.toContain('38;2')
    expect(few.stdout.split('\n').every((line) => isSafe(line.replaceAll(/\u001b\[[\d;]*m/g, '')))).toBe(true)
  })

  it('saves it as the device sent it, and never writes over a file', async () => {
    const save = join(dir, 'seven.png')
    const saved = await picture(seven, { save })
    expect(saved.stdout).toMatch(/seven\.png: png 28×28/)
    expect(readFileSync(save)).toEqual(Buffer.from(samplePicture(7)))
    await expect(picture(seven, { save })).rejects.toMatchObject({ code: 'OUTPUT_REFUSED', kind: 'environment' })
    await expect(picture(seven, { save: join(dir, 'no/such/folder') })).rejects.toMatchObject({
      code: 'OUTPUT_REFUSED',
    })
    const json = await picture(seven, { save: join(dir, 'other.png'), format: 'json' })
    expect(JSON.parse(json.stdout)).toMatchObject([{ node: 'n1', contentType: 'image/png', width: 28, height: 28 }])
  })

  it('says what to do about bytes that are no picture, and about a picture that is not kept', async () => {
    await expect(picture(broken)).rejects.toMatchObject({
      code: 'PICTURE_UNDECODABLE',
      next: ['save the bytes as they are with --save FILE'],
    })
    const save = join(dir, 'broken.bin')
    await picture(broken, { save })
    expect(readFileSync(save, 'utf8')).toBe('no picture')
    const never = join(dir, 'never.png')
    await expect(picture(normal, { save: never })).rejects.toMatchObject({ code: 'PICTURE_NOT_KEPT' })
    expect(existsSync(never)).toBe(false)
    const gone = { key: 'n1', url: 'ws://127.0.0.1:1/live' }
    await expect(picture(seven, { node: gone })).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' })
  })
})
