import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { PtyProcess } from '../../support/pty.ts'

const CHILD = fileURLToPath(new URL('session-child.ts', import.meta.url))

type Cleanup = (clean: () => Promise<void>) => void

describe.concurrent('terminal session', () => {
  async function open(how: string, onTestFinished: Cleanup): Promise<PtyProcess> {
    const shell = `printf 'before\\r\\n'; exec "$0" --disable-warning=ExperimentalWarning "$1" "$2"`
    const opened = new PtyProcess(['/bin/sh', '-c', shell, process.execPath, CHILD, how])
    onTestFinished(() => opened.dispose())
    await opened.emulator.until((screen) => screen.includes('on screen'))
    return opened
  }

  function expectGivenBack({ emulator }: PtyProcess): void {
    expect(emulator.isAlternate()).toBe(false)
    expect(emulator.text()[0]).toBe('before')
    const { modes } = emulator.terminal
    expect(modes.wraparoundMode).toBe(true)
    expect(modes.bracketedPasteMode).toBe(false)
    expect(modes.mouseTrackingMode).toBe('none')
    expect(emulator.output.lastIndexOf('\x1b[?25h')).toBeGreaterThan(emulator.output.lastIndexOf('\x1b[?25l'))
    expect(emulator.output.split('\x1b[?1049l').length).toBe(emulator.output.split('\x1b[?1049h').length)
  }

  it('takes the alternate screen without a cursor', async ({ onTestFinished }) => {
    const child = await open('leave', onTestFinished)
    expect(child.emulator.isAlternate()).toBe(true)
    expect(child.emulator.screen()).not.toContain('before')
    expect(child.emulator.terminal.modes.wraparoundMode).toBe(false)
  })

  it.for([
    ['leave', 'exit 0'],
    ['exit', 'exit 7'],
    ['crash', 'exit 1'],
    ['reject', 'exit 1'],
  ] as const)('gives the terminal back on %s', async ([how, end], { onTestFinished }) => {
    const child = await open(how, onTestFinished)
    child.type('k')
    expect(await child.ended).toEqual({ end, modesRestored: true })
    await child.emulator.settle()
    expectGivenBack(child)
    if (how === 'crash') expect(child.emulator.screen()).toContain('crashed on k')
  })

  it.for(['SIGTERM', 'SIGHUP', 'SIGINT'] as const)(
    'gives the terminal back on %s, before its owner acts',
    async (signal, { onTestFinished }) => {
      const child = await open('wait', onTestFinished)
      await child.signal(signal)
      expect(await child.ended).toEqual({ end: 'exit 143', modesRestored: true })
      await child.emulator.settle()
      expectGivenBack(child)
      expect(child.emulator.screen()).toContain(`ended by ${signal}`)
    },
  )

  it('gives the terminal back while it is stopped, and takes it again afterwards', async ({ onTestFinished }) => {
    const child = await open('leave', onTestFinished)
    await child.signal('SIGTSTP')
    await child.emulator.until(() => !child.emulator.isAlternate())
    await child.signal('SIGCONT')
    await child.emulator.until((screen) => screen.includes('resumed'))
    expect(child.emulator.isAlternate()).toBe(true)
    child.type('k')
    expect(await child.ended).toEqual({ end: 'exit 0', modesRestored: true })
    await child.emulator.settle()
    expectGivenBack(child)
  })
})
