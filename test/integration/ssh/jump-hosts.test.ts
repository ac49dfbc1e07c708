import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { NOBODY_TO_ASK } from '../../../src/remote/contract.ts'
import { SshAddresses } from '../../../src/ssh/addresses.ts'
import { connectSsh } from '../../../src/ssh/connect.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { SshKeys } from '../../support/ssh-keys.ts'
import { outputOf, ScriptedPrompter } from '../../support/ssh-target.ts'
import { Sshd } from '../../support/sshd.ts'

const keys = new SshKeys()
const [forGate, forNode] = [keys.make('gate'), keys.make('node')]
let gate: Sshd
let node: Sshd

beforeAll(async () => {
  gate = await Sshd.start({ authorized: [forGate.line] })
  node = await Sshd.start({ authorized: [forNode.line] })
})
afterAll(async () => {
  await gate.stop()
  await node.stop()
  keys[Symbol.dispose]()
})

/** Addresses by a real configuration of OpenSSH, whose node is reached through the gate. */
function addresses(known: string): SshAddresses {
  const file = join(keys.dir, 'config')
  const at = ({ port }: Sshd) => `HostName 127.0.0.1\n  Port ${port}`
  const text =
    `Host gate\n  ${at(gate)}\n  IdentityFile ${forGate.file}\n` +
    `Host n1\n  ${at(node)}\n  ProxyJump gate\n  IdentityFile ${forNode.file}\n` +
    `Host *\n  User ${node.user}\n  IdentityAgent none\n  GlobalKnownHostsFile none\n`
  writeFileSync(file, text, { mode: 0o600 })
  writeFileSync(join(keys.dir, 'known'), known)
  const ssh = { host: null, user: null, config: file, knownHosts: join(keys.dir, 'known') }
  return new SshAddresses({ context: { name: 'lab', ssh }, configFile: join(keys.dir, 'c.yaml'), env: {} })
}

it('reaches a node through a jump host, each with its own key, and tells where the way comes from', async () => {
  const target = addresses(gate.knownHosts + node.knownHosts).targetAt('n1')
  const host = await connectSsh(target, { prompter: NOBODY_TO_ASK })
  expect(host.label).toBe(`${node.user}@127.0.0.1:${node.port}`)
  const { stdout } = await outputOf(await host.run('echo $SSH_CONNECTION'))
  expect(stdout.trim()).toMatch(new RegExp(` 127\\.0\\.0\\.1 ${node.port}$`))
  expect(gate.log).toMatch(/Accepted publickey/)
  // Both ends of the way are let go of.
  await host.close()
  await eventually(() => [gate, node].every(({ log }) => /Disconnected from user/.test(log)))
})

it('asks about the key of each host on the way', async () => {
  const mia = new ScriptedPrompter({ confirms: true })
  await (await connectSsh(addresses('').targetAt('n1'), { prompter: mia })).close()
  expect(mia.confirmed.map((text) => /:(\d+) is not known/.exec(text)?.[1])).toEqual([gate.port, node.port].map(String))
})

it('goes no further than a jump host whose key has changed', async () => {
  const forged = `[127.0.0.1]:${gate.port} ${node.hostKey()}\n`
  const knocks = () => node.log.split('Connection from').length
  const before = knocks()
  const connecting = connectSsh(addresses(forged + node.knownHosts).targetAt('n1'), { prompter: NOBODY_TO_ASK })
  await expect(connecting).rejects.toMatchObject({ code: 'SSH_HOST_KEY_CHANGED' })
  expect(knocks()).toBe(before)
})

it('says so when the jump host leads nowhere, or not on', async () => {
  await using closed = await Sshd.start({ authorized: [forGate.line], config: ['AllowTcpForwarding no'] })
  const target = addresses(gate.knownHosts + closed.knownHosts).targetAt('n1')
  const through = {
    ...(target.via as NonNullable<typeof target.via>),
    port: closed.port,
    knownHosts: { ...target.knownHosts, port: closed.port },
  }
  const shut = connectSsh({ ...target, via: through }, { prompter: NOBODY_TO_ASK })
  await expect(shut).rejects.toThrow(/does not lead on to/)
  await expect(shut).rejects.toMatchObject({ code: 'SSH_REFUSED' })
  await expect(connectSsh({ ...target, port: 9 }, { prompter: NOBODY_TO_ASK })).rejects.toMatchObject({
    code: 'SSH_REFUSED',
  })
})

it('notices that the jump host is gone', async () => {
  const host = await connectSsh(addresses(gate.knownHosts + node.knownHosts).targetAt('n1'), {
    prompter: NOBODY_TO_ASK,
  })
  const shell = await host.openShell({ term: 'xterm', size: { columns: 80, rows: 24 } })
  shell.onOutput(() => undefined)
  gate.killSessions()
  expect(await shell.ended).toMatchObject({ kind: 'dropped' })
  await host.close()
})
