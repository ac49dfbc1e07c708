import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { NOBODY_TO_ASK, type Prompter } from '../../../src/remote/contract.ts'
import { connectSsh } from '../../../src/ssh/connect.ts'
import { SshKeys } from '../../support/ssh-keys.ts'
import { outputOf, ScriptedPrompter, type TargetChanges, targetOf } from '../../support/ssh-target.ts'
import { Sshd } from '../../support/sshd.ts'

const keys = new SshKeys()
const key = keys.make('mia')
const knownHosts = join(keys.dir, 'known_hosts')
let sshd: Sshd

beforeAll(async () => {
  sshd = await Sshd.start({ authorized: [key.line], hostKeys: ['ed25519', 'rsa', 'ecdsa'] })
})
beforeEach(() => rmSync(knownHosts, { force: true }))
afterAll(async () => {
  await sshd.stop()
  keys[Symbol.dispose]()
})

/** Connect, run something and part; the error when there is one. */
async function tryOut(prompter: Prompter, changes: TargetChanges = {}): Promise<string> {
  try {
    const host = await connectSsh(targetOf(sshd, keys.dir, { login: { keyFiles: [key.file] }, ...changes }), {
      prompter,
    })
    const { stdout } = await outputOf(await host.run('echo hello'))
    await host.close()
    return stdout.trim()
  } catch (error) {
    if (error instanceof EdgeError) return error.toLine()
    throw error
  }
}

function name(): string {
  return `[127.0.0.1]:${sshd.port}`
}

it('asks about an unknown server with its fingerprint, writes a yes down, and asks no more', async () => {
  const mia = new ScriptedPrompter({ confirms: true })
  expect(await tryOut(mia)).toBe('hello')
  expect(mia.confirmed).toHaveLength(1)
  expect(mia.confirmed[0]).toMatch(/ssh-ed25519 key SHA256:[A-Za-z0-9+/]{43}\./)
  expect(readFileSync(knownHosts, 'utf8')).toBe(`${name()} ${sshd.hostKey()}\n`)
  expect(statSync(knownHosts).mode & 0o777).toBe(0o600)
  expect(await tryOut(NOBODY_TO_ASK)).toBe('hello')
})

it('takes no unknown server where nobody says yes, or may', async () => {
  const before = sshd.log.length
  expect(await tryOut(NOBODY_TO_ASK)).toMatch(/^SSH_HOST_KEY_UNKNOWN: .*SHA256:/)
  const strict = { knownHosts: { unknown: 'refuse' } } as const
  expect(await tryOut(new ScriptedPrompter({ confirms: true }), strict)).toMatch(/SSH_HOST_KEY_UNKNOWN: .*Strict/)
  expect(() => readFileSync(knownHosts)).toThrow()
  // Nobody was let know who we are: the login had not begun.
  expect(sshd.log.slice(before)).not.toMatch(/Accepted/)
})

it('writes an unknown server down without asking where that is wished, hashed if wished', async () => {
  expect(await tryOut(NOBODY_TO_ASK, { knownHosts: { unknown: 'accept', hashNames: true } })).toBe('hello')
  expect(readFileSync(knownHosts, 'utf8')).toMatch(/^\|1\|/)
  expect(await tryOut(NOBODY_TO_ASK)).toBe('hello')
})

it.each(['ed25519', 'rsa', 'ecdsa'] as const)(
  'knows a server of which only its %s key was written down',
  async (type) => {
    writeFileSync(knownHosts, `${name()} ${sshd.hostKey(type)}\n`)
    expect(await tryOut(NOBODY_TO_ASK)).toBe('hello')
  },
)

it('refuses a changed key, says where the old one stands, and how to take it out', async () => {
  await using other = await Sshd.start()
  writeFileSync(knownHosts, `# first\n${name()} ${other.hostKey()}\n`)
  const said = await tryOut(new ScriptedPrompter({ confirms: true }))
  expect(said).toMatch(/^SSH_HOST_KEY_CHANGED: /)
  expect(said).toContain(`${knownHosts}:2 (ssh-ed25519)`)
  expect(said).toContain(`ssh-keygen -R '${name()}' -f ${knownHosts}`)
})

it('calls it a change too when the server has no key of the kind that is known', async () => {
  await using old = await Sshd.start({ hostKeys: ['ecdsa'] })
  await using now = await Sshd.start({ authorized: [key.line] })
  writeFileSync(knownHosts, `[127.0.0.1]:${now.port} ${old.hostKey('ecdsa')}\n`)
  const target = targetOf(now, keys.dir, { login: { keyFiles: [key.file] } })
  await expect(connectSsh(target, { prompter: NOBODY_TO_ASK })).rejects.toMatchObject({ code: 'SSH_HOST_KEY_CHANGED' })
})

it('says what is amiss with a server of old algorithms alone', async () => {
  await using old = await Sshd.start({ hostKeys: ['rsa'], config: ['HostKeyAlgorithms ssh-rsa'] })
  const connecting = connectSsh(targetOf(old, keys.dir), { prompter: new ScriptedPrompter({ confirms: true }) })
  await expect(connecting).rejects.toThrow(/no longer taken/)
})

it('refuses a revoked key, also one that is known', async () => {
  writeFileSync(knownHosts, `${sshd.knownHosts}@revoked * ${sshd.hostKey()}\n`)
  expect(await tryOut(new ScriptedPrompter({ confirms: true }))).toMatch(/SSH_HOST_KEY_REVOKED: .*known_hosts:4/)
})

it('says that it does not read the certificates of servers', async () => {
  writeFileSync(knownHosts, `@cert-authority [127.0.0.1]:* ${sshd.hostKey('rsa')}\n`)
  const mia = new ScriptedPrompter({ confirms: true })
  expect(await tryOut(mia)).toBe('hello')
  expect(mia.told.join()).toMatch(/known_hosts:1 .*certificates/)
  expect(mia.confirmed).toHaveLength(1)
})
