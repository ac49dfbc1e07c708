import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/edge-daemon.ts'
import type { PtyProcess } from '../support/pty.ts'
import { ShellFleet } from '../support/shell-fleet.ts'

const ESC = '\u001b'
const LONG_MS = 120_000
const MiB = 1024 * 1024
/** Vim shows rows behind the end of a text by `~`. */
const inVim = (screen: string): boolean => /^~ *\n~ *$/m.test(screen)

/** What programs of another machine may do with a terminal that is lent to them, in order: one session after another. */
describe('a terminal that is lent', () => {
  let fleet: ShellFleet
  let pty: PtyProcess
  const until = (wanted: (screen: string) => boolean) => pty.emulator.until(wanted, LONG_MS)
  const run = async (line: string, wanted: string | RegExp): Promise<void> => {
    pty.type(`${line}\r`)
    await until((screen) => (typeof wanted === 'string' ? screen.includes(wanted) : wanted.test(screen)))
  }
  const openShell = async (): Promise<void> => {
    pty.type('s')
    await until((screen) => screen.includes('leave with exit') && !pty.emulator.isAlternate())
    await run('PS1="$ "; clear; echo here-$((40 + 2))', 'here-42')
  }
  const stateOf = async (): Promise<string> => readFileSync(`/proc/${await pty.pid}/stat`, 'utf8').split(') ')[1] ?? ''
  const memory = async (what: 'VmHWM' | 'VmRSS'): Promise<number> => {
    const status = readFileSync(`/proc/${await pty.pid}/status`, 'utf8')
    return Number(new RegExp(`${what}:\\s+(\\d+)`).exec(status)?.[1]) * 1024
  }

  beforeAll(async () => {
    fleet = await ShellFleet.start()
    pty = fleet.terminal([], { columns: 80, rows: 24 })
    await until((screen) => screen.includes('press-4'))
    await openShell()
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  it('brings a paste with its marks, byte for byte, where letters are cut between two reads', async () => {
    const text = `Grün 東京 👍 ${'0123456789äöü'.repeat(600)}`
    const bytes = Buffer.from(`${ESC}[200~${text}${ESC}[201~`)
    const file = `${fleet.dir}/pasted`
    await run(
      `clear; stty raw -echo; printf '\\033[?2004hready-%s' $((40+2)); head -c ${bytes.length} > ${file}; stty sane; echo pas''ted`,
      'ready-42',
    )
    expect(pty.emulator.terminal.modes.bracketedPasteMode).toBe(true)
    // Cut in the middle of letters of two, three and four bytes.
    for (let from = 0; from < bytes.length; from += 997) {
      pty.type(bytes.subarray(from, from + 997))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until((screen) => screen.includes('pasted'))
    expect(readFileSync(file).equals(bytes)).toBe(true)
  })

  it('brings clicks and the wheel of a mouse', async () => {
    await run(
      `clear; stty raw -echo; printf '\\033[?1003h\\033[?1006hmouse-%s' $((40+2)); head -c 33 | od -An -c | tr -d ' \\n'; stty sane; echo; echo cli''cked`,
      'mouse-42',
    )
    expect(pty.emulator.terminal.modes.mouseTrackingMode).toBe('any')
    pty.type(`${ESC}[<0;10;05M${ESC}[<0;10;05m${ESC}[<64;10;5M`)
    await until((screen) => screen.includes('clicked'))
    expect(pty.emulator.screen()).toContain('033[<0;10;05M033[<0;10;05m033[<64;10;5M')
  })

  it('brings ctrl-z and ctrl-\\ to the program', async () => {
    await run('clear; echo slee""ping; sleep 300', 'sleeping')
    pty.type('\x1a')
    await until((screen) => screen.includes('Stopped'))
    await run('kill %1; wait; clear; echo doz""ing; sleep 300', 'dozing')
    pty.type('\x1c')
    await run('echo code-$?', 'code-131')
  })

  it('takes in what is written no faster than the terminal does, and ctrl-c ends it at once', async () => {
    const file = `${fleet.dir}/big`
    await run(
      `clear; yes 'a line of a file that is much too long' | head -c 200000000 > ${file}; echo wri""tten`,
      'written',
    )
    const before = await memory('VmRSS')
    pty.emulator.output = ''
    pty.type(`clear; cat ${file}\r`)
    await eventually(() => pty.emulator.output.length > 8 * MiB, { timeoutMs: LONG_MS, what: 'eight MiB of it' })
    pty.type('\x03')
    await run('echo code-$?', 'code-130')
    // The rest was never written.
    expect(pty.emulator.output.length).toBeLessThan(100 * MiB)
    expect((await memory('VmHWM')) - before).toBeLessThan(150 * MiB)
    pty.emulator.output = ''
  })

  it('follows its size in vim', async () => {
    pty.type(`clear; vim -nu NONE --cmd 'set nocompatible ruler laststatus=2 mouse=a' ${fleet.dir}/note\r`)
    await until(inVim)
    for (const [columns, rows] of [
      [120, 40],
      [80, 24],
    ] as const) {
      pty.resize(columns, rows)
      await until(() => (pty.emulator.text()[rows - 2] ?? '').includes('/note') && inVim(pty.emulator.screen()))
      pty.type(':echo "size" &columns &lines\r')
      await until((screen) => screen.includes(`size ${columns} ${rows}`))
      pty.type(ESC)
    }
  })

  it('is given back while the process is stopped, and is drawn anew when it goes on', async () => {
    await pty.signal('SIGTSTP')
    await eventually(async () => (await stateOf()).startsWith('T'), { timeoutMs: LONG_MS, what: 'stopped' })
    await pty.emulator.settle()
    expect(pty.emulator.isAlternate()).toBe(false)
    expect(pty.emulator.terminal.modes.mouseTrackingMode).toBe('none')
    // What the shell above writes meanwhile.
    pty.emulator.write('\u001b[2J\u001b[Hjobs\r\n')
    await pty.signal('SIGCONT')
    await until(inVim)
    pty.type('ihello')
    await until((screen) => screen.includes('hello'))
    pty.type(`${ESC}:q!\r`)
    await until((screen) => screen.includes('$ ') && !inVim(screen))
    await run('clear; echo out-$((40 + 2))', 'out-42')
  })

  it('shows htop, and is as it was when it is left', async () => {
    pty.type('clear; (command -v htop >/dev/null && htop || top)\r')
    await until((screen) => /PID +USER/.test(screen))
    pty.resize(120, 40)
    await until((screen) => /PID +USER/.test(screen))
    pty.type('q')
    await until((screen) => !/PID +USER/.test(screen))
    await run('clear; echo out-$((40 + 2))', 'out-42')
    pty.type("printf '\\033[?1003h\\033[?1006h\\033[?2004h'; exit 3\r")
    await until((screen) => screen.includes('exit code 3'))
    expect(pty.emulator.isAlternate()).toBe(true)
    expect(pty.emulator.terminal.modes.mouseTrackingMode).toBe('none')
    expect(pty.emulator.text().findIndex((line) => line.includes('press-4'))).toBeGreaterThan(-1)
  })
})

describe('a shell whose recording the disk refuses', () => {
  const refusal = /no space left on device/

  it('goes on where it is open already; that is told, and stands in the audit', async () => {
    await using fleet = await ShellFleet.start()
    const pty = fleet.terminal([], { disk: 64 * 1024 })
    const until = (wanted: (screen: string) => boolean) => pty.emulator.until(wanted, LONG_MS)
    await until((screen) => screen.includes('press-4'))
    pty.type('s')
    await until((screen) => screen.includes('leave with exit'))
    pty.type('PS1="$ "; yes abcdefgh | head -c 300000; clear; echo still-$((40 + 2))\r')
    await until((screen) => screen.includes('still-42'))
    pty.type('exit\r')
    await until((screen) => refusal.test(screen))
    const [intent, outcome] = fleet.journal().filter(({ verb }) => verb === 'shell')
    expect(intent).toMatchObject({ phase: 'intent' })
    expect(outcome).toMatchObject({ phase: 'outcome', code: 'OK', msg: expect.stringMatching(refusal) })
    const { unrecordedBytes } = (outcome as { args: { unrecordedBytes: number } }).args
    expect(unrecordedBytes).toBeGreaterThan(200_000)
  })

  it('is not opened in production, and nothing is left of its recording', async () => {
    await using fleet = await ShellFleet.start({ production: true })
    const pty = fleet.terminal(['shell', 'press-4', '--why', 'drill'], { disk: 0 })
    await pty.emulator.until((screen) => screen.includes("Type the node's name"), LONG_MS)
    pty.type('press-4\r')
    expect(await pty.ended).toMatchObject({ end: 'exit 69', modesRestored: true })
    expect(pty.emulator.screen().replace(/\n/g, '')).toMatch(/RECORDING_FAILING: .*no space left on device/)
    expect(pty.emulator.screen()).not.toContain('leave with exit')
  })
})
