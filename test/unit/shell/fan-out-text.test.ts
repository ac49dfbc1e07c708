import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { PrefixLines } from '../../../src/commands/exec-prefix.ts'
import { groupOutcomes } from '../../../src/shell/fan-out-groups.ts'
import { KeptOutputs, NO_OUTPUT } from '../../../src/shell/fan-out-kept.ts'
import { LineSplitter, MAX_LINE_CHARS, shownLine } from '../../../src/shell/fan-out-lines.ts'
import type { NodeEnd, NodeOutcome } from '../../../src/shell/fan-out-outcome.ts'
import { quoteCommand } from '../../../src/shell/fan-out-quote.ts'

describe('quoteCommand', () => {
  it('brings every argument through a shell as it is', () => {
    const words = [
      '',
      'a b',
      "it's",
      '"',
      '$HOME',
      '`id`',
      'a\nb',
      '\\',
      '*',
      '~',
      '!x',
      '中文',
      '--',
      '-n',
      'a=b',
      '#',
    ]
    const line = quoteCommand(['printf', '%s\\0', ...words])
    const shells = ['sh', 'bash'].map((shell) => execFileSync(shell, ['-c', line]).toString().split('\0').slice(0, -1))
    expect(shells).toEqual([words, words])
  })

  it('names a program that looks like a variable, and leaves plain words readable', () => {
    expect(quoteCommand(['a=b', 'c=d'])).toBe("'a=b' c=d")
    expect(quoteCommand(['systemctl', 'status', 'edge-daemon.service'])).toBe('systemctl status edge-daemon.service')
  })
})

describe('LineSplitter', () => {
  function linesOf(chunks: readonly Buffer[]): string[] {
    const lines: string[] = []
    const splitter = new LineSplitter((line) => lines.push(line))
    for (const chunk of chunks) splitter.push(chunk)
    splitter.end()
    return lines
  }

  it('finds the same lines wherever the chunks end', () => {
    const bytes = Buffer.from('one\r\n中文 😀\n\nlast')
    const whole = ['one', '中文 😀', '', 'last']
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(linesOf([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole)
    }
    expect(linesOf(Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(whole)
  })

  it('hands a line without end on in bounded pieces that join to it', () => {
    const text = `x${'😀'.repeat(MAX_LINE_CHARS)}`
    const pieces = linesOf([Buffer.from(text)])
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(MAX_LINE_CHARS)
    expect(pieces.join('')).toBe(text)
  })
})

describe('shownLine', () => {
  it('drops colours, keeps columns, and shows what a terminal would execute', () => {
    expect(shownLine('\x1b[1;31mred\x1b[0m\tx\x1b]0;title\x07')).toBe('red     x␛]0;title␇')
  })
})

describe('KeptOutputs', () => {
  it('tells outputs apart that are alike in all that is kept', () => {
    const [left, right, again] = ['aaaX', 'aaaY', 'aaaX'].map((text) => {
      const outputs = new KeptOutputs(3)
      outputs.stdout.push(Buffer.from(text))
      return outputs.stdout.done()
    })
    expect(left).toMatchObject({ text: 'aaa', totalBytes: 4 })
    expect({ ...right, digest: '' }).toEqual({ ...left, digest: '' })
    expect(right?.digest).not.toBe(left?.digest)
    expect(again?.digest).toBe(left?.digest)
  })
})

describe('PrefixLines', () => {
  it('lets no name of a node reach the terminal as it is', () => {
    const name = 'a\x1b]52;c;eA==\x07\n'
    expect(new PrefixLines([name, 'press-1'], 'none').text(name, 'x', 'stdout')).toBe('a␛]52;c;eA==␇␊ | x\n')
  })
})

describe('groupOutcomes', () => {
  const exited = (code: number): NodeEnd => ({ kind: 'exited', code, signal: null })
  const outcome = (key: string, text: string, end: NodeEnd): NodeOutcome => ({
    key,
    label: null,
    end,
    stdout: { text, keptBytes: text.length, totalBytes: text.length, digest: text },
    stderr: NO_OUTPUT,
    durationMs: 1,
  })

  it('folds what is alike together, the largest first', () => {
    const groups = groupOutcomes([
      outcome('a', 'x', exited(1)),
      outcome('b', 'x', exited(0)),
      outcome('c', 'y', exited(0)),
      outcome('d', 'x', exited(0)),
      outcome('e', '', { kind: 'unreachable', code: 'NODE_UNREACHABLE', msg: '10.0.0.1 refused', next: [] }),
      outcome('f', '', { kind: 'unreachable', code: 'NODE_UNREACHABLE', msg: '10.0.0.2 refused', next: [] }),
    ])
    expect(groups.map(({ outcomes }) => outcomes.map(({ key }) => key))).toEqual([['b', 'd'], ['e', 'f'], ['c'], ['a']])
  })
})
