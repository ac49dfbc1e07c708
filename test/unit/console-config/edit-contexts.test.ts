import { expect, test } from 'vitest'
import { chooseContext, parseConsoleConfig } from '../../../src/config/console-config.ts'
import { type WrittenContext, withContext, withCurrent, withoutContext } from '../../../src/config/edit-contexts.ts'

const TEXT = `# mine, do not touch
theme: light   # easier on the eyes

contexts:
  lab:   # the cellar
    nodes:
      - { name: one, url: "ws://127.0.0.1:5443" }
nodes:
  # at hand
  - name: here
    url: ws://127.0.0.1:5443
`
const ACME: WrittenContext = {
  production: true,
  controller: 'https://c.example:5444',
  nats: { servers: ['tls://hub:4222'] },
  nodes: [{ name: 'press-4', site: 'plant-a', url: 'wss://10.0.0.4:5443/live' }],
}
const add = (text: string, isCurrent = true): string =>
  withContext(text, { name: 'acme', context: ACME, isCurrent, file: 'c.yaml' })

test('adds a context and leaves every comment and the order of all else as they were', () => {
  const text = add(TEXT)
  expect(chooseContext(parseConsoleConfig(text, 'c.yaml'), null)).toMatchObject({ name: 'acme', production: true })
  expect(text).toBe(`# mine, do not touch
theme: light # easier on the eyes

contexts:
  lab:
    # the cellar
    nodes:
      - { name: one, url: "ws://127.0.0.1:5443" }
  acme:
    production: true
    controller: https://c.example:5444
    nats:
      servers: [ tls://hub:4222 ]
    nodes:
      - { name: press-4, site: plant-a, url: wss://10.0.0.4:5443/live }
nodes:
  # at hand
  - name: here
    url: ws://127.0.0.1:5443
context: acme
`)
})

test('begins a file that is not there, and one that holds only comments', () => {
  expect(add('')).toMatch(/^context: acme\ncontexts:\n {2}acme:\n/)
  expect(add('# nothing yet\n')).toMatch(/# nothing yet\n[\s\S]*contexts:\n {2}acme:\n/)
  expect(add('contexts: {}\n', false)).toMatch(/^contexts:\n {2}acme:\n/)
})

test('chooses and takes out, and refuses what is not there', () => {
  const both = add(TEXT)
  const lab = withCurrent(both, 'lab', 'c.yaml')
  expect(parseConsoleConfig(lab, 'c.yaml').context).toBe('lab')
  const without = withoutContext(lab, 'lab', 'c.yaml')
  expect(parseConsoleConfig(without, 'c.yaml')).toMatchObject({ context: 'default', contexts: { acme: {} } })
  expect(withoutContext(withoutContext(both, 'acme', 'c.yaml'), 'lab', 'c.yaml')).not.toContain('contexts')
  expect(() => withCurrent(TEXT, 'acme', 'c.yaml')).toThrow('there is no context "acme"')
  expect(() => withoutContext(TEXT, 'default', 'c.yaml')).toThrow('stands at the top')
})
