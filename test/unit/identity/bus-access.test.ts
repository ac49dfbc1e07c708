import { expect, test } from 'vitest'
import { busOptionsOf, OPEN_BUS, refusalMsg } from '../../../identity/bus-access.ts'
import { credentialsText, isNatsUserKey, newNatsKey, readCredentials } from '../../../identity/nats-key.ts'
import { inboxPrefixOf } from '../../../protocol/bus-users.ts'

function jwtOf(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}.c2ln`
}

function credentialsOf(nats: object, more: object = {}) {
  const key = newNatsKey()
  const jwt = jwtOf({ sub: key.publicKey, name: 'plant.n1', nats, ...more })
  const credentials = readCredentials(credentialsText(jwt, key))
  if (credentials === null) throw new Error('the credentials cannot be read')
  return credentials
}

test.each([
  [['nats://127.0.0.1:4222', 'nats://localhost'], false],
  [['127.0.0.1:4222'], false],
  [['nats://[::1]:4222'], false],
  [['tls://localhost:4222'], true],
  [['nats://hub.example:4222'], true],
  [['nats://localhost', 'nats://10.0.0.1'], true],
  [['hub'], true],
  [['nats://localhost.example'], true],
])('of %j TLS is demanded: %s', (servers, demanded) => {
  expect('tls' in busOptionsOf(servers, OPEN_BUS, 'node')).toBe(demanded)
})

test('credentials of a bus of ours bring their own inbox and domain; those of another bus do not', () => {
  const ours = credentialsOf({ tags: ['bus:edgedeck', 'domain:archive'] })
  expect(ours).toMatchObject({ isOurs: true, domain: 'archive', name: 'plant.n1', expiresAtMs: null })
  const options = busOptionsOf(['tls://hub'], { ...OPEN_BUS, credentials: ours }, 'node')
  expect(options.inboxPrefix).toBe(inboxPrefixOf({ kind: 'node', site: 'plant', node: 'n1' }))
  expect(options.authenticator?.('nonce')).toMatchObject({ jwt: ours.jwt, nkey: ours.key.publicKey })
  const theirs = credentialsOf({ tags: ['domain:a.b'] })
  expect(theirs).toMatchObject({ isOurs: false, domain: null })
  expect(busOptionsOf(['tls://hub'], { ...OPEN_BUS, credentials: theirs }, 'node')).not.toHaveProperty('inboxPrefix')
})

test('damaged credentials, and a key and claims that are not of each other, are none', () => {
  const [key, other] = [newNatsKey(), newNatsKey()]
  const jwt = jwtOf({ sub: key.publicKey, name: 'x' })
  expect(readCredentials(credentialsText(jwt, key))).not.toBeNull()
  expect(readCredentials(credentialsText(jwt, other))).toBeNull()
  expect(readCredentials(credentialsText(jwt, { seed: key.seed.slice(0, -1) }))).toBeNull()
  expect(readCredentials(credentialsText('a.b.c', key))).toBeNull()
  expect(readCredentials(credentialsText(jwtOf({ sub: key.publicKey, name: '' }), key))).toBeNull()
  expect(readCredentials('')).toBeNull()
  expect(isNatsUserKey(key.publicKey)).toBe(true)
  expect(isNatsUserKey(`U${'A'.repeat(55)}`)).toBe(false)
})

test('a refusal says what is likely: none, ended, or not taken', () => {
  const say = (credentials: ReturnType<typeof credentialsOf> | null): string =>
    refusalMsg({ ...OPEN_BUS, credentials }, { nowMs: 2_000_000_000_000, cure: 'join' })
  expect(say(null)).toBe('the servers ask for credentials; join')
  expect(say(credentialsOf({}, { exp: 1_900_000_000 }))).toBe(
    'the credentials of plant.n1 ended at 2030-03-17T17:46:40Z; join',
  )
  expect(say(credentialsOf({}, { exp: 2_100_000_000 }))).toBe('the servers refuse the credentials of plant.n1; join')
})
