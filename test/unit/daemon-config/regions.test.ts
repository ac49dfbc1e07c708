import { expect, test } from 'vitest'
import { loadConfig } from '../../../edge-daemon/config/load.ts'
import { regionList } from '../../../edge-daemon/config/regions.ts'

test('reads regions from a file, in order', () => {
  const raw = [
    { name: 'eu', servers: ['nats://a:4222', 'nats://b:4222'], stream: 'PLANTS' },
    { name: 'us', servers: 'nats://c:4222' },
  ]
  expect(regionList().read(raw)).toEqual({
    ok: true,
    value: [
      { name: 'eu', servers: ['nats://a:4222', 'nats://b:4222'], stream: 'PLANTS', credentials: null },
      { name: 'us', servers: ['nats://c:4222'], stream: null, credentials: null },
    ],
  })
})

test('reads them from a variable', () => {
  expect(regionList().read('eu/PLANTS=nats://a:4222,nats://b:4222; us=nats://c:4222?x=1')).toEqual({
    ok: true,
    value: [
      { name: 'eu', servers: ['nats://a:4222', 'nats://b:4222'], stream: 'PLANTS', credentials: null },
      { name: 'us', servers: ['nats://c:4222?x=1'], stream: null, credentials: null },
    ],
  })
  expect(regionList().read('')).toEqual({ ok: true, value: [] })
})

test.each([
  [{ name: 'eu' }],
  [[{ name: 'eu', servers: [] }]],
  [[{ name: 'a b', servers: ['nats://a'] }]],
  [[{ name: 'eu', servers: ['nats://a'], strem: 'X' }]],
  ['nats://a:4222'],
  [null],
])('refuses %j and says what is expected', (raw) => {
  expect(regionList().read(raw)).toEqual({ ok: false, message: expect.stringContaining('a list of regions') })
})

test('refuses a region that is named twice', () => {
  expect(regionList().read('eu=nats://a;eu=nats://b')).toMatchObject({
    ok: false,
    message: expect.stringContaining('eu'),
  })
})

test.each(['nats', 'http'])('refuses a region called %s, as another target is', (name) => {
  expect(regionList().read(`${name}=nats://a`)).toMatchObject({ ok: false, message: expect.stringContaining(name) })
})

test('shows no password', () => {
  const shown = regionList().show([
    { name: 'eu', servers: ['nats://u:secret@a:4222'], stream: null, credentials: null },
  ])
  expect(shown).toContain('nats://***@a:4222')
  expect(shown).not.toContain('secret')
})

test('regions beside the one-region short form are refused: one stream could be two targets', () => {
  const text =
    'upstream:\n  nats: { servers: ["nats://a:4222"] }\n  regions: [{ name: eu, servers: ["nats://a:4222"] }]\n'
  expect(() => loadConfig({ file: { name: 'f', text }, env: {}, flags: {} })).toThrow(
    expect.objectContaining({ code: 'CONFIG_UNSERVABLE', message: expect.stringContaining('both set') }),
  )
})
