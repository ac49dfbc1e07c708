import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { readCloudFlag } from '../../../src/config/cloud-address.ts'
import { loadConsoleConfig, parseConsoleConfig } from '../../../src/config/console-config.ts'
import { consolePaths } from '../../../src/config/paths.ts'

const folders: string[] = []
const DEFAULTS = {
  nodes: [],
  clouds: [],
  nats: null,
  controller: null,
  ssh: null,
  kube: null,
  production: false,
  insecure: false,
  context: 'default',
  contexts: {},
  theme: 'dark',
  ascii: null,
  logLevel: 'info',
  record: { input: false, maxBytes: 50_000_000, redact: [] },
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
function faultsOf(text: string): string[] {
  try {
    parseConsoleConfig(text, 'c.yaml')
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'CONFIG_INVALID') return error.message.split('\n')
    throw error
  }
  return []
}

describe('the configuration of the console', () => {
  it('has a default for everything', () => {
    expect(parseConsoleConfig('', 'c.yaml')).toEqual(DEFAULTS)
  })

  it('reads nodes with their addresses', () => {
    const text =
      'nodes:\n  - name: press 4\n    url: ws://127.0.0.4:5443\n  - {name: 东, url: "wss://e/x"}\ntheme: light\nascii: true\nlogLevel: warn\n'
    expect(parseConsoleConfig(text, 'c.yaml')).toEqual({
      ...DEFAULTS,
      nodes: [
        { key: 'press 4', url: 'ws://127.0.0.4:5443/live' },
        { key: '东', url: 'wss://e/x' },
      ],
      theme: 'light',
      ascii: true,
      logLevel: 'warn',
    })
  })

  it('reads the regions of the cloud, and names what is wrong with one', () => {
    const good =
      'clouds:\n  - {name: east, servers: ["nats://e1:4222", "tls://e2"]}\n  - {name: w, servers: ["nats://w"], stream: EDGE_W}\n'
    expect(parseConsoleConfig(good, 'c.yaml').clouds).toEqual([
      { name: 'east', servers: ['nats://e1:4222', 'tls://e2'], stream: 'EDGE' },
      { name: 'w', servers: ['nats://w'], stream: 'EDGE_W' },
    ])
    const bad = [
      'clouds:',
      '  - {name: a, servers: []}',
      '  - {name: b, servers: ["http://user:secret@b"]}',
      '  - {name: c, servers: ["nats://c"], stream: "a.b"}',
      '  - {name: d, server: x, servers: ["nats://d"]}',
    ].join('\n')
    const faults = faultsOf(bad)
    expect(faults).toHaveLength(4)
    expect(faults[0]).toMatch(/^c\.yaml:2: clouds\.0\.servers: expected at least one address/)
    expect(faults[1]).toMatch(/^c\.yaml:3: clouds\.1\.servers: .*found "http:\/\/b"$/)
    expect(faults[2]).toMatch(/^c\.yaml:4: clouds\.2\.stream: /)
    expect(faults[3]).toMatch(/^c\.yaml:5: clouds\.3\.server: unknown key; did you mean "servers"\?/)
    expect(faultsOf('clouds:\n  - {name: a, servers: ["nats://x"]}\n  - {name: a, servers: ["nats://y"]}')).toEqual([
      'c.yaml:3: clouds.1.name: "a" is listed twice; rename one',
    ])
    expect(readCloudFlag('nats://hub:4222')).toEqual({ name: 'hub:4222', servers: ['nats://hub:4222'], stream: 'EDGE' })
    expect(readCloudFlag('east=nats://hub')).toMatchObject({ name: 'east', servers: ['nats://hub'] })
    expect(readCloudFlag('hub')).toMatch(/^expected an address/)
  })

  it('reads how sessions are recorded, and names what is wrong with it', () => {
    const text = 'record: {input: true, maxBytes: 2GB, redact: ["badge [0-9]+"]}'
    expect(parseConsoleConfig(text, 'c.yaml').record).toEqual({
      input: true,
      maxBytes: 2_000_000_000,
      redact: ['badge [0-9]+'],
    })
    expect(parseConsoleConfig('record: {maxBytes: 1MB}', 'c.yaml').record).toMatchObject({ input: false })
    const faults = faultsOf('record:\n  maxBytes: 1KB\n  redact: ["(?=x)"]\n  inputs: true')
    expect(faults).toContainEqual(
      expect.stringMatching(/^c\.yaml:2: record\.maxBytes: expected a size of 64KB or more/),
    )
    expect(faults).toContainEqual(expect.stringMatching(/^c\.yaml:3: record\.redact\.0: this is no RE2 pattern/))
    expect(faults).toContain('c.yaml:4: record.inputs: unknown key; did you mean "input"?')
  })

  it('names every fault with its line and what to write instead', () => {
    const text = [
      'theem: dark',
      'logLevel: loud',
      'ascii: yes please',
      'nodes:',
      '  - name: a',
      '    url: http://a',
      '  - name: b',
      '    adress: ws://b',
      '    url: ws://b',
      '  - name: ""',
      '    url: ws://c',
    ].join('\n')
    const faults = faultsOf(text)
    expect(faults).toContain('c.yaml:1: theem: unknown key; did you mean "theme"?')
    expect(faults).toContain('c.yaml:2: logLevel: expected one of debug, info, warn, error, fatal')
    expect(faults).toContain('c.yaml:3: ascii: expected true or false')
    expect(faults).toContainEqual(expect.stringMatching(/^c\.yaml:6: nodes\.0\.url: expected an address such as "wss:/))
    expect(faults).toContainEqual(expect.stringMatching(/^c\.yaml:8: nodes\.1\.adress: unknown key/))
    expect(faults).toContainEqual(expect.stringMatching(/^c\.yaml:10: nodes\.2\.name: the name must have/))
    expect(faults).toHaveLength(6)
  })

  it('refuses a name that is listed twice, a broken file and a list in place of a mapping', () => {
    expect(faultsOf('nodes:\n  - {name: a, url: "wss://x"}\n  - {name: a, url: "wss://y"}')).toEqual([
      'c.yaml:3: nodes.1.name: "a" is listed twice; rename one',
    ])
    expect(faultsOf('nodes: [')[0]).toMatch(/^c\.yaml:1: /)
    expect(faultsOf('- a')).toHaveLength(1)
    expect(faultsOf('nodes: 7')[0]).toContain('expected a list of nodes')
  })

  it('may be absent where nobody asked for it, and not where somebody did', () => {
    const folder = mkdtempSync(join(tmpdir(), 'edgedeck-config-'))
    folders.push(folder)
    const file = join(folder, 'config.yaml')
    expect(loadConsoleConfig(file, false).nodes).toEqual([])
    expect(() => loadConsoleConfig(file, true)).toThrow(/there is no such file/)
    expect(() => loadConsoleConfig(folder, false)).toThrow(EdgeError)
    writeFileSync(file, 'theme: light\n')
    expect(loadConsoleConfig(file, true).theme).toBe('light')
  })

  it('lies where XDG says, and a relative XDG_CONFIG_HOME is ignored', () => {
    expect(consolePaths({ XDG_CONFIG_HOME: '/x' }, '/home/a').configFile).toBe('/x/edgedeck/config.yaml')
    expect(consolePaths({ XDG_CONFIG_HOME: 'x' }, '/home/a').keymapFile).toBe('/home/a/.config/edgedeck/keymap.yaml')
  })
})
