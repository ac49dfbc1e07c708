import { expect, test } from 'vitest'
import { type ConfigSources, loadConfig, settingPaths, variableOf } from '../../../edge-daemon/config/load.ts'
import { EdgeError } from '../../../protocol/errors.ts'

function load(text: string, more: Partial<ConfigSources> = {}) {
  return loadConfig({ file: { name: 'd.yaml', text }, env: {}, flags: {}, ...more })
}

function faultOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(EdgeError)
    return (error as EdgeError).message
  }
  throw new Error('nothing was refused')
}

test('an empty file is served with the defaults', () => {
  const { config } = load('')
  expect(config.inference).toMatchObject({
    listen: { host: '0.0.0.0', port: 5000 },
    bodyLimit: 10_000_000,
    pictureMegapixels: 40,
  })
  expect(config.control.listen).toEqual({ host: '127.0.0.1', port: 5443 })
  expect(config.filter.minConfidence).toBe(0.6)
  expect(config.alerts).toMatchObject({ after: 30_000, clearAfter: 60_000 })
})

test('command line beats environment beats file, and each says so', () => {
  const { config, entries } = load('node:\n  name: a\n  site: s1\nstate:\n  dir: /a\n', {
    env: { EDGE_NODE_NAME: 'b', EDGE_STATE_DIR: '/b' },
    flags: { 'state.dir': { flag: '--state-dir', value: '/c' } },
  })
  expect([config.node.site, config.node.name, config.state.dir]).toEqual(['s1', 'b', '/c'])
  const originOf = (path: string) => entries.find((entry) => entry.path === path)?.origin
  expect([originOf('node.site'), originOf('node.name'), originOf('state.dir'), originOf('log.level')]).toEqual([
    'd.yaml:3',
    'env EDGE_NODE_NAME',
    '--state-dir',
    'default',
  ])
})

test.each([
  ['an unknown key', 'node:\n  nmae: x\n', 'd.yaml:2: node.nmae: unknown key; did you mean "node.name"?'],
  ['an unknown section', 'nodes: 3\n', 'd.yaml:1: nodes: unknown key'],
  ['a missing unit', 'alerts:\n  after: 30\n', 'd.yaml:2: alerts.after: expected a duration with its unit'],
  ['a wrong unit', 'inference:\n  bodyLimit: 10s\n', 'd.yaml:2: inference.bodyLimit: expected a size with its unit'],
  [
    'a value out of range',
    'filter:\n  minConfidence: 60\n',
    'd.yaml:2: filter.minConfidence: expected a number from 0 to 1',
  ],
  ['a section that is a word', 'node: x\n', 'd.yaml:1: node:'],
  ['YAML that is none', 'node: [\n', 'd.yaml:'],
  ['a file that is a list', '- a\n', 'd.yaml'],
])('%s is named with its line and what to write', (_name, text, message) => {
  expect(faultOf(() => load(text))).toContain(message)
})

test('every fault is told at once', () => {
  expect(faultOf(() => load('alerts:\n  after: 30\nfoo: 1\n')).split('\n')).toHaveLength(2)
})

test('a variable with a wrong value is refused by its name', () => {
  expect(faultOf(() => load('', { env: { EDGE_INFERENCE_LISTEN: '5000' } }))).toContain(
    'EDGE_INFERENCE_LISTEN: expected an address',
  )
})

test("another program's EDGE_ variable only warns", () => {
  const { warnings } = load('', { env: { EDGE_INFER_SERVICE_SERVICE_HOST: '10.0.0.1', EDGE_NODE_NAM: 'x' } })
  expect(warnings).toHaveLength(2)
  expect(warnings[1]).toContain('did you mean EDGE_NODE_NAME?')
})

test('every setting is shown in a form that it reads back', () => {
  const env: Record<string, string> = {}
  const first = load('')
  // A variable has a list of texts without its brackets; a list of rules is JSON there too.
  for (const entry of first.entries)
    if (entry.value !== 'null') env[variableOf(entry.path)] = entry.value.replace(/^\[(?!\{)|(?<!\})\]$/g, '')
  expect(load('', { env }).config).toEqual(first.config)
  expect(settingPaths().map((entry) => variableOf(entry.path))).toContain('EDGE_INFERENCE_BODY_LIMIT')
})

test('user and password of an address are in force and never shown, neither as a value nor in a fault', () => {
  const text =
    'upstream:\n  nats:\n    servers: ["nats://joe:s3cret@cloud:4222"]\n  http:\n    url: https://joe:s3cret@cloud/in\n'
  const { config, entries } = load(text)
  expect(config.upstream.nats.servers).toEqual(['nats://joe:s3cret@cloud:4222'])
  expect(config.upstream.http.url).toBe('https://joe:s3cret@cloud/in')
  expect(JSON.stringify(entries)).not.toContain('s3cret')
  expect(entries.find(({ path }) => path === 'upstream.http.url')?.value).toBe('https://***@cloud/in')
  const fault = faultOf(() => load('upstream:\n  http:\n    url: ftp://joe:s3cret@cloud/in\n'))
  expect(fault).toContain('cloud/in')
  expect(fault).not.toContain('s3cret')
})

test('a name longer than any node has, and half a result a second, are refused', () => {
  expect(faultOf(() => load(`node:\n  name: ${'n'.repeat(254)}\n`))).toContain('at most 253 characters')
  expect(faultOf(() => load('filter:\n  abnormalPerSec: 0.5\n'))).toContain('a whole number')
})
