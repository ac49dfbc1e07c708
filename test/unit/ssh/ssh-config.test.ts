import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { readSshConfig } from '../../../src/ssh/config-file.ts'
import { resolveTarget } from '../../../src/ssh/resolve.ts'
import type { SshTarget } from '../../../src/ssh/target.ts'

const dir = mkdtempSync(join(tmpdir(), 'edgedeck-sshconfig-'))
const { username, uid, homedir } = userInfo()
afterAll(() => rmSync(dir, { recursive: true }))

let written = 0

/** A target as we see it through a configuration of this text. */
function resolved(text: string, host: string, user: string | null = null): SshTarget {
  const file = join(dir, `config-${written++}`)
  writeFileSync(file, text, { mode: 0o600 })
  const items = readSshConfig({ file, folder: join(homedir, '.ssh'), home: homedir, isOwn: true, mustExist: true })
  const surroundings = {
    items,
    home: homedir,
    localUser: username,
    localHost: hostname(),
    userId: uid,
    env: { SSH_AUTH_SOCK: '/agent', KEYS: '/keys' },
    knownHosts: null,
  }
  return resolveTarget({ user, host, port: null }, surroundings)
}

/** What OpenSSH itself makes of it: keyword → values. */
function openSsh(text: string, host: string, user: string | null): Map<string, string[]> {
  const file = join(dir, 'theirs')
  writeFileSync(file, text, { mode: 0o600 })
  const args = ['-G', '-F', file, ...(user === null ? [] : ['-l', user]), host]
  const env = { ...process.env, SSH_AUTH_SOCK: '/agent', KEYS: '/keys' }
  const values = new Map<string, string[]>()
  for (const line of execFileSync('ssh', args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] })
    .trim()
    .split('\n')) {
    const [keyword = '', ...rest] = line.split(' ')
    values.set(keyword, [...(values.get(keyword) ?? []), rest.join(' ')])
  }
  return values
}

const CONFIG = `
# comments, and blanks before words
  User = first
IdentityFile ~/.ssh/for_all

Host n1
  HostName 10.0.0.4
  Port=2222
  IdentityFile "~/keys/with blank"
  IdentityFile %d/%r-%h-%n-%p-%u-%i-%k
Host *.plant.example !not.plant.example
  HostName %h.internal
  HostKeyAlias alias-of-plant
  IdentitiesOnly yes
  ConnectTimeout 1m30
  ServerAliveInterval 7
  ServerAliveCountMax 9
  UserKnownHostsFile ~/.ssh/kh1 "/tmp/k h2"
  GlobalKnownHostsFile /tmp/gkh
  StrictHostKeyChecking accept-new
  HashKnownHosts yes
  NumberOfPasswordPrompts 5
  PreferredAuthentications password,publickey
  IdentityFile \${KEYS}/plant
Host n? n??
  ProxyJump gate
  Port 2022
  User second
Host gate
  HostName gate.example
  User ops
  ProxyJump none
Host via-two
  ProxyJump mia@a.example:2200,b.example
Host UPPER
  HostName Mixed.Case.Example
  StrictHostKeyChecking yes
  AddressFamily inet6
Match originalhost matched,other user first
  Port 4444
  HostName by-match.example
Match host by-match.example
  HostKeyAlias second-match
Match all
  ConnectTimeout 44
Host *
  ServerAliveInterval 30
  User last
`

