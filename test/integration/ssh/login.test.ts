import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { NOBODY_TO_ASK, type Prompter } from '../../../src/remote/contract.ts'
import { connectSsh } from '../../../src/ssh/connect.ts'
import type { SshTarget } from '../../../src/ssh/target.ts'
import { SshKeys } from '../../support/ssh-keys.ts'
import { SshLoginServer } from '../../support/ssh-login-server.ts'
import { outputOf, ScriptedPrompter, type TargetChanges, targetOf } from '../../support/ssh-target.ts'
import { Sshd } from '../../support/sshd.ts'

const keys = new SshKeys()
const key = keys.make('mia')
const sealed = keys.make('sealed', 'open sesame')
const rsa = keys.make('rsa', '', 'rsa')
const ecdsa = keys.make('ecdsa', '', 'ecdsa')
const held = keys.make('held')
const strangers = Array.from({ length: 8 }, (_, at) => keys.make(`stranger-${at}`))
let sshd: Sshd

beforeAll(async () => {
  sshd = await Sshd.start({ authorized: [key, sealed, rsa, ecdsa, held].map(({ line }) => line) })
  await keys.startAgent(held)
})
afterAll(async () => {
  await sshd.stop()
  keys[Symbol.dispose]()
})

async function tryOut(target: SshTarget, prompter: Prompter): Promise<string> {
  try {
    const host = await connectSsh(target, { prompter })
    const { stdout } = await outputOf(await host.run('echo hello'))
    await host.close()
    return stdout.trim()
  } catch (error) {
    if (error instanceof EdgeError) return error.toLine()
    throw error
  }
}

function target(login: TargetChanges['login'], server: Pick<Sshd, 'host' | 'port' | 'user'> = sshd): SshTarget {
  return targetOf(server, keys.dir, { knownHosts: { unknown: 'accept' }, login: { ...login } })
}

it.each([key, rsa, ecdsa])('logs in with a key file: $file', async ({ file }) => {
  expect(await tryOut(target({ keyFiles: [file] }), NOBODY_TO_ASK)).toBe('hello')
})

it('logs in with a key of the agent, also where its file is sealed', async () => {
  expect(await tryOut(target({ agent: keys.socket }), NOBODY_TO_ASK)).toBe('hello')
  expect(await tryOut(target({ agent: keys.socket, keyFiles: [sealed.file] }), NOBODY_TO_ASK)).toBe('hello')
  const only = target({ agent: keys.socket, keyFiles: [strangers[0]?.file ?? ''], onlyKeyFiles: true })
  expect(await tryOut(only, NOBODY_TO_ASK)).toMatch(/SSH_LOGIN_REFUSED/)
})

it('goes on with files when no agent answers', async () => {
  const mia = new ScriptedPrompter()
  expect(await tryOut(target({ agent: join(keys.dir, 'nobody'), keyFiles: [key.file] }), mia)).toBe('hello')
  expect(mia.told.join()).toMatch(/agent at .*nobody does not answer/)
})

it('asks for a passphrase once a server would take the key, three times at most', async () => {
  const keyFiles = [strangers[0]?.file ?? '', sealed.file]
  const mia = new ScriptedPrompter({ answers: ['wrong', 'open sesame'] })
  expect(await tryOut(target({ keyFiles }), mia)).toBe('hello')
  expect(mia.asked.map(({ secret }) => secret)).toEqual([true, true])
  expect(mia.asked[1]?.text).toMatch(/^That was not it.*sealed/)
  const lost = new ScriptedPrompter({ answers: ['1', '2', '3'] })
  expect(await tryOut(target({ keyFiles }), lost)).toMatch(/none of 3 passphrases opened it/)
  expect(await tryOut(target({ keyFiles }), NOBODY_TO_ASK)).toMatch(/sealed: its passphrase is needed/)
  const elsewhere = keys.make('unwanted', 'x')
  expect(await tryOut(target({ keyFiles: [elsewhere.file] }), new ScriptedPrompter())).toMatch(/SSH_LOGIN_REFUSED/)
})

it('passes over a key that others may read, and says so', async () => {
  const open = join(keys.dir, 'open')
  copyFileSync(key.file, open)
  chmodSync(open, 0o644)
  expect(await tryOut(target({ keyFiles: [open] }), NOBODY_TO_ASK)).toMatch(/open to others.*chmod 600/)
})

