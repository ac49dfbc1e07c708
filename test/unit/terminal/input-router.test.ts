import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { InputRouter } from '../../../src/ui/terminal/input-router.ts'
import { FakeInput } from '../../support/fake-input.ts'

describe('input router', () => {
  let terminal: FakeInput
  let router: InputRouter

  beforeEach(() => {
    vi.useFakeTimers()
    terminal = new FakeInput()
    router = new InputRouter({ terminal, escapeDelayMs: 80 })
    router.start()
  })
  afterEach(() => {
    router.stop()
    vi.useRealTimers()
  })

  const arrived = (): string => (router.ink.read() as Buffer | null)?.toString('utf8') ?? ''

  it('hands on keys as they come', () => {
    terminal.type('jjj\r')
    expect(arrived()).toBe('jjj\r')
  })

  it('keeps an arrow key whole that a slow link cut anywhere', () => {
    for (const [first, second] of [
      ['\x1b', '[A'],
      ['\x1b[', 'A'],
      ['\x1b[1;', '5C'],
      ['\x1bO', 'B'],
    ] as const) {
      terminal.type(first)
      vi.advanceTimersByTime(70)
      expect(arrived()).toBe('')
      terminal.type(second)
      expect(arrived()).toBe(first + second)
    }
  })

  it('hands on a lone ESC after the delay, once', () => {
    terminal.type('\x1b')
    expect(arrived()).toBe('')
    vi.advanceTimersByTime(80)
    expect(arrived()).toBe('\x1b')
    vi.advanceTimersByTime(1000)
    expect(arrived()).toBe('')
  })

  it('drops half a sequence whose rest never comes, and understands what follows', () => {
    terminal.type('\x1b[')
    vi.advanceTimersByTime(80)
    terminal.type('j')
    expect(arrived()).toBe('j')
  })

  it('keeps a character whole whose bytes come apart', () => {
    const bytes = Buffer.from('中')
    terminal.type(bytes.subarray(0, 1))
    terminal.type(bytes.subarray(1))
    expect(arrived()).toBe('中')
  })

  it('drops mouse and focus reports, also when they come in pieces, and keeps the keys between', () => {
    terminal.type('a\x1b[<0;10;5Mb\x1b[<0;10;5mc\x1b[Id\x1b[Oe\x1b[M !!f\x1b[32;4;5Mg\x1b[<6')
    terminal.type('4;1;1Mh')
    expect(arrived()).toBe('abcdefgh')
  })

  it('makes a paste plain text: no marks, no keys, no commands', () => {
    terminal.type('\x1b[200~two\r\nlines\t\x03\x1b[Aq\x1b[201~z')
    expect(arrived()).toBe('two lines [Aqz')
  })

  it('recognises a paste that comes in pieces', () => {
    for (const piece of ['\x1b[20', '0~pas', 'te\x1b', '[201', '~\r']) terminal.type(piece)
    expect(arrived()).toBe('paste\r')
  })

  it('gives raw input to a borrower and none of it to Ink, then goes back', async () => {
    const lent: string[] = []
    let finish = () => {}
    const work = new Promise<void>((resolve) => {
      finish = resolve
    })
    const loan = router.lend(
      (chunk) => lent.push(chunk.toString('utf8')),
      () => work,
    )
    terminal.type('ls\r\x1b[A')
    await expect(
      router.lend(
        () => {},
        async () => {},
      ),
    ).rejects.toThrow('already lent')
    finish()
    await loan
    terminal.type('q')
    expect(lent.join('')).toBe('ls\r\x1b[A')
    expect(arrived()).toBe('q')
  })

  it('takes input back when the borrower fails', async () => {
    await expect(
      router.lend(
        () => {},
        () => Promise.reject(new Error('channel closed')),
      ),
    ).rejects.toThrow('channel closed')
    terminal.type('q')
    expect(arrived()).toBe('q')
  })

  it('stops reading when stopped, so that the process can end', () => {
    router.stop()
    expect(terminal.paused).toBe(true)
    expect(terminal.listenerCount('data')).toBe(0)
  })
})
