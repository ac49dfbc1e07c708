import { expect, test } from 'vitest'
import { loadConfig } from '../../../edge-daemon/config/load.ts'
import { isPlainAway, plainUplinks } from '../../../edge-daemon/config/plain-uplinks.ts'
import { Standing } from '../../../edge-daemon/standing.ts'
import { busOptionsOf, OPEN_BUS } from '../../../identity/bus-access.ts'

const read = (text: string) => loadConfig({ file: { name: 'f.yaml', text }, env: {}, flags: {} }).config

test.each([
  ['http://cloud/blocks', true],
  ['nats://10.0.0.1:4222', true],
  ['cloud:4222', true],
  ['http://[2001:db8::1]:80/', true],
  ['https://cloud/blocks', false],
  ['tls://cloud:4222', false],
  ['nats://127.0.0.1:4222', false],
  ['localhost:4222', false],
  ['http://[::1]:8080/', false],
])('%s is plain over a network: %s', (address, expected) => {
  expect(isPlainAway(address)).toBe(expected)
})

test('plain HTTP off this machine is refused at the start, until the setting that is called insecure allows it, and then it is told', () => {
  const url = 'upstream: {http: {url: "http://u:secret@cloud/blocks"}'
  expect(() => read(`${url}}`)).toThrow(/upstream\.http\.url http:\/\/cloud\/blocks would send everything in plain/)
  const config = read(`${url}, nats: {servers: ["tls://a:4222", "nats://b:4222"]}, insecure: true}`)
  const standing = new Standing({ upkeep: null, plainUplinks: plainUplinks(config) })
  expect(standing.findings()).toMatchObject([
    {
      code: 'insecure_uplink',
      severity: 'warning',
      msg: expect.stringContaining('nats://b:4222, http://cloud/blocks'),
    },
  ])
  expect(JSON.stringify(standing.findings())).not.toContain('secret')
  expect(plainUplinks(read('upstream: {http: {url: "https://cloud/blocks"}}'))).toEqual([])
})

test('a bus off this machine is spoken to by TLS 1.3 alone, but for the setting', () => {
  const allowed = { ...OPEN_BUS, tls: { ...OPEN_BUS.tls, insecure: true } }
  expect(busOptionsOf(['nats://b:4222'], OPEN_BUS, 'node').tls?.minVersion).toBe('TLSv1.3')
  expect(busOptionsOf(['nats://b:4222'], allowed, 'node').tls).toBeUndefined()
  expect(busOptionsOf(['tls://b:4222'], allowed, 'node').tls?.minVersion).toBe('TLSv1.3')
})
