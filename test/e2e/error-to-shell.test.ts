import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { DaemonHome } from '../support/edge-daemon.ts'
import { ShellFleet } from '../support/shell-fleet.ts'

const ERROR = /^▌.*press-7 +ERROR app: pump stalled {2}camera=7/m

/** The path that this is all for: daemon, followed file, sshd and terminal are real. */
it('leads by two keys from an error in a file to a shell on its node, and back to the line', async () => {
  const home = new DaemonHome()
  onTestFinished(() => home[Symbol.asyncDispose]())
  const file = join(home.dir, 'app.log')
  home.configure({ 'node.name': 'press-7', 'logs.files': [{ path: file, source: 'app' }] })
  const { liveUrl } = await home.serve()
  const fleet = await ShellFleet.start({ nodes: { 'press-7': liveUrl } })
  onTestFinished(() => fleet[Symbol.asyncDispose]())
  const pty = fleet.terminal()
  const until = (wanted: (screen: string) => boolean) => pty.emulator.until(wanted, 60_000)
  await until((screen) => /press-7 .*● up/.test(screen))
  appendFileSync(file, 'level=error msg="pump stalled" camera=7\nlevel=info msg="pump again" camera=7\n')
  // The cursor is on the node that is down: the error is of another.
  pty.type('la')
  await until((screen) => screen.includes('app: pump again'))

  pty.type('E')
  await until((screen) => ERROR.test(screen))
  pty.type('s')
  await until((screen) => screen.includes('edgedeck: shell on press-7'))
  pty.type('PS1="$ "; clear; echo here-$((40 + 2))\r')
  await until((screen) => screen.includes('here-42'))
  pty.type('exit\r')
  await until((screen) => ERROR.test(screen))

  // The node is told of the end before it is written down here.
  const shells = () => fleet.journal().filter(({ verb }) => verb === 'shell')
  await expect.poll(() => shells().length).toBe(2)
  expect(shells()[1]).toMatchObject({ phase: 'outcome', code: 'OK', node: { key: 'press-7' } })
})
