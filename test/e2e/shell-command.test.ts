import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PtyProcess } from '../support/pty.ts'
import { ShellFleet } from '../support/shell-fleet.ts'

const LONG_MS = 120_000
const run = promisify(execFile)

describe('edgedeck shell and play', () => {
  let fleet: ShellFleet
  beforeAll(async () => {
    fleet = await ShellFleet.start({ production: true })
  })
  afterAll(() => fleet[Symbol.asyncDispose]())
  const until = (pty: PtyProcess, wanted: (screen: string) => boolean) => pty.emulator.until(wanted, LONG_MS)
  const plain = (args: readonly string[]) => run(process.execPath, fleet.command(args), { env: fleet.env })

  it('takes a terminal, and says what there is without one', async () => {
    await expect(plain(['shell', 'press-4'])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/SHELL_REFUSED: a shell takes a terminal.*edgedeck exec press-4 -- COMMAND/),
    })
  })

  it('asks for the name of the node in production, and opens nothing for another', async () => {
    const pty = fleet.terminal(['shell', 'press-4', '--why', 'drill'])
    await until(pty, (screen) => screen.includes("Type the node's name"))
    pty.type('yes\r')
    expect(await pty.ended).toMatchObject({ end: 'exit 1', modesRestored: true })
    expect(pty.emulator.screen()).toContain('not opened')
  })

  it('opens a shell with its own exit code, and leaves the terminal as it was', async () => {
    const pty = fleet.terminal(['shell', 'press-4'])
    await until(pty, (screen) => screen.includes("Type the node's name"))
    pty.type('press-4\r')
    await until(pty, (screen) => screen.includes('Why?'))
    pty.type('line 4 is slow\r')
    await until(pty, (screen) => screen.includes('leave with exit'))
    pty.type('printf "\\033]52;c;aGk=\\007\\033[31mrot\\033[m pass""word=hunter2 %s\\n" done-$((1 + 1))\r')
    await until(pty, (screen) => screen.includes('done-2'))
    pty.type('exit 7\r')
    expect(await pty.ended).toEqual({ end: 'exit 7', modesRestored: true })
    expect(fleet.journal().filter(({ verb }) => verb === 'shell')).toMatchObject([
      { phase: 'intent', why: 'line 4 is slow', args: { how: 'ssh' } },
      { phase: 'outcome', code: 'OK', args: { exit: 7 } },
    ])
    // The node does not answer; what this console did is told all the same.
    const told = await plain(['audit', '--since', '1h']).catch((error: { stdout: string }) => error)
    expect(told.stdout).toMatch(
      /shell \S+@127\.0\.0\.1:\d+, exit 7, \d+ B out, recorded in \S+press-4\.cast.*line 4 is slow/,
    )
  })

  it('lists what was recorded, and prints it as text that does nothing', async () => {
    const { stdout } = await plain(['play', '--list'])
    expect(stdout).toMatch(/press-4 .*ended with exit code 7 .*\.cast/)
    const [file = ''] = fleet.recordings()
    const text = (await plain(['play', file])).stdout
    expect(text).toContain('rot password=******* done-2')
    expect(text).not.toContain('\u001b')
  })

  it('plays it on a terminal, and nothing in it makes the terminal answer', async () => {
    const [file = ''] = fleet.recordings()
    const pty = fleet.terminal(['play', file, '--speed', '20'])
    await until(pty, (screen) => screen.includes('edgedeck: ended with exit code 7'))
    expect(await pty.ended).toEqual({ end: 'exit 0', modesRestored: true })
    expect(pty.emulator.screen()).toContain('rot password=******* done-2')
    const row = pty.emulator.text().findIndex((line) => line.startsWith('rot'))
    expect(pty.emulator.cell(row, 0).fg).toBe('palette:1')
    expect(pty.emulator.output).not.toContain('\u001b]52')
    const held = fleet.terminal(['play', file, '--speed', '0.1'])
    await until(held, (screen) => screen.includes('q leaves'))
    held.type('q')
    expect(await held.ended).toEqual({ end: 'exit 0', modesRestored: true })
  })
})
