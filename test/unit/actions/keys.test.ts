import { describe, expect, it } from 'vitest'
import { decodeKeys, parseKey, textOfKey } from '../../../src/actions/keys.ts'

describe('keys as people write them', () => {
  it.each([
    ['j', 'j'],
    ['G', 'G'],
    ['中', '中'],
    ['?', '?'],
    ['Ctrl-D', 'ctrl-d'],
    ['ctrl+d', 'ctrl-d'],
    ['alt-x', 'alt-x'],
    ['Escape', 'esc'],
    ['PageDown', 'pgdn'],
    ['return', 'enter'],
    [' ', 'space'],
    ['-', '-'],
  ])('reads %j as %s', (written, key) => {
    expect(parseKey(written)).toEqual({ ok: true, key })
  })

  it.each([
    ['f1', /function keys/],
    ['ctrl-m', /cannot tell "ctrl-m" from "enter"/],
    ['ctrl-i', /cannot tell "ctrl-i" from "tab"/],
    ['ctrl-1', /ctrl with a letter/],
    ['gg', /"gg" is not a key/],
    ['', /is not a key/],
    ['\x1b', /is not a key/],
  ])('refuses %j and says what to write', (written, message) => {
    expect(parseKey(written)).toEqual({ ok: false, message: expect.stringMatching(message) })
  })
})

describe('keys as terminals send them', () => {
  it('finds every key in one chunk', () => {
    expect(decodeKeys('jjj')).toEqual(['j', 'j', 'j'])
    expect(decodeKeys('\rZ \t\x7f')).toEqual(['enter', 'Z', 'space', 'tab', 'backspace'])
    expect(decodeKeys('\x1b[Ak\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~\x1b[Z')).toEqual([
      'up',
      'k',
      'down',
      'pgup',
      'pgdn',
      'home',
      'end',
      'shift-tab',
    ])
    expect(decodeKeys('\x04\x15\x03')).toEqual(['ctrl-d', 'ctrl-u', 'ctrl-c'])
    expect(decodeKeys('\x1bx\x1b')).toEqual(['alt-x', 'esc'])
    expect(decodeKeys('\x1b\x1b[A')).toEqual(['esc', 'up'])
    expect(decodeKeys('中文')).toEqual(['中', '文'])
  })

  it('drops sequences that are no key it knows, and goes on after them', () => {
    expect(decodeKeys('a\x1b[15~\x1b[?62;c\x1b[[Ab')).toEqual(['a', 'b'])
  })

  it('reads in a chunk what a person wrote for the same key', () => {
    for (const [sent, written] of [
      ['\x04', 'ctrl-d'],
      ['\x1b[B', 'down'],
      [' ', 'space'],
      ['\x1b', 'esc'],
      ['-', '-'],
      ['\r', 'enter'],
    ] as const) {
      expect(parseKey(written)).toEqual({ ok: true, key: decodeKeys(sent)[0] })
    }
  })

  it('tells what a key types', () => {
    expect(['j', 'space', '中', 'enter', 'ctrl-d'].map(textOfKey)).toEqual(['j', ' ', '中', null, null])
  })
})
