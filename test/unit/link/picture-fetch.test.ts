import { expect, test } from 'vitest'
import { MAX_PICTURE_BYTES, PictureFetch } from '../../../src/link/picture-fetch.ts'

type Stretch = Parameters<PictureFetch['take']>[0]

function stretch(change: Partial<Stretch>): Stretch {
  const whole = {
    t: 'picture',
    id: 'p',
    seq: 1,
    contentType: 'image/png',
    sizeBytes: 8,
    offset: 0,
    data: '',
    last: false,
  }
  return { ...(whole as Stretch), ...change }
}

const four = Buffer.from('four').toString('base64')

test('joins stretches in their order', () => {
  const fetch = new PictureFetch()
  expect(fetch.take(stretch({ data: four }))).toBe(null)
  expect(fetch.take(stretch({ data: four, offset: 4, last: true }))).toMatchObject({ data: Buffer.from('fourfour') })
})

test.each([
  ['is empty and not the last, which could go on for ever', { data: '' }, 'is empty'],
  ['does not follow', { data: four, offset: 4 }, 'did not come'],
  ['is more than was said', { data: four, sizeBytes: 3 }, 'more of the picture'],
  ['ends too early', { data: four, last: true }, 'too early'],
  ['announces more than a console holds', { sizeBytes: MAX_PICTURE_BYTES + 1 }, 'more than a console takes'],
])('refuses a stretch that %s', (_what, change, msg) => {
  expect(new PictureFetch().take(stretch(change))).toContain(msg)
})
