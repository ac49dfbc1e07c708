import { expect, test } from 'vitest'
import type { EdgeError } from '../../../protocol/errors.ts'
import { readController } from '../../../src/controller/config.ts'

const NEEDED = 'publicUrl: https://c.example:5444\npki: { dir: /srv/pki }\n'

function fault(yaml: string): Pick<EdgeError, 'code' | 'message'> {
  try {
    readController('controller.yaml', yaml)
  } catch (error) {
    return error as EdgeError
  }
  throw new Error('nothing was refused')
}

test('what is not said has its default, and a variable beats the file', () => {
  const { config, entries } = readController('controller.yaml', NEEDED, { EDGECTL_STATE_DIR: '/srv/state' })
  expect(config).toMatchObject({
    publicUrl: 'https://c.example:5444',
    listen: { host: '0.0.0.0', port: 5444 },
    state: { dir: '/srv/state' },
    metrics: { listen: null },
  })
  expect(entries.find(({ path }) => path === 'state.dir')?.origin).toBe('env EDGECTL_STATE_DIR')
})

test.each([
  ['', 'CONFIG_UNSERVABLE', 'publicUrl and pki.dir must be set'],
  ['publicUrl: http://c.example\npki: { dir: /srv/pki }', 'CONFIG_UNSERVABLE', 'publicUrl is no such address'],
  ['publicUrl: https://c.example/path\npki: { dir: /srv/pki }', 'CONFIG_UNSERVABLE', 'publicUrl is no such address'],
  [`${NEEDED}metrics: { listen: "0.0.0.0:9000" }`, 'CONFIG_UNSERVABLE', 'only for loopback'],
  [`${NEEDED}lisen: ":5444"`, 'CONFIG_INVALID', 'controller.yaml:3: lisen: unknown key; did you mean "listen"?'],
  [
    `${NEEDED}limits: { headTimeout: 10 }`,
    'CONFIG_INVALID',
    'controller.yaml:3: limits.headTimeout: expected a duration',
  ],
])('%j is refused', (yaml, code, message) => {
  const { code: found, message: said } = fault(yaml)
  expect(found).toBe(code)
  expect(said).toContain(message)
})
