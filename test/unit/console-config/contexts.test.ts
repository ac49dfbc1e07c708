import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { chooseContext, parseConsoleConfig } from '../../../src/config/console-config.ts'
import { mustNotBeExposed } from '../../../src/config/context.ts'

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8')

function faultsOf(text: string): string[] {
  try {
    parseConsoleConfig(text, 'c.yaml')
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'CONFIG_INVALID') return error.message.split('\n')
    throw error
  }
  return []
}

test('reads fleets by name, and what stands at the top as the default one', () => {
  const config = parseConsoleConfig(fixture('contexts-good.yaml'), 'c.yaml')
  expect(chooseContext(config, null)).toEqual({
    name: 'acme',
    production: true,
    insecure: false,
    ssh: null,
    kube: null,
    controller: 'https://controller.example:5444',
    nats: { servers: ['tls://hub-1.example:4222', 'tls://hub-2.example:4222'], credentials: null, ca: 'hub.pem' },
    clouds: [{ name: 'eu', servers: ['tls://hub-1.example:4222'], stream: 'EDGE' }],
    nodes: [
      { key: 'press-4', site: 'plant-a', url: 'wss://10.0.0.4:5443/live' },
      { key: '压机-5', url: 'wss://10.0.0.5:5443/live' },
    ],
  })
  expect(chooseContext(config, 'lab')).toMatchObject({ name: 'lab', insecure: true, controller: null, nats: null })
  expect(chooseContext(config, 'default')).toMatchObject({
    name: 'default',
    nodes: [{ key: 'here' }, { key: 'here-6' }],
  })
  expect(() => chooseContext(config, 'toString')).toThrow('there is no context "toString"')
})

test('names every fault of a context with its line', () => {
  const faults = faultsOf(fixture('contexts-bad.yaml'))
  expect(faults).toContain('c.yaml:4: contexts.acme.controler: unknown key; did you mean "controller"?')
  expect(faults).toContainEqual(expect.stringMatching(/^c\.yaml:5: contexts\.acme\.controller: expected an address/))
  expect(faults).toContain('c.yaml:6: contexts.acme.production: expected true or false')
  expect(faults).toContainEqual(
    expect.stringMatching(/^c\.yaml:7: contexts\.acme\.nats\.credential: unknown key; did you/),
  )
  expect(faults).toContain('c.yaml:9: contexts.acme.nodes.0.sit: unknown key; did you mean "site"?')
  expect(faults).toContainEqual(expect.stringMatching(/^c\.yaml:10: contexts\.acme\.nodes\.1\.site: the site must/))
})

test('takes no name that could not be a folder, or that the top of the file has', () => {
  const faults = faultsOf('contexts:\n  acme: {}\n  default: {}\n  ../up: {}\n')
  expect(faults).toEqual([
    'c.yaml:3: contexts.default: "default" is what stands at the top of the file; choose another name',
    'c.yaml:4: contexts.../up: a context is named by letters, digits, ".", "_" and "-"',
  ])
})

test('takes no context that is not there for the current one', () => {
  expect(faultsOf('context: acme\ncontexts: {lab: {}}')).toEqual([
    'c.yaml:1: context: there is no such context; they are default, lab',
  ])
})

test('refuses plain addresses off this machine, except where the context says that it is insecure', () => {
  const plain = 'nodes: [{name: a, url: "ws://10.0.0.4:5443"}]'
  const [fault, ...more] = faultsOf(plain)
  expect([fault, more]).toEqual([
    expect.stringMatching(/^c\.yaml:1: nodes\.0\.url: plain ws:\/\/ is taken on this/),
    [],
  ])
  expect(faultsOf(`contexts:\n  lab:\n    ${plain}`)[0]).toMatch(/^c\.yaml:3: contexts\.lab\.nodes\.0\.url: plain/)
  expect(faultsOf(`insecure: true\n${plain}`)).toEqual([])
  // What the top says does not count for another context.
  expect(faultsOf(`insecure: true\ncontexts:\n  lab:\n    ${plain}`)).toHaveLength(1)
  for (const url of ['ws://127.0.0.2:1', 'ws://[::1]:1', 'ws://localhost', 'wss://10.0.0.4']) {
    expect(() => mustNotBeExposed([{ key: 'a', url }], { insecure: false })).not.toThrow()
  }
  const exposed = [{ key: 'a', url: 'ws://localhost.example' }]
  expect(() => mustNotBeExposed(exposed, { insecure: false })).toThrow('a: plain ws:// is taken on this machine only')
  expect(() => mustNotBeExposed(exposed, { insecure: true })).not.toThrow()
})

test('reads how the pods of a context are reached, and says where that cannot be', () => {
  const config = parseConsoleConfig(
    'kube: {config: ~/edge.kubeconfig, namespace: vision}\nnats: {servers: [tls://h:4222]}\nnodes: [{name: press-4, kubeNode: edge-4}]\n',
    'c.yaml',
  )
  expect(config.kube).toEqual({ config: '~/edge.kubeconfig', context: null, namespace: 'vision' })
  expect(config.nodes).toEqual([{ key: 'press-4', url: null, kubeNode: 'edge-4' }])
  expect(parseConsoleConfig('kube: {}', 'c.yaml').kube).toEqual({ config: null, context: null, namespace: null })
  expect(faultsOf('kube: {contxt: lab}')).toEqual(['c.yaml:1: kube.contxt: unknown key; did you mean "context"?'])
  expect(faultsOf('kube: {namespace: Vision}')).toEqual([
    'c.yaml:1: kube.namespace: expected a name as Kubernetes has them: small letters, digits, "-" and "."',
  ])
})
