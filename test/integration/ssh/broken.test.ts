import { writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { NOBODY_TO_ASK, type RemoteHost } from '../../../src/remote/contract.ts'
import { connectSsh } from '../../../src/ssh/connect.ts'
import type { SshTarget } from '../../../src/ssh/target.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { freePort } from '../../support/free-port.ts'
import { isAlive } from '../../support/process-tree.ts'
import { SshKeys } from '../../support/ssh-keys.ts'
import { SshLoginServer } from '../../support/ssh-login-server.ts'
import { outputOf, ScriptedPrompter, type TargetChanges, targetOf } from '../../support/ssh-target.ts'
import { Sshd } from '../../support/sshd.ts'
import { tcpLink } from '../../support/tcp-link.ts'

const keys = new SshKeys()
const key = keys.make('mia')
const uncaught: unknown[] = []
const note = (error: unknown) => void uncaught.push(error)
let sshd: Sshd

beforeAll(async () => {
  process.on('uncaughtException', note)
  sshd = await Sshd.start({ authorized: [key.line] })
})
afterAll(async () => {
  await sshd.stop()
  keys[Symbol.dispose]()
  process.off('uncaughtException', note)
  expect(uncaught).toEqual([])
})

function target(port: number, changes: TargetChanges = {}): SshTarget {
  const { login, knownHosts, ...rest } = changes
  return targetOf({ host: '127.0.0.1', port, user: sshd.user }, keys.dir, {
    login: { keyFiles: [key.file], ...login },
    knownHosts: { unknown: 'accept', ...knownHosts },
    ...rest,
  })
}

function connect(to: SshTarget, signal?: AbortSignal): Promise<RemoteHost> {
  return connectSsh(to, { prompter: NOBODY_TO_ASK, ...(signal === undefined ? {} : { signal }) })
}

async function faultOf(to: SshTarget, signal?: AbortSignal): Promise<string> {
  try {
    await (await connect(to, signal)).close()
    return 'connected'
  } catch (error) {
    if (error instanceof EdgeError) return error.toLine()
    throw error
  }
}

/** A server that says what a test wants on each connection. */
async function peer(talk: (socket: Socket) => void): Promise<{ port: number } & AsyncDisposable> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    talk(socket)
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

it('says that nothing listens, and that there is no such host', async () => {
  expect(await faultOf(target(await freePort()))).toMatch(/^SSH_UNREACHABLE: .*nothing listens there/)
  expect(await faultOf(target(22, { host: 'no-such-host.invalid' }))).toMatch(/^SSH_UNREACHABLE: /)
})

/** Patience for a server that answers: enough on a busy machine. */
const LONG_MS = 60_000

it.each<[string, (socket: Socket) => void, RegExp, number?]>([
  ['says nothing', () => undefined, /nothing came for 0\.5 s/, 500],
  ['greets and stops', (socket) => socket.write('SSH-2.0-OpenSSH_9.9\r\n'), /nothing came for 0\.5 s/, 500],
  ['greets and goes', (socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'), /ended the connection/],
  ['goes at once', (socket) => socket.end(), /ended the connection/],
  ['resets', (socket) => socket.resetAndDestroy(), /reset|ended the connection/],
  ['speaks HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /did not agree|ended/],
  ['greets and talks nonsense', (socket) => socket.write(`SSH-2.0-x\r\n${'\u001b[2J'.repeat(500)}`), /did not agree/],
  ['speaks SSH 1', (socket) => socket.write('SSH-1.5-old\r\n'), /did not agree/],
  ['never ends its greeting', (socket) => flood(socket), /did not agree|nothing came/, 500],
])('fails in time, in words, at a server that %s', async (_what, talk, why, answerTimeoutMs = LONG_MS) => {
  await using server = await peer(talk)
  const said = await faultOf(target(server.port, { answerTimeoutMs }))
  expect(said).toMatch(/^SSH_UNREACHABLE: /)
  expect(said).toMatch(why)
  expect(said).not.toContain('\u001b')
})

it('gives a server that is stopped in the middle up in time', async () => {
  await using stopped = await Sshd.start({ authorized: [key.line] })
  const to = target(stopped.port, { answerTimeoutMs: 500, keepaliveMs: 2000, keepaliveTries: 2 })
  const host = await connect({ ...to, answerTimeoutMs: LONG_MS })
  const shell = await host.openShell({ term: 'xterm', size: { columns: 80, rows: 24 } })
  shell.onOutput(() => undefined)
  stopped.signalAll('SIGSTOP')
  expect(await faultOf(to)).toMatch(/^SSH_UNREACHABLE: .*nothing came for 0\.5 s/)
  // A session that went silent is noticed too, and what is asked of it then is refused.
  expect(await shell.ended).toEqual({ kind: 'dropped', reason: 'the other side went silent' })
  await expect(host.run('true')).rejects.toMatchObject({ code: 'SSH_DROPPED' })
  await host.close()
})

it('tells of a session that was killed, and of a connection that was reset', async () => {
  const host = await connect(target(sshd.port))
  const shell = await host.openShell({ term: 'xterm', size: { columns: 80, rows: 24 } })
  let seen = ''
  shell.onOutput((chunk) => {
    seen += chunk.toString()
  })
  await eventually(() => seen !== '')
  sshd.killSessions()
  expect(await shell.ended).toMatchObject({
    kind: 'dropped',
    reason: expect.stringMatching(/ended the connection|reset/),
  })
  await host.close()

  await using link = await tcpLink(sshd.port)
  const through = await connect(target(link.port))
  const running = await through.run('sleep 600')
  running.onOutput(() => undefined)
  link.cut()
  expect(await running.ended).toMatchObject({ kind: 'dropped' })
  await expect(through.openShell({ term: 'xterm', size: { columns: 80, rows: 24 } })).rejects.toThrow(/broke off/)
})

it('is broken off when that is wished, also before anything answered', async () => {
  await using server = await peer(() => undefined)
  const stop = new AbortController()
  const said = faultOf(target(server.port), stop.signal)
  setImmediate(() => stop.abort())
  expect(await said).toMatch(/broken off/)
  expect(await faultOf(target(server.port), AbortSignal.abort())).toMatch(/broken off/)
})

it('closes a channel, also on a server that does not answer any more', async () => {
  await using stopped = await Sshd.start({ authorized: [key.line] })
  const host = await connect(target(stopped.port))
  const first = await host.run('sleep 600')
  first.onOutput(() => undefined)
  first.close()
  expect(await first.ended).toMatchObject({ kind: 'dropped', reason: 'it was broken off here' })
  const second = await host.run('sleep 600')
  stopped.signalAll('SIGSTOP')
  second.close()
  expect(await second.ended).toMatchObject({ kind: 'dropped' })
  await host.close()
})

it('waits no longer than for any answer for a server that lets in and then gives nothing, and leaves when that is wished', async () => {
  await using deaf = await SshLoginServer.start(key.file, { password: 'pw', isDeaf: true })
  const to = targetOf(deaf, keys.dir, { knownHosts: { unknown: 'accept' }, answerTimeoutMs: 3000 })
  const mia = () => new ScriptedPrompter({ answers: ['pw'] })
  const host = await connectSsh(to, { prompter: mia() })
  await expect(host.openShell({ term: 'xterm', size: { columns: 80, rows: 24 } })).rejects.toThrow(
    /nothing came for 3 s/,
  )
  await host.close()
  const beyond = target(22, { host: '192.0.2.1', via: to, answerTimeoutMs: 3000 })
  await expect(connectSsh(beyond, { prompter: mia() })).rejects.toThrow(/does not lead on to .*nothing came for 3 s/)
  const stop = new AbortController()
  const patient = { ...beyond, answerTimeoutMs: 600_000 }
  const connecting = connectSsh(patient, { prompter: mia(), signal: stop.signal })
  setTimeout(() => stop.abort(), 300)
  await expect(connecting).rejects.toThrow(/broken off/)
})

it('holds a program back while nobody reads, and loses nothing', async () => {
  const host = await connect(target(sshd.port))
  const bytes = 24 * 1024 * 1024
  const channel = await host.run(`head -c ${bytes} /dev/zero; echo end >&2`)
  let received = 0
  let stderr = ''
  channel.onOutput((chunk, output) => {
    if (output === 'stderr') stderr += chunk.toString()
    else received += chunk.length
    if (received > 0 && !held) {
      held = true
      channel.pause()
    }
  })
  let held = false
  await eventually(() => held)
  // Another channel of the connection goes on meanwhile.
  expect((await outputOf(await host.run('echo beside'))).stdout).toBe('beside\n')
  expect(received).toBeLessThan(8 * 1024 * 1024)
  channel.resume()
  expect(await channel.ended).toMatchObject({ code: 0 })
  expect([received, stderr]).toEqual([bytes, 'end\n'])
  await host.close()
})

it('asks a writer to wait while the program does not read, and hands all on', async () => {
  const host = await connect(target(sshd.port))
  const flag = join(keys.dir, 'go')
  const channel = await host.run(`while ! test -e ${flag}; do sleep 0.05; done; wc -c`)
  const output = outputOf(channel)
  const chunk = Buffer.alloc(256 * 1024, 'x')
  let written = chunk.length
  while (channel.write(chunk)) written += chunk.length
  expect(written).toBeLessThan(16 * 1024 * 1024)
  const drained = new Promise<void>((resolve) => channel.onDrain(resolve))
  writeFileSync(flag, '')
  await drained
  channel.endInput()
  expect((await output).stdout.trim()).toBe(String(written))
  await host.close()
})

it('goes on while the keys of the connection are made anew, and asks about nothing then', async () => {
  await using eager = await Sshd.start({ authorized: [key.line], config: ['RekeyLimit 256K'] })
  const mia = new ScriptedPrompter({ confirms: true })
  const host = await connectSsh(target(eager.port, { answerTimeoutMs: 3000, knownHosts: { unknown: 'ask' } }), {
    prompter: mia,
  })
  const channel = await host.run('cat')
  const bytes = 3 * 1024 * 1024
  let received = 0
  channel.onOutput((chunk) => {
    received += chunk.length
  })
  channel.write(Buffer.alloc(bytes))
  await eventually(() => received === bytes)
  // Longer than a server may be silent before the login.
  const later = await host.run('sleep 3.5; echo still here')
  expect((await outputOf(later)).stdout).toBe('still here\n')
  channel.endInput()
  expect([await channel.ended, mia.confirmed.length]).toEqual([{ kind: 'exited', code: 0, signal: null }, 1])
  await host.close()
})

it('cuts off a server that sends more than there is room for', async () => {
  await using server = await SshLoginServer.start(key.file, { password: 'pw' })
  const to = targetOf(server, keys.dir, { knownHosts: { unknown: 'accept' } })
  const host = await connectSsh(to, { prompter: new ScriptedPrompter({ answers: ['pw'] }) })
  const channel = await host.run('flood')
  channel.pause()
  channel.onOutput(() => undefined)
  await eventually(async () => {
    const again = await host.run('true').catch((error: unknown) => String(error))
    return typeof again === 'string' && /more than was asked for/.test(again)
  })
  channel.resume()
  expect(await channel.ended).toEqual({ kind: 'dropped', reason: 'it sent more than was asked for' })
  await host.close()
})

it('lets no command go on that was broken off, also after its input was ended', async () => {
  // sshd hands signals on for all but root.
  await using ordinary = await Sshd.start({ authorized: [key.line], isOrdinaryUser: true })
  const host = await connectSsh({ ...target(ordinary.port), user: ordinary.user }, { prompter: NOBODY_TO_ASK })
  const channel = await host.run('echo $$; exec sleep 600')
  let pid = 0
  channel.onOutput((chunk) => {
    pid = Number(chunk.toString())
  })
  channel.endInput()
  await eventually(() => pid > 0)
  channel.close()
  await eventually(() => !isAlive(pid))
  await host.close()
})

it('carries many channels on one connection', async () => {
  const host = await connect(target(sshd.port))
  const outputs = await Promise.all(
    Array.from({ length: 40 }, async (_, at) => (await outputOf(await host.run(`echo ${at}`))).stdout.trim()),
  )
  expect(outputs).toEqual(Array.from({ length: 40 }, (_, at) => String(at)))
  await host.close()
})

it('says what to look at when a server opens no more channels', async () => {
  await using tight = await Sshd.start({ authorized: [key.line], config: ['MaxSessions 1'] })
  const host = await connect(target(tight.port))
  const first = await host.run('sleep 600')
  await expect(host.run('true')).rejects.toThrow(/opens no command/)
  first.close()
  await host.close()
})

function flood(socket: Socket): void {
  const line = `${'x'.repeat(1000)}\r\n`
  const pour = (): void => {
    while (!socket.destroyed && socket.write(line)) {
      // As much as it takes.
    }
  }
  socket.on('drain', pour)
  pour()
}
