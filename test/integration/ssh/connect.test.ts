import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NOBODY_TO_ASK, type RemoteHost } from '../../../src/remote/contract.ts'
import { connectSsh } from '../../../src/ssh/connect.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { SshKeys } from '../../support/ssh-keys.ts'
import { outputOf, targetOf } from '../../support/ssh-target.ts'
import { Sshd } from '../../support/sshd.ts'

describe('a connection to a real SSH server', () => {
  const keys = new SshKeys()
  const key = keys.make('mia')
  let sshd: Sshd
  let host: RemoteHost

  beforeAll(async () => {
    sshd = await Sshd.start({ authorized: [key.line] })
    writeFileSync(join(keys.dir, 'known_hosts'), sshd.knownHosts)
    host = await connectSsh(targetOf(sshd, keys.dir, { login: { keyFiles: [key.file] } }), { prompter: NOBODY_TO_ASK })
  })
  afterAll(async () => {
    await host.close()
    await sshd.stop()
    keys[Symbol.dispose]()
  })

  it('runs a command, keeps its outputs apart and tells its exit code', async () => {
    const channel = await host.run('echo out; echo err >&2; exit 7')
    const { stdout, stderr, end } = await outputOf(channel)
    expect([stdout, stderr]).toEqual(['out\n', 'err\n'])
    expect(end).toEqual({ kind: 'exited', code: 7, signal: null })
  })

  it('tells the signal that ended a command', async () => {
    const { end } = await outputOf(await host.run('kill -TERM $$; sleep 60'))
    expect(end).toEqual({ kind: 'exited', code: 143, signal: 'SIGTERM' })
  })

  it('hands input on, up to its end', async () => {
    const channel = await host.run('wc -c')
    const output = outputOf(channel)
    channel.write(Buffer.from('12345'))
    channel.endInput()
    expect((await output).stdout.trim()).toBe('5')
  })

  it('opens a shell on a terminal of the size that is asked for, and tells it of another', async () => {
    const channel = await host.openShell({ term: 'xterm-256color', size: { columns: 91, rows: 17 } })
    let seen = ''
    channel.onOutput((chunk) => {
      seen += chunk.toString()
    })
    channel.write(Buffer.from('stty size; echo "T=$TERM"\n'))
    await eventually(() => /17 91/.test(seen) && /T=xterm-256color/.test(seen), { what: seen })
    channel.resize({ columns: 120, rows: 40 })
    channel.write(Buffer.from('stty size; exit 3\n'))
    expect(await channel.ended).toEqual({ kind: 'exited', code: 3, signal: null })
    expect(seen).toMatch(/40 120/)
  })
})
