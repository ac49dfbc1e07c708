import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type PackagePlace, type PackageSource, SourceFault } from '../../../edge-daemon/delivery/contract.ts'
import { Delivery } from '../../../edge-daemon/delivery/delivery.ts'
import { IncomingPackages } from '../../../edge-daemon/delivery/incoming-packages.ts'
import { LinkIntake } from '../../../edge-daemon/delivery/link-intake.ts'
import { Pace } from '../../../edge-daemon/delivery/pace.ts'
import type { Taken } from '../../../protocol/delivery.ts'
import { type DeliveryHost, deliveryHost, itemOf } from '../../support/delivery-host.ts'
import { eventually } from '../../support/edge-daemon.ts'

/** An intake over a host's shelf, and a console that brings a package of two files. */
async function scene({ shelf, make }: DeliveryHost, accept: PackagePlace['accept']) {
  const { trust, incoming } = shelf
  const place: PackagePlace = {
    trust,
    incoming,
    accept,
    find: (digest) => shelf.find(digest),
    findWhole: (digest) => shelf.findWhole(digest),
    fileOf: (sha256, bytes) => shelf.fileOf(sha256, bytes),
  }
  const packages = new IncomingPackages({ place, pace: new Pace({ bytesPerSec: null }), room: { keepFreeBytes: 0 } })
  const intake = new LinkIntake(packages)
  const made = await make({ a: 'one', b: 'other' })
  const statement = readFileSync(join(made.folder, 'package.sig'))
  const put = (blob: string, data: Uint8Array): Promise<Taken> =>
    intake.put({ digest: made.digest, blob, offset: 0, data: Buffer.from(data).toString('base64') }, 'mia')
  const file = (path: 'a' | 'b', bytes?: number): Promise<Taken> => {
    const { sha256 = '' } = made.signed.statement.files.find((one) => one.path === path) ?? {}
    return put(sha256, readFileSync(join(made.folder, path)).subarray(0, bytes))
  }
  const offer = async (): Promise<void> => {
    await intake.offer({ item: itemOf(made), statementBytes: statement.length }, 'mia')
    await put('statement', statement)
  }
  return { made, packages, offer, file }
}

test('a console that takes half an hour to bring a package is waited for as long as pieces come', async () => {
  await using host = await deliveryHost()
  const { made, packages, offer, file } = await scene(host, (folder, signed) => host.shelf.accept(folder, signed))
  let minutes = 0
  let rounds = 0
  const down: PackageSource = {
    name: 'a server that is down',
    statement: () => Promise.reject(new SourceFault('away', 'it is down')),
    read: () => {
      rounds += 1
      throw new SourceFault('away', 'it is down')
    },
    close: async () => {},
  }
  const delivery = new Delivery({
    packages,
    open: (source) => (source.kind === 'link' ? [] : [down]),
    log: { info: () => {}, warn: () => {} },
    nowMs: () => minutes * 60_000,
    backoff: { firstMs: 5, maxMs: 5 },
  })
  await offer()
  const sources = [{ kind: 'link' as const }, { kind: 'https' as const, url: 'https://down/' }]
  const run = { signal: new AbortController().signal, progress: () => {} }
  const coming = delivery.deliver({ item: itemOf(made), sources }, run)
  coming.catch(() => {})
  for (const [path, bytes] of [
    ...[1, 2, 3].map((n) => ['a', n] as const),
    ...[1, 2, 3, 4].map((n) => ['b', n] as const),
  ]) {
    await file(path, bytes)
    minutes += 4
    const before = rounds
    await eventually(() => rounds >= before + 2, { what: 'a look at what came' })
  }
  await file('b')
  expect(await coming).toMatchObject({ digest: made.digest })
})

test('a piece that is sent again while the whole package is taken over finds it kept', async () => {
  await using host = await deliveryHost()
  const accepting = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const { offer, file } = await scene(host, async (folder, signed) => {
    accepting.resolve()
    await goOn.promise
    return host.shelf.accept(folder, signed)
  })
  await offer()
  await file('a')
  const last = file('b')
  await accepting.promise
  const again = file('b')
  goOn.resolve()
  expect(await last).toMatchObject({ kept: true })
  expect(await again).toMatchObject({ kept: true })
})

test('what turns out spoilt is thrown away once, and comes whole when it is offered again', async () => {
  await using host = await deliveryHost()
  const { made, offer, file } = await scene(host, (folder, signed) => host.shelf.accept(folder, signed))
  await offer()
  await file('a')
  await writeFile(join(host.shelf.incoming, made.digest, 'tree', 'a'), 'ONE')
  const both = await Promise.allSettled([file('b'), file('b')])
  const refused = { status: 'rejected', reason: expect.objectContaining({ code: 'PACKAGE_INVALID' }) }
  expect(both).toEqual([refused, refused])
  await offer()
  expect(await file('a')).toMatchObject({ kept: false })
  expect(await file('b')).toMatchObject({ kept: true })
  expect(await host.shelf.findWhole(made.digest)).not.toBeNull()
})
