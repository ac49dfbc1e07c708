import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PtyProcess } from '../support/pty.ts'
import { ShellFleet } from '../support/shell-fleet.ts'

/** Vim shows rows behind the end of a text by `~`. */
const inVim = (screen: string): boolean => /^~ *\n~ *$/m.test(screen)
const ESC = '\u001b'
/** What a recording holds of output, as one text: where a connection parts it is by chance. */
const outputOf = (cast: string): string =>
  cast
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as [number, string, string])
    .map(([, kind, data]) => (kind === 'o' ? data : ''))
    .join('')
const LONG_MS = 120_000

/** The story of one operator, in order: every test begins where the one before ended. */
describe('a shell inside the console', () => {
  let fleet: ShellFleet
  let pty: PtyProcess
  const until = (wanted: (screen: string) => boolean) => pty.emulator.until(wanted, LONG_MS)
  /** Run a line and wait for what only its output says. */
  const run = async (line: string, wanted: string | RegExp): Promise<void> => {
    pty.type(`${line}\r`)
    await until((screen) => (typeof wanted === 'string' ? screen.includes(wanted) : wanted.test(screen)))
  }

  beforeAll(async () => {
    fleet = await ShellFleet.start({ isUnknown: true })
    pty = fleet.terminal()
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  it('asks about a key that nobody knows, and drops what was typed ahead of the question', async () => {
    await until((screen) => screen.includes('press-4'))
    pty.type('sexit\r')
    await until((screen) => screen.includes('SHA256:'))
    expect(pty.emulator.screen()).not.toContain('typed ahead:')
    expect(pty.emulator.isAlternate()).toBe(true)
    pty.type('yes\r')
    await until((screen) => screen.includes('edgedeck: shell on press-4'))
    expect(pty.emulator.isAlternate()).toBe(false)
    await run('PS1="$ "; clear; echo here-$((40 + 2))', 'here-42')
  })

  it('carries sizes, interrupts, letters of any length and colours', async () => {
    await run('stty size', '30 100')
    pty.resize(90, 24)
    await run('clear; stty size', '24 90')
    await run('echo slee""ping; sleep 300', 'sleeping')
    pty.type('\x03')
    await run('echo code-$?', 'code-130')
    await run("clear; printf '\\033[31mrot\\033[0m Grün 東京 👍\\n'", /^rot Grün 東京 👍/m)
    const row = pty.emulator.text().findIndex((line) => line.startsWith('rot'))
    expect(pty.emulator.cell(row, 0).fg).toBe('palette:1')
    await run('read -r -p "ready-$((1 + 1)) " x; clear; echo "got $x"', 'ready-2')
    pty.type('äöü→🙂\r')
    await until((screen) => screen.includes('got äöü→🙂'))
  })

  it('writes what the other side writes and nothing else: a line feed alone goes straight down', async () => {
    await run("clear; stty -opost; printf 'ab\\ncd\\r\\n'; stty opost; echo down-$((1 + 1))", 'down-2')
    expect(pty.emulator.text().slice(0, 3)).toEqual(['ab', '  cd', 'down-2'])
  })

  it('lets vim have the whole terminal', async () => {
    const file = `${fleet.dir}/note.txt`
    pty.type(`vim -nu NONE --cmd 'set nocompatible' ${file}\r`)
    await until((screen) => inVim(screen))
    expect(pty.emulator.isAlternate()).toBe(true)
    pty.type('iFehler in Zeile 4 – 東京')
    pty.type(ESC)
    pty.type(':wq\r')
    await until((screen) => screen.includes('$ ') && !inVim(screen))
    expect(readFileSync(file, 'utf8')).toBe('Fehler in Zeile 4 – 東京\n')
    expect(pty.emulator.isAlternate()).toBe(false)
  })

  it('is back where it began, and no answer of the terminal is taken for a key', async () => {
    // Asked as the last thing: the answers come when the console has the keys again.
    pty.type("printf '\\033[c\\033[6n\\033]11;?\\007\\033[>c'; exit 3\r")
    await until((screen) => screen.includes('exit code 3'))
    expect(pty.emulator.isAlternate()).toBe(true)
    expect(pty.emulator.screen()).toContain('press-4')
    pty.type('?')
    await until((screen) => screen.includes('keys of the fleet screen'))
    pty.type(ESC)
    await until((screen) => !screen.includes('keys of the fleet screen'))
  })

  it('gives what is typed while it connects to the shell', async () => {
    pty.type('secho first-$((1 + 1))\r')
    await until((screen) => screen.includes('first-2'))
  })

  it('tells that a connection broke off in the middle of vim, gives the terminal back, and connects again', async () => {
    pty.type('vim -nu NONE --cmd "set nocompatible mouse=a"\r')
    await until((screen) => inVim(screen))
    pty.type('ilost')
    await until((screen) => screen.includes('lost'))
    fleet.sshd.killSessions()
    await until((screen) => screen.includes('broke off'))
    const { modes } = pty.emulator.terminal
    expect(modes.mouseTrackingMode).toBe('none')
    expect(modes.applicationCursorKeysMode).toBe(false)
    pty.type('\r')
    // The screen of before is there again, and below it the new shell.
    await until((screen) => !pty.emulator.isAlternate() && screen.split('edgedeck: shell on press-4').length === 3)
    await run('PS1="$ "; clear; echo again-$((40 + 2))', 'again-42')
  })

  it('is left by ~. although nothing answers', async () => {
    fleet.sshd.signalAll('SIGSTOP')
    pty.type('\r~.')
    await until((screen) => screen.includes('was left after'))
    fleet.sshd.signalAll('SIGCONT')
    expect(pty.emulator.isAlternate()).toBe(true)
  })

  it('gives the terminal back and writes the end down when it is ended in the middle', async () => {
    pty.type('s')
    await until((screen) => screen.includes('edgedeck: shell on press-4'))
    await run('PS1="$ "; clear; TOKEN=abcdefgh-secret; echo end-$((40 + 2))', 'end-42')
    await pty.signal('SIGTERM')
    expect(await pty.ended).toEqual({ end: 'exit 143', modesRestored: true })
    await pty.emulator.settle()
    expect(pty.emulator.isAlternate()).toBe(false)
    const acts = fleet.journal().filter(({ verb }) => verb === 'shell')
    expect(acts.map(({ phase, code }) => [phase, code])).toEqual([
      ['intent', undefined],
      ['outcome', 'OK'],
      ['intent', undefined],
      ['outcome', 'NODE_UNREACHABLE'],
      ['intent', undefined],
      ['outcome', 'OK'],
      ['intent', undefined],
      ['outcome', 'OK'],
    ])
    expect(acts[1]).toMatchObject({ args: { exit: 3 }, node: { key: 'press-4' } })
    const [first = '', , , last = ''] = fleet.recordings()
    expect(statSync(first).mode & 0o777).toBe(0o600)
    expect(acts[0]).toMatchObject({ args: { recording: first } })
    const recorded = readFileSync(first)
    expect(acts[1]).toMatchObject({ args: { sha256: createHash('sha256').update(recorded).digest('hex') } })
    expect(outputOf(recorded.toString())).toContain('Grün 東京')
    expect(recorded.toString()).toContain('"r","90x24"')
    expect(readFileSync(last, 'utf8')).not.toContain('abcdefgh-secret')
  })
})
