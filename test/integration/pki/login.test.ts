import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isSameKey } from '../../../identity/keys.ts'
import { sshFingerprintOf } from '../../../identity/ssh-key.ts'
import { signTrustBundle } from '../../../identity/trust-bundle.ts'
import { readPem, verifyChain } from '../../../identity/verify.ts'
import type { Rights } from '../../../protocol/rights.ts'
import { heldTrust } from '../../../src/pki/fleet-trust.ts'
import { edgedeck } from '../../support/edgedeck.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { LoginServer } from '../../support/login-server.ts'
import { PtyProcess } from '../../support/pty.ts'
import { type MadeSshKey, SshKeys } from '../../support/ssh-keys.ts'

const RIGHTS: Rights = { role: 'operator', permissions: ['data'], sites: ['plant-a'] }
const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

let home: string
let count = 0
let authority: FleetAuthority
let ssh: SshKeys
let agentKey: MadeSshKey

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'edgedeck-login-'))
  authority = await FleetAuthority.create()
  ssh = new SshKeys()
  agentKey = ssh.make('mia@desk')
  await ssh.startAgent(agentKey, ssh.make('other@desk'))
})
afterAll(() => {
  ssh[Symbol.dispose]()
  authority[Symbol.dispose]()
  rmSync(home, { recursive: true, force: true })
})

/** Surroundings with a state folder of their own, and where the identity goes. */
function place(): { readonly env: Record<string, string>; readonly dir: string } {
  count += 1
  const state = join(home, String(count))
  const env = { XDG_STATE_HOME: state, XDG_CONFIG_HOME: join(state, 'config'), SSH_AUTH_SOCK: ssh.socket }
  return { env, dir: join(state, 'edgedeck', 'identities', 'default') }
}

async function serverOf(changes: Partial<Parameters<typeof LoginServer.start>[0]> = {}): Promise<LoginServer> {
  const shown = changes.shown ?? (await authority.controller())
  return LoginServer.start({ authority, shown, keys: [agentKey.key], rights: RIGHTS, ...changes })
}

describe('a login', () => {
  it('by a key in the agent puts a certificate for a fresh key into the folder of the context', async () => {
    await using server = await serverOf()
    const { env, dir } = place()
    const to = ['login', '--controller', server.url, '--name', 'mia']
    const several = await edgedeck([...to, '--pin', authority.pin], env)
    expect(several.stderr).toContain('the agent holds 2 keys that can be meant')
    expect(several.stderr).toContain(`${sshFingerprintOf(agentKey.key)} (mia@desk)`)

    const done = await edgedeck([...to, '--pin', authority.pin, '--key', 'mia@desk'], env)
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('operator/mia of acme until ') })
    expect(done.stdout).toContain('operator + data at the sites plant-a')
    const chain = readPem(readFileSync(join(dir, 'cert.pem'), 'utf8'))
    const verdict = verifyChain(chain, { trust: authority.trust(), nowMs: Date.now(), use: 'client' })
    expect(verdict).toMatchObject({ ok: true, named: { kind: 'operator', name: 'mia', rights: RIGHTS } })
    expect(statSync(join(dir, 'key.pem')).mode & 0o777).toBe(0o600)
    const first = createPrivateKey(readFileSync(join(dir, 'key.pem')))
    expect(isSameKey(first, chain[0]?.publicKey ?? first)).toBe(true)

    // Again: the fleet is known by now, and the key is another one.
    const again = await edgedeck([...to, '--key', sshFingerprintOf(agentKey.key)], env)
    expect(again.code).toBe(0)
    expect(isSameKey(createPrivateKey(readFileSync(join(dir, 'key.pem'))), first)).toBe(false)
    const other = await edgedeck(['login', '--controller', server.url, '--name', 'bo', '--key', 'mia@desk'], env)
    expect(other.stderr).toContain('OUTPUT_REFUSED')
    expect(other.stderr).toContain('holds the identity of operator mia')
  })

  it('asks on the terminal for the root it does not know and for the passphrase of a sealed key', async () => {
    const sealed = ssh.make('sealed', 'open the door')
    await using server = await serverOf({ keys: [sealed.key] })
    const { env, dir } = place()
    const command = [process.execPath, MAIN, 'login', '--controller', server.url, '--name', 'mia', '--key', sealed.file]
    const pty = new PtyProcess(command, { columns: 120, env: { ...process.env, ...env, SSH_AUTH_SOCK: '' } })
    try {
      await pty.emulator.until((screen) => screen.includes('(yes/no)'))
      expect(pty.emulator.screen()).toContain(authority.pin)
      pty.type('yes\r')
      await pty.emulator.until((screen) => screen.includes('Enter passphrase'))
      pty.type('open the door\r')
      await expect(pty.ended).resolves.toEqual({ end: 'exit 0', modesRestored: true })
      expect(pty.emulator.screen()).toContain('operator/mia of acme until')
      expect(pty.emulator.screen()).not.toContain('open the door')
      expect(heldTrust(dir)?.bundle).toEqual(authority.bundle)
    } finally {
      await pty.dispose()
    }
  })

  it('believes no controller without a pin or a person', async () => {
    await using server = await serverOf()
    const { env } = place()
    const to = ['login', '--controller', server.url, '--name', 'mia', '--key', agentKey.file]
    expect((await edgedeck(to, env)).stderr).toContain(`then say --pin ${authority.pin}`)
    const wrong = await edgedeck([...to, '--pin', 'A'.repeat(43)], env)
    expect(wrong.stderr).toContain('the trust bundle does not hold the pinned root')
  })

  it('sends nothing to who is no controller of the fleet, and takes no certificate of another name', async () => {
    using other = await FleetAuthority.create('acme')
    const { env, dir } = place()
    const asked = async (server: LoginServer, pin = authority.pin) => {
      const to = ['login', '--controller', server.url, '--name', 'mia', '--key', agentKey.file, '--pin', pin]
      const { code, stderr } = await edgedeck(to, env)
      expect(code).not.toBe(0)
      expect(() => statSync(join(dir, 'cert.pem'))).toThrow()
      return stderr
    }
    await using service = await serverOf({ shown: await authority.service('nats-1') })
    expect(await asked(service)).toContain('service nats-1 of acme answers there, not a controller of acme')
    await using stranger = await serverOf({ shown: await other.controller() })
    expect(await asked(stranger)).toContain('is not of the fleet acme')
    await using liar = await serverOf({ named: 'root' })
    expect(await asked(liar)).toContain('not the one that was asked for')
    await using strict = await serverOf({ keys: [] })
    expect(await asked(strict)).toContain('LOGIN_REFUSED')
  })

  it('follows the fleet to a new root that the old one signed', async () => {
    const { env, dir } = place()
    const to = (server: LoginServer) => [
      ...['login', '--controller', server.url, '--name', 'mia', '--key', agentKey.file],
      ...['--pin', authority.pin],
    ]
    await using before = await serverOf()
    expect((await edgedeck(to(before), env)).code).toBe(0)
    using young = await FleetAuthority.create('acme')
    const { root: old } = authority
    const { root } = young
    const body = { v: 1, fleet: 'acme', version: 2, roots: [young.rootPem], distrusted: [] } as const
    const signers = [old, root].map(({ certificate, key }) => ({ root: certificate, key }))
    const trust = signTrustBundle({ ...body, roots: [...body.roots], distrusted: [] }, signers)
    await using after = await serverOf({ authority: young, shown: await young.controller(), trust })
    expect(await edgedeck(to(after), env)).toMatchObject({ code: 0 })
    expect(heldTrust(dir)?.bundle.version).toBe(2)
  })
})
