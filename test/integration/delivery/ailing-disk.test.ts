import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { HttpsSource } from '../../../edge-daemon/delivery/https-source.ts'
import { ailing } from '../../support/ailing-disk.ts'
import { type DeliveryHost, deliveryHost, itemOf, layOut, noise } from '../../support/delivery-host.ts'
import { eventually } from '../../support/edge-daemon.ts'
import type { WrittenPackage } from '../../support/model-package.ts'
import { packageServer } from '../../support/package-server.ts'

vi.mock('node:fs/promises', async (original) => {
  const { ailingFiles } = await import('../../support/ailing-disk.ts')
  return ailingFiles(original)
})
afterEach(() => ailing.clear())

function fetchFrom(host: DeliveryHost, url: string, made: WrittenPackage, patienceMs = 600_000) {
  const open = () => [new HttpsSource({ url, tls: () => ({ ca: null, own: null }), insecure: false })]
  const wish = { item: itemOf(made), sources: [{ kind: 'https' as const, url }] }
  const { signal } = new AbortController()
  return host.delivery(open, { patienceMs }).deliver(wish, { signal, progress: () => {} })
}

describe('a disk that does not give a file for a while', () => {
  it('costs no new delivery of what lies there: it is looked at again, and the disk is quoted', async () => {
    await using host = await deliveryHost()
    await using server = await packageServer(host.web)
    const made = await host.make({ weights: noise(1000) })
    layOut(host.web, made)
    await fetchFrom(host, server.url, made)
    server.asked.length = 0
    ailing.set(join('packages', made.digest, 'weights'), { call: 'read', code: 'EIO' })
    const coming = fetchFrom(host, server.url, made)
    await eventually(() => host.said.filter((line) => line.includes('EIO')).length >= 2, { what: 'two looks' })
    ailing.clear()
    await coming
    expect(server.asked, 'nothing was fetched').toEqual([])
    ailing.set(join('packages', made.digest, 'weights'), { call: 'read', code: 'EIO' })
    await expect(fetchFrom(host, server.url, made, 200), 'given up in the end').rejects.toMatchObject({
      code: 'PACKAGE_UNREAD',
      message: expect.stringContaining('EIO'),
    })
  })

  it('costs nothing of what just came either', async () => {
    await using host = await deliveryHost()
    await using server = await packageServer(host.web)
    const made = await host.make({ weights: noise(1000) })
    layOut(host.web, made)
    ailing.set(join(made.digest, 'tree', 'weights'), { call: 'open', code: 'EMFILE' })
    const coming = fetchFrom(host, server.url, made)
    await eventually(() => host.said.some((line) => line.includes('EMFILE')), { what: 'a look that failed' })
    expect(existsSync(join(host.shelf.incoming, made.digest, 'tree', 'weights'))).toBe(true)
    ailing.clear()
    await coming
    expect(server.asked.filter((path) => path.startsWith('/blobs/'))).toHaveLength(1)
  })
})
