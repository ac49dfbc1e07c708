import { describe, expect, it } from 'vitest'
import { isSafe } from '../../../protocol/untrusted-text.ts'
import { agreementOn, clustersOf, fitText, truncate, widthOf, wrapWords } from '../../../src/ui/terminal/text.ts'

const FAMILY = '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}'

describe('text width', () => {
  it.each([
    ['abc', 3],
    ['', 0],
    ['中文', 4],
    ['e\u0301', 1],
    ['\u{1f600}', 2],
    [FAMILY, 2],
    ['\u{1f44d}\u{1f3fd}', 2],
    ['\u{1f1e8}\u{1f1f3}', 2],
    ['\u2764\ufe0f', 2],
    ['\u2764', 1],
    ['1\ufe0f\u20e3', 2],
    ['가', 2],
    ['\u1112\u1161\u11ab', 2],
    ['─│⣿█', 4],
    ['a\u200d', 1],
  ])('counts %j as %i columns', (text, columns) => {
    expect(widthOf(text)).toBe(columns)
  })

  it('keeps a letter and its marks, a flag and a family in one cluster each', () => {
    const texts = [...clustersOf(`e\u0301${FAMILY}\u{1f1e8}\u{1f1f3}x`)].map(({ text }) => text)
    expect(texts).toEqual(['e\u0301', FAMILY, '\u{1f1e8}\u{1f1f3}', 'x'])
  })

  it('cuts a flood of marks and gives marks without a letter a cell of their own', () => {
    const [flooded] = clustersOf(`a${'\u0301'.repeat(50)}`)
    expect([...(flooded?.text ?? '')]).toHaveLength(5)
    expect([...clustersOf('\u0301b')].map(({ text }) => text)).toEqual([' \u0301', 'b'])
  })

  it('never lets anything unsafe through', () => {
    const hostile = 'a\x1b[2Jb\u202ec\x07\u009b31md\u200b\ufeff\ud800e'
    const shown = [...clustersOf(hostile)].map(({ text }) => text).join('')
    expect(isSafe(shown)).toBe(true)
    expect(shown).toContain('␛[2J')
  })
})

describe('truncate and fit', () => {
  it('never splits a wide character and never exceeds the width', () => {
    for (const text of ['plain text', '中文字符很长', `a${FAMILY}b中c`, 'e\u0301'.repeat(9)]) {
      for (let columns = 0; columns <= 12; columns += 1) {
        expect(widthOf(truncate(text, columns))).toBeLessThanOrEqual(columns)
        expect(widthOf(fitText(text, columns))).toBe(columns)
        expect(widthOf(fitText(text, columns, 'right'))).toBe(columns)
      }
    }
    expect(truncate('中文字', 4)).toBe('中…')
  })

  it('leaves alone what fits', () => {
    expect(truncate('中文', 4)).toBe('中文')
    expect(fitText('12', 4, 'right')).toBe('  12')
  })
})

describe('agreement of terminals', () => {
  it('trusts drawing characters, counts on CJK, and doubts emoji and clusters', () => {
    expect(['a', '─', '⣿', '█', '…'].map(agreementOn)).toEqual(Array(5).fill('narrow'))
    expect(['中', '가'].map(agreementOn)).toEqual(['wide', 'wide'])
    expect(['\u{1f600}', FAMILY, 'e\u0301', '\u2764'].map(agreementOn)).toEqual(Array(4).fill('contested'))
  })
})

describe('wrapWords', () => {
  it('breaks between words, cuts only a word that is wider than a line, and never a wide character', () => {
    expect(wrapWords('it was not to be kept', 8)).toEqual(['it was', 'not to', 'be kept'])
    expect(wrapWords('see store.keep.input for it', 10)).toEqual(['see', 'store.keep', '.input for', 'it'])
    expect(wrapWords('東東東', 5)).toEqual(['東東', '東'])
    expect(wrapWords('', 5)).toEqual([''])
  })
})
