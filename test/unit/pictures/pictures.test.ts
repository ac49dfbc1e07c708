import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterEach, describe, expect, test } from 'vitest'
import { pictureCells, shadeOf } from '../../../src/pictures/cells.ts'
import { decodePicture, type Picture } from '../../../src/pictures/decode.ts'
import { savePicture } from '../../../src/pictures/save.ts'
import { patternedPixels, pngClaiming, samplePicture } from '../../support/pictures.ts'

async function decoded(data: Uint8Array): Promise<Picture> {
  const outcome = await decodePicture(data)
  if (!outcome.ok) throw new Error(outcome.message)
  return outcome.picture
}

describe('a picture from a node', () => {
  test('is decoded whatever its channels, and made small enough to draw', async () => {
    for (const channels of [1, 2, 3, 4] as const) {
      const { data, ...raw } = patternedPixels(900, 300, channels)
      const picture = await decoded(await sharp(data, { raw }).png().toBuffer())
      expect(picture).toMatchObject({ width: 640, height: 213, fullWidth: 900, fullHeight: 300, format: 'png' })
      expect(picture.rgb).toHaveLength(640 * 213 * 3)
    }
    const { data, ...raw } = patternedPixels(64, 48, 3)
    expect(await decoded(await sharp(data, { raw }).jpeg().toBuffer())).toMatchObject({ width: 64, format: 'jpeg' })
    expect((await decoded(samplePicture(7))).rgb.length).toBeGreaterThan(0)
  })

  test.each([
    ['nothing', new Uint8Array(), /no PNG or JPEG/],
    ['text', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), /no PNG or JPEG/],
    ['a cut PNG', samplePicture(7).subarray(0, 60), /cannot be decoded/],
    ['more pixels than any camera has', pngClaiming(60_000, 60_000), /cannot be decoded/],
  ])('is refused when it is %s', async (_what, data, message) => {
    const outcome = await decodePicture(data)
    expect(outcome.ok ? '' : outcome.message).toMatch(message)
  })

  const halves: Picture = {
    width: 4,
    height: 4,
    fullWidth: 4,
    fullHeight: 4,
    format: 'png',
    rgb: Uint8Array.from({ length: 48 }, (_, at) => (at % 12 < 6 ? 255 : 0)),
  }

  test('fits its room with its proportions kept', () => {
    expect(pictureCells(halves, { columns: 4, rows: 2 })).toHaveLength(2)
    const cells = pictureCells(halves, { columns: 100, rows: 9 })
    expect([cells.length, cells[0]?.length]).toEqual([8, 16])
    expect(cells.map((row) => row.map((cell) => shadeOf(cell, true)).join(''))).toContain('@@@@@@@@        ')
    expect(cells[0]?.map((cell) => shadeOf(cell, false)).join('')).toBe('████████        ')
    expect(pictureCells(halves, { columns: 2, rows: 9 })).toEqual([
      [
        { upper: [255, 255, 255], lower: [255, 255, 255] },
        { upper: [0, 0, 0], lower: [0, 0, 0] },
      ],
    ])
  })
})

describe('a saved picture', () => {
  const dirs: string[] = []
  afterEach(async () => {
    for (const dir of dirs.splice(0)) await rm(dir, { recursive: true })
  })
  async function folder(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), 'edgedeck-pictures-'))
    dirs.push(dir)
    return join(dir, 'made', 'when', 'needed')
  }

  test('is the very bytes that the device sent, and never written over another', async () => {
    const dir = await folder()
    const data = samplePicture(3)
    const first = await savePicture(dir, { node: 'press-4', seq: 41, data })
    const second = await savePicture(dir, { node: 'press-4', seq: 41, data: Buffer.from('other') })
    const third = await savePicture(dir, { node: 'press-4', seq: 41, data })
    expect([first, second, third]).toEqual([
      { ok: true, file: join(dir, 'press-4-41.png') },
      { ok: true, file: join(dir, 'press-4-41.bin') },
      { ok: true, file: join(dir, 'press-4-41-2.png') },
    ])
    expect(await readFile(join(dir, 'press-4-41.png'))).toEqual(data)
  })

  test('stays in its folder whatever the node is called', async () => {
    const dir = await folder()
    for (const node of ['../../etc/passwd', '-rf', '..', '\u001b[2J', '质检-东区']) {
      expect(await savePicture(dir, { node, seq: 1, data: Buffer.from('x') })).toMatchObject({ ok: true })
    }
    const names = await readdir(dir)
    expect(names).toHaveLength(5)
    for (const name of names) expect(name).toMatch(/^[\p{L}\p{N}_][\p{L}\p{N}._-]*-1\.bin$/u)
  })

  test('says why when it cannot be', async () => {
    const outcome = await savePicture(join(fileURLToPath(import.meta.url), 'x'), {
      node: 'n',
      seq: 1,
      data: Buffer.from('x'),
    })
    expect(outcome).toMatchObject({ ok: false })
  })
})
