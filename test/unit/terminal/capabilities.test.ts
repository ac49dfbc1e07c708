import { describe, expect, it } from 'vitest'
import { detectCapabilities } from '../../../src/ui/terminal/capabilities.ts'

const UTF8 = { LANG: 'zh_CN.UTF-8' }

describe('terminal capabilities', () => {
  it.each([
    [{ TERM: 'xterm-256color' }, '256'],
    [{ TERM: 'xterm-256color', COLORTERM: 'truecolor' }, 'true'],
    [{ TERM: 'xterm-256color', COLORTERM: 'truecolor', NO_COLOR: '1' }, 'none'],
    [{ TERM: 'xterm-256color', NO_COLOR: '' }, '256'],
    [{ TERM: 'xterm-256color', NO_COLOR: '1', FORCE_COLOR: '3' }, 'none'],
    [{ TERM: 'dumb', FORCE_COLOR: '3' }, 'true'],
    [{ TERM: 'xterm', FORCE_COLOR: '0' }, 'none'],
    [{ TERM: 'xterm' }, '16'],
    [{ TERM: 'linux' }, '16'],
    [{ TERM: 'dumb' }, 'none'],
    [{}, 'none'],
  ] as const)('reads colours from %j as %s', (env, depth) => {
    expect(detectCapabilities({ ...UTF8, ...env }).depth).toBe(depth)
  })

  it.each([
    [{ TERM: 'xterm', ...UTF8 }, false],
    [{ TERM: 'linux', ...UTF8 }, true],
    [{ TERM: 'linux', EDGEDECK_ASCII: '0' }, false],
    [{ TERM: 'xterm', ...UTF8, EDGEDECK_ASCII: '1' }, true],
    [{ TERM: 'xterm', LC_ALL: 'zh_CN.GB18030' }, true],
    [{ TERM: 'xterm', LC_ALL: 'C.utf8' }, false],
    [{ TERM: 'xterm' }, false],
  ] as const)('decides on ASCII for %j: %s', (env, ascii) => {
    expect(detectCapabilities(env).ascii).toBe(ascii)
  })

  it('knows a terminal that cannot place its cursor', () => {
    expect(detectCapabilities({ TERM: 'dumb' }).addressable).toBe(false)
    expect(detectCapabilities({ TERM: 'tmux-256color' }).addressable).toBe(true)
  })
})