describe('~/.ssh/config', () => {
  it.each([
    ['n1', null],
    ['n2', null],
    ['n22', 'asked'],
    ['x.plant.example', null],
    ['not.plant.example', null],
    ['gate', null],
    ['via-two', null],
    ['UPPER', null],
    ['upper', null],
    ['matched', null],
    ['matched', 'asked'],
    ['elsewhere.example', null],
  ])('says of %s (as %s) what ssh -G says', (host, user) => {
    const ours = resolved(CONFIG, host, user)
    const theirs = openSsh(CONFIG, host, user)
    const one = (keyword: string) => theirs.get(keyword)?.[0] ?? null
    expect([ours.host, ours.port, ours.user]).toEqual([one('hostname'), Number(one('port')), one('user')])
    const expectedFiles = (theirs.get('identityfile') ?? []).map((file) => tildeless(file, ours))
    expect(ours.login.keyFiles).toEqual(expectedFiles)
    expect(ours.login.onlyKeyFiles).toBe(one('identitiesonly') === 'yes')
    expect(ours.knownHosts.name).toBe(one('hostkeyalias') ?? one('hostname'))
    expect(ours.knownHosts.hashNames).toBe(one('hashknownhosts') === 'yes')
    expect(ours.knownHosts.userFiles.join(' ')).toBe(
      (one('userknownhostsfile') ?? '')
        .split(' ')
        .map((file) => tildeless(file, ours))
        .join(' '),
    )
    expect(ours.knownHosts.globalFiles.join(' ')).toBe(one('globalknownhostsfile'))
    const rule = { true: 'refuse', ask: 'ask', 'accept-new': 'accept' }[one('stricthostkeychecking') ?? '']
    expect(ours.knownHosts.unknown).toBe(rule)
    expect(ours.login.passwordTries).toBe(Number(one('numberofpasswordprompts')))
    const timeout = one('connecttimeout')
    expect(ours.answerTimeoutMs).toBe(timeout === null || timeout === 'none' ? 15_000 : Number(timeout) * 1000)
    expect(ours.keepaliveMs).toBe(Number(one('serveraliveinterval')) * 1000)
    expect(ours.keepaliveTries).toBe(Number(one('serveralivecountmax')))
    expect(ours.family).toBe({ any: 0, inet: 4, inet6: 6 }[one('addressfamily') ?? ''])
    const methods = one('preferredauthentications')
    if (methods !== null) expect(ours.login.methods.join(',')).toBe(methods)
    expect(ours.via === null ? null : jumpsOf(ours)).toBe(one('proxyjump'))
  })

  it('leads through jump hosts as each of them is known, the first by its own part of the files', () => {
    const { via } = resolved(CONFIG, 'n2')
    expect([via?.label, via?.via]).toEqual(['first@gate.example:22', null])
    const two = resolved(CONFIG, 'via-two').via
    expect([two?.label, two?.via?.label]).toEqual(['first@b.example:22', 'mia@a.example:2200'])
    const nested = resolved('Host a\n ProxyJump b\nHost b\n ProxyJump c\nHost c\n HostName c.example\n', 'a')
    expect([nested.via?.host, nested.via?.via?.host, nested.via?.via?.via]).toEqual(['b', 'c.example', null])
  })

  it('finds what it includes, at its place and under its conditions', () => {
    mkdirSync(join(dir, 'conf.d'), { recursive: true })
    for (const [name, text] of [
      ['20-b.conf', 'Port 2020\nHost included\n  User by-include\n'],
      ['10-a.conf', 'Port 1010\n'],
      ['.hidden.conf', 'Port 3030\n'],
    ] as const) {
      writeFileSync(join(dir, 'conf.d', name), text, { mode: 0o600 })
    }
    const text = `Host included in2\n  Include ${join(dir, 'conf.d/*.conf')} ${join(dir, 'none')}\n  User after\nHost *\n  Port 99\n`
    for (const host of ['included', 'in2', 'other']) {
      const theirs = openSsh(text, host, null)
      const ours = resolved(text, host)
      expect([host, String(ours.port), ours.user]).toEqual([host, theirs.get('port')?.[0], theirs.get('user')?.[0]])
    }
  })

  it.each([
    ['ProxyCommand nc %h %p', /ProxyCommand is not run here/],
    ['RevokedHostKeys /etc/revoked', /RevokedHostKeys is not read here/],
    ['ProxyJump n1', /lead to each other|its own jump host/],
    ['ProxyJump a b', /ProxyJump/],
    ['HostName %r.example', /cannot stand in a HostName/],
    ['IdentityFile %Z', /stands for nothing here/],
    ['IdentityFile ~mia/key', /homes of others/],
    [`IdentityFile $\{NOWHERE}/key`, /stands for nothing here/],
    ['Port 0', /its port is "0"/],
    ['ConnectTimeout soon', /connecttimeout is "soon"/],
    ['User "mia', /cannot be understood|has no value/],
    ['User', /has no value/],
    ['Host', /cannot be understood|has no value/],
  ])('refuses %j, and says why', (line, why) => {
    let error: unknown
    try {
      resolved(`${line}\n`, 'n1')
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(EdgeError)
    expect((error as EdgeError).code).toBe('SSH_CONFIG_INVALID')
    expect((error as EdgeError).toLine()).toMatch(why)
  })

  it('tells what it does not do where that would apply, and runs nothing for it', () => {
    const marker = join(dir, 'was-run')
    const text =
      `Match exec "touch ${marker}"\n  Port 1\nMatch final host x\n  Port 2\nHost n1\n  ForwardAgent yes\n  KnownHostsCommand /bin/x\n` +
      '  StrictHostKeyChecking no\n  LocalForward 1 h:2\n  ForwardX11 no\n  SendEnv LANG\nHost other\n  RemoteCommand x\n'
    const { notes, port, knownHosts } = resolved(text, 'n1')
    expect([port, knownHosts.unknown]).toEqual([22, 'ask'])
    expect(notes.join('\n')).toMatch(/Match exec.*passed over/)
    for (const told of [
      'forwardagent',
      'knownhostscommand',
      'localforward',
      'StrictHostKeyChecking no',
      'Match final',
    ]) {
      expect(notes.filter((note) => note.includes(told))).toHaveLength(1)
    }
    expect(notes.join()).not.toMatch(/remotecommand|sendenv|forwardx11/)
    expect(() => execFileSync('test', ['-e', marker])).toThrow()
  })

  it('does not end where files include each other', () => {
    const file = join(dir, 'loop')
    expect(() => resolved(`Include ${file}\n`, 'n1')).not.toThrow()
    writeFileSync(file, `Include ${file}\n`, { mode: 0o600 })
    expect(() => resolved(`Include ${file}\n`, 'n1')).toThrow(/include each other/)
  })
})

/** What `ssh -G` leaves as it was written. */
function tildeless(file: string, { user, host, port }: SshTarget): string {
  const home = file.startsWith('~/') ? join(homedir, file.slice(2)) : file
  return home
    .replaceAll('%d', homedir)
    .replaceAll('%r', user)
    .replaceAll('%h', host)
    .replaceAll('%n', 'n1')
    .replaceAll('%p', String(port))
    .replaceAll('%u', username)
    .replaceAll('%i', String(uid))
    .replaceAll('%k', host)
    .replaceAll(`$\{KEYS}`, '/keys')
}

function jumpsOf(target: SshTarget): string {
  return { 'via-two': 'mia@a.example:2200,b.example' }[target.host] ?? 'gate'
}
