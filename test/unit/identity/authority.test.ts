import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { revokedBy, verifyDenyList } from '../../../identity/deny-list.ts'
import { isSameKey, newKey } from '../../../identity/keys.ts'
import { makeRequest, readRequest } from '../../../identity/request.ts'
import { verifyPinnedBundle } from '../../../identity/trust-bundle.ts'
import { namedBy, verifyChain } from '../../../identity/verify.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'

let authority: FleetAuthority
beforeAll(async () => {
  authority = await FleetAuthority.create()
})
afterAll(() => authority[Symbol.dispose]())

describe('a fleet authority', () => {
  it('issues what its trust believes, for the use it is for', async () => {
    const node = await authority.node('工厂/一', 'press.4')
    const mia = await authority.operator('mia', { sites: ['plant-a'] })
    const at = { trust: authority.trust(), nowMs: Date.now() }
    expect(verifyChain(node.chain, { ...at, use: 'server' })).toMatchObject({ ok: true, named: node.named })
    expect(verifyChain(node.chain, { ...at, use: 'client' })).toMatchObject({ ok: true })
    expect(verifyChain(mia.chain, { ...at, use: 'client' })).toMatchObject({ ok: true, named: mia.named })
    expect(verifyChain(mia.chain, { ...at, use: 'server' })).toMatchObject({ ok: false, why: 'misused' })
  })

  it('is believed by the platform too', async () => {
    const controller = await authority.controller()
    const mia = await authority.operator('mia')
    const server = createServer({
      key: controller.keyPem,
      cert: controller.certPem,
      ca: authority.rootPem,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const welcomed = once(server, 'secureConnection') as Promise<[TLSSocket]>
    const client = connect({ host: 'localhost', port, key: mia.keyPem, cert: mia.certPem, ca: authority.rootPem })
    await once(client, 'secureConnect')
    const [socket] = await welcomed
    const shown = socket.getPeerX509Certificate()
    expect(shown && namedBy(shown)).toEqual(mia.named)
    client.destroy()
    server.close()
  })

  it('makes requests that prove their key', async () => {
    const key = newKey()
    const read = await readRequest(await makeRequest(key))
    expect(read.ok && isSameKey(read.publicKey, key)).toBe(true)
  })

  it('signs trust and denial that its members take', async () => {
    expect(verifyPinnedBundle(authority.bundle, { fleet: 'acme', pin: authority.pin })).toMatchObject({ ok: true })
    const mia = await authority.operator('revoked')
    const list = authority.deny({ names: [{ name: 'operator/revoked', before: Date.now(), why: 'left' }] })
    expect(verifyDenyList(list, { trust: authority.trust(), held: null })).toMatchObject({ ok: true })
    expect(revokedBy(list)(mia.certificate, mia.named)).toBe('operator/revoked was revoked: left')
    const again = await authority.operator('revoked')
    expect(revokedBy(list)(again.certificate, again.named)).toBeNull()
  })
})