it('says what was offered and tried, and what to do about too many keys', async () => {
  const refused = await tryOut(target({ keyFiles: [strangers[0]?.file ?? ''] }), NOBODY_TO_ASK)
  expect(refused).toMatch(/takes publickey, tried were key .*stranger-0/)
  const many = await tryOut(target({ keyFiles: strangers.map(({ file }) => file) }), NOBODY_TO_ASK)
  expect(many).toMatch(/Too many authentication failures.*IdentitiesOnly/)
})

it('answers questions by keyboard, any number of them, shown as the server wishes', async () => {
  const rounds = [
    { prompts: [{ prompt: 'Password: ', echo: false }], answers: ['pw'] },
    {
      prompts: [
        { prompt: 'Token: ', echo: true },
        { prompt: 'PIN: ', echo: false },
      ],
      answers: ['123456', '0'],
    },
  ]
  await using server = await SshLoginServer.start(key.file, { rounds, banner: 'Authorised use only\n' })
  const mia = new ScriptedPrompter({ answers: ['pw', '123456', '0'] })
  expect(await tryOut(target({}, server), mia)).toBe('echo hello')
  expect(mia.asked.map(({ secret }) => secret)).toEqual([true, false, true])
  expect(mia.told).toEqual([
    'Authorised use only',
    'Plant login\nHave your token at hand',
    'Plant login\nHave your token at hand',
  ])
  // A wrong answer is asked for again, three times in all.
  const wrong = new ScriptedPrompter({ answers: ['x', 'y', 'z'] })
  expect(await tryOut(target({}, server), wrong)).toMatch(/SSH_LOGIN_REFUSED: .*keyboard-interactive/)
  expect(wrong.asked).toHaveLength(3)
  expect(await tryOut(target({}, server), NOBODY_TO_ASK)).toMatch(/SSH_LOGIN_REFUSED: .*nobody answered/)
})

it('answers a one-time code after a key, as sshd asks for it through PAM', async () => {
  await using strict = await Sshd.start({ otp: '424242', isOrdinaryUser: true, authorized: [key.line, held.line] })
  for (const login of [{ keyFiles: [key.file] }, { agent: keys.socket }]) {
    const mia = new ScriptedPrompter({ answers: ['000000', '424242'] })
    expect(await tryOut(target(login, strict), mia)).toBe('hello')
    expect(mia.asked.map(({ secret }) => secret)).toEqual([true, true])
  }
  expect(strict.log).toMatch(/Accepted keyboard-interactive\/pam for nobody/)
  expect(await tryOut(target({ keyFiles: [key.file] }, strict), NOBODY_TO_ASK)).toMatch(
    /SSH_LOGIN_REFUSED: .*nobody answered/,
  )
})

it('asks for a password last, and never where nobody is', async () => {
  await using server = await SshLoginServer.start(key.file, { password: 'pw' })
  const mia = new ScriptedPrompter({ answers: ['no', 'pw'] })
  expect(await tryOut(target({}, server), mia)).toBe('echo hello')
  expect(mia.asked.map(({ secret }) => secret)).toEqual([true, true])
  const refused = await tryOut(target({}, server), NOBODY_TO_ASK)
  expect(refused).toMatch(/SSH_LOGIN_REFUSED: .*nobody gave/)
  const text = await tryOut(target({}, server), new ScriptedPrompter({ answers: ['secret1', 'secret2', 'secret3'] }))
  expect(text).toMatch(/SSH_LOGIN_REFUSED/)
  expect(text).not.toMatch(/secret/)
})

it('holds no server for slow while the operator thinks', async () => {
  await using server = await SshLoginServer.start(key.file, { password: 'pw' })
  const thinking: Prompter = {
    ...NOBODY_TO_ASK,
    ask: () => new Promise((resolve) => setTimeout(() => resolve('pw'), 900)),
  }
  expect(await tryOut({ ...target({}, server), answerTimeoutMs: 400 }, thinking)).toBe('echo hello')
})

it('goes on to the next step after one that was right and not enough', async () => {
  const config = ['AuthenticationMethods publickey,publickey']
  await using twice = await Sshd.start({ config, authorized: [key.line, rsa.line, held.line] })
  const both = target({ keyFiles: [key.file, rsa.file] }, twice)
  expect(await tryOut(both, NOBODY_TO_ASK)).toBe('hello')
  expect(await tryOut(target({ agent: keys.socket, keyFiles: [rsa.file] }, twice), NOBODY_TO_ASK)).toBe('hello')
  expect(await tryOut(target({ keyFiles: [key.file] }, twice), NOBODY_TO_ASK)).toMatch(/SSH_LOGIN_REFUSED/)
})
