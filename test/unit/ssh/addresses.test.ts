import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { chooseContext, parseConsoleConfig } from '../../../src/config/console-config.ts'
import { readSshDestination } from '../../../src/config/ssh-destination.ts'
import { SshAddresses } from '../../../src/ssh/addresses.ts'

const homes: string[] = []
afterEach(() => {
  for (const home of homes.splice(0)) rmSync(home, { recursive: true })
})

/** Addresses of a context's nodes with a `~/.ssh/config` of this text. */
function addresses(yaml: string, sshConfig = ''): SshAddresses {
  const home = mkdtempSync(join(tmpdir(), 'edgedeck-home-'))
  homes.push(home)
  mkdirSync(join(home, '.ssh'))
  writeFileSync(join(home, '.ssh/config'), sshConfig, { mode: 0o600 })
  const context = chooseContext(parseConsoleConfig(yaml, 'config.yaml'), null)
  return new SshAddresses({ context, configFile: join(home, 'config.yaml'), home, env: {} })
}

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof EdgeError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'fine'
}

describe('where a node is reached over SSH', () => {
  it('is what stands beside it, before the host of its url', () => {
    const yaml = 'nodes:\n  - {name: n1, url: "wss://n1.example:5443/live", ssh: "mia@10.0.0.4:2222"}'
    const { nodes } = parseConsoleConfig(yaml, 'c.yaml')
    expect(addresses(yaml).targetOf(nodes[0] as never)).toMatchObject({
      host: '10.0.0.4',
      port: 2222,
      user: 'mia',
      label: 'mia@10.0.0.4:2222',
      via: null,
    })
  })

  it('is the host of its url, as OpenSSH knows it', () => {
    const own = addresses('', 'Host *.example\n  User ops\n  Port 2200\n')
    expect(own.targetOf({ key: 'n1', url: 'wss://N1.example:5443/live' }).label).toBe('ops@n1.example:2200')
    const six = addresses('').targetOf({ key: 'n6', url: 'wss://[::1]:5443/live' })
    expect([six.host, six.label]).toEqual(['::1', `${userInfo().username}@[::1]:22`])
  })

  it('is made by the rule of the context where only its name is known', () => {
    const own = addresses('ssh: {host: "{node}.{site}.example:2022", user: ops}')
    expect(own.targetOf({ key: 'east/n1', node: 'n1', url: null, site: 'east' }).label).toBe('ops@n1.east.example:2022')
  })

  it('is an alias that OpenSSH knows by name, and not one that fits everything', () => {
    const own = addresses('', 'Host n1 gate-?\n  HostName 10.1.1.1\nHost *\n  User ops\n')
    expect(own.targetOf({ key: 'n1', url: null }).label).toBe('ops@10.1.1.1:22')
    expect(own.knows({ key: 'gate-1', url: null })).toBe(true)
    expect(own.knows({ key: 'n2', url: null })).toBe(false)
    expect(codeOf(() => own.targetOf({ key: 'n2', url: null }))).toMatch(/^SSH_ADDRESS_MISSING: .*n2/)
  })

  it.each(['evil.example/x', '-oProxyCommand=x', 'a b', 'root@evil', 'n1:22', '..', '%h'])(
    'lets no node called %j write an address',
    (key) => {
      expect(addresses('ssh: {host: "{node}.plant.example"}').knows({ key, url: null })).toBe(false)
    },
  )

  it('is by the files that the context names, beside the configuration', () => {
    const home = mkdtempSync(join(tmpdir(), 'edgedeck-home-'))
    homes.push(home)
    writeFileSync(join(home, 'plant.ssh'), 'Host n1\n  User plant\n', { mode: 0o600 })
    const context = chooseContext(parseConsoleConfig('ssh: {config: plant.ssh, knownHosts: keys}', 'c'), null)
    const target = new SshAddresses({ context, configFile: join(home, 'c.yaml'), home, env: {} }).targetAt('n1')
    expect(target.user).toBe('plant')
    expect(target.knownHosts.userFiles).toEqual([join(home, 'keys')])
  })

  it('is not looked up in a file that others may write', () => {
    const own = addresses('', 'Host n1\n')
    chmodSync(join(homes[0] as string, '.ssh/config'), 0o666)
    expect(codeOf(() => own.knows({ key: 'n1', url: null }))).toMatch(/SSH_CONFIG_INVALID: .*others of this machine/)
  })
})

describe('an address that is typed', () => {
  it.each([
    ['n1', { user: null, host: 'n1', port: null }],
    ['mia@n1.example:2222', { user: 'mia', host: 'n1.example', port: 2222 }],
    ['ssh://mia@n1:22', { user: 'mia', host: 'n1', port: 22 }],
    ['[2001:db8::1]:2222', { user: null, host: '2001:db8::1', port: 2222 }],
    ['2001:db8::1', { user: null, host: '2001:db8::1', port: null }],
    ['mia@corp@n1', 'refused'],
    ['n1:0', 'refused'],
    ['n1:70000', 'refused'],
    ['', 'refused'],
    ['-oProxyCommand=reboot', 'refused'],
    ['$(reboot)', 'refused'],
    ['-l@n1', 'refused'],
    ['n1\n', { user: null, host: 'n1', port: null }],
    ['n1 n2', 'refused'],
  ])('reads %j', (text, expected) => {
    const read = readSshDestination(text)
    expect(typeof read === 'string' ? 'refused' : read).toEqual(expected)
  })

  it('is told in the file where it is wrong', () => {
    const faults = codeOf(() => parseConsoleConfig('nodes:\n  - {name: n1, url: "wss://n", ssh: "a b"}', 'c.yaml'))
    expect(faults).toMatch(/c\.yaml:2.*nodes.*ssh.*\[user@\]host\[:port\]/)
    expect(codeOf(() => parseConsoleConfig('ssh: {host: plant.example}', 'c.yaml'))).toMatch(/\{node\}\.plant\.example/)
    expect(codeOf(() => parseConsoleConfig('ssh: {knownhosts: x}', 'c.yaml'))).toMatch(/did you mean "knownHosts"/)
  })
})
