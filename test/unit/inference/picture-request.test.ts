import { describe, expect, it } from 'vitest'
import { decodeBase64, pictureOf, wrongContent } from '../../../edge-daemon/inference/picture-request.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

function fromJson(value: unknown): ReturnType<typeof pictureOf> {
  return pictureOf(JSON_TYPE, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
}

describe('base64', () => {
  it('is decoded as Node does for every length, with and without padding, in both alphabets', () => {
    for (let length = 1; length < 70; length += 1) {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 89 + length * 7) % 256))
      for (const text of [bytes.toString('base64'), bytes.toString('base64url')]) {
        expect(decodeBase64(text)).toEqual(bytes)
        expect(decodeBase64(text.replaceAll('=', ''))).toEqual(bytes)
      }
    }
  })

  it('may be broken into lines', () => {
    expect(decodeBase64('aGVs\r\nbG8g\nd29y\n bGQ=\n')?.toString()).toBe('hello world')
  })

  it.each([
    '',
    '=',
    '====',
    'a',
    'abcde',
    'ab*d',
    'abc=d',
    'ab=',
    'a===',
    'aGVsbG8\u00e9',
    'aGVs bG8*',
    '%%%%',
    'abcd====',
  ])('refuses %j', (text) => {
    expect(decodeBase64(text)).toBeNull()
  })
})

describe('a request body', () => {
  it('gives the picture of image_base64, with or without a data URL before it', () => {
    const picture = Buffer.from([0x89, 1, 2, 3])
    const text = picture.toString('base64')
    expect(fromJson({ image_base64: text })).toEqual({ ok: true, picture })
    expect(fromJson({ image_base64: `data:image/png;base64,${text}`, other: 1 })).toEqual({ ok: true, picture })
  })

  it('is the picture itself under an image content type', () => {
    const body = Buffer.from([1, 2])
    expect(pictureOf('Image/PNG', body)).toEqual({ ok: true, picture: body })
    expect(pictureOf('image/png', Buffer.alloc(0))).toMatchObject({ ok: false, status: 400 })
  })

  it.each([
    ['{', /not JSON/],
    ['[1]', /not a JSON object/],
    ['null', /not a JSON object/],
    [{}, /"image_base64" is missing/],
    [{ image_base64: '' }, /"image_base64" is missing/],
    [{ image_base64: null }, /"image_base64" is missing/],
    [{ image_base64: 7 }, /not a text/],
    [{ image_base64: 'not base64!' }, /not base64/],
    [{ image_base64: 'data:image/png,abcd' }, /not base64/],
    [{ image_base64: 'data:image/png;base64,' }, /not base64/],
  ])('%j is refused with 400 and what to send', (value, msg) => {
    const refused = fromJson(value)
    expect(refused).toMatchObject({ ok: false, status: 400 })
    expect(refused.ok ? '' : refused.msg).toMatch(msg)
    expect(refused.ok ? '' : refused.msg).toMatch(/send|encode/)
  })

  it('is refused by its head when it is neither JSON nor a picture, or compressed', () => {
    expect(wrongContent({ 'content-type': 'image/webp' })).toBeNull()
    expect(wrongContent({ 'content-type': 'application/json', 'content-encoding': 'identity' })).toBeNull()
    for (const headers of [
      {},
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/jsonl' },
      { 'content-type': 'image/png', 'content-encoding': 'gzip' },
    ]) {
      expect(wrongContent(headers)).toMatchObject({ status: 415, msg: expect.stringContaining('send') })
    }
  })
})
