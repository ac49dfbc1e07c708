import { existsSync } from 'node:fs'
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DeliveryProgress } from '../../../edge-daemon/delivery/contract.ts'
import { newPackageKey } from '../../../identity/package-signature.ts'
import { itemOf, layOut, noise } from '../../support/delivery-host.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { blobsAsked, FILES, fetchFrom, goesOnUntil, isAsMade, MEGABYTE, scene } from '../../support/https-delivery.ts'
import { packageServer } from '../../support/package-server.ts'

describe('a package over HTTP', () => {
  it('comes whole, tells how far it is, and is not fetched twice', async () => {
    await using at = await scene()
    const told: DeliveryProgress[] = []
    const kept = await fetchFrom(at.host, [at.server.url], at.made, { told })
    await isAsMade(kept, at.made)
    const totalBytes = MEGABYTE + 2 + 3000
    expect(told.at(-1)).toEqual({ doneBytes: totalBytes, totalBytes })
    expect(told.map(({ doneBytes }) => doneBytes)).toEqual(told.map(({ doneBytes }) => doneBytes).sort((a, b) => a - b))
    const before = at.server.asked.length
    await fetchFrom(at.host, [at.server.url], at.made)
    expect(at.server.asked).toHaveLength(before)
    expect(await readdir(at.host.shelf.incoming)).toEqual([])
  })

  it('comes over TLS 1.3 from a server of the fleet, and from no other', async () => {
    await using at = await scene()
    const [authority, stranger] = [await FleetAuthority.create(), await FleetAuthority.create()]
    const { certPem: cert, keyPem: key } = await authority.service('web')
    await using server = await packageServer(at.host.web, { cert, key })
    const tls = () => ({ ca: stranger.rootPem, own: null })
    await goesOnUntil(/certificate/, at.host, (signal) => fetchFrom(at.host, [server.url], at.made, { tls, signal }))
    expect(server.asked).toEqual([])
    const kept = await fetchFrom(at.host, [server.url], at.made, { tls: () => ({ ca: authority.rootPem, own: null }) })
    await isAsMade(kept, at.made)
  })

  it('goes on where a cut connection ended', async () => {
    await using at = await scene()
    at.server.faults = { cutsAfter: 300_000 }
    await isAsMade(await fetchFrom(at.host, [at.server.url], at.made), at.made)
    const offsets = blobsAsked(at.server).flatMap((path) => /bytes=(\d+)-/.exec(path)?.[1] ?? [])
    expect(offsets.length).toBeGreaterThanOrEqual(3)
    expect(at.server.sentBytes()).toBeLessThan(1.05 * MEGABYTE + 10_000)
  })

  it('goes on after the process that fetched it is gone', async () => {
    await using at = await scene()
    at.server.faults = { hangsAfter: 600_000 }
    const gone = new AbortController()
    const told: DeliveryProgress[] = []
    const left = fetchFrom(at.host, [at.server.url], at.made, { silenceMs: 60_000, signal: gone.signal, told })
    const refused = expect(left).rejects.toThrow('gone')
    await eventually(() => (told.at(-1)?.doneBytes ?? 0) >= 600_000, { what: 'all that the server gives' })
    gone.abort(new Error('gone'))
    await refused
    at.server.faults = {}
    const again = await at.host.reopen()
    const before = at.server.sentBytes()
    await isAsMade(await fetchFrom(again, [at.server.url], at.made), at.made)
    expect(at.server.sentBytes() - before).toBeLessThan(0.6 * MEGABYTE)
  })

  it('begins anew where a server knows no ranges', async () => {
    await using at = await scene()
    const enough = new AbortController()
    const told: DeliveryProgress[] = []
    told.push = (progress) => {
      if (progress.doneBytes > 300_000) enough.abort(new Error('enough'))
      return 0
    }
    await expect(fetchFrom(at.host, [at.server.url], at.made, { signal: enough.signal, told })).rejects.toThrow(
      'enough',
    )
    at.server.faults = { ignoresRange: true }
    await isAsMade(await fetchFrom(at.host, [at.server.url], at.made), at.made)
    expect(blobsAsked(at.server).some((path) => path.includes('bytes='))).toBe(true)
  })

  it('links what another version brought and fetches only what is new', async () => {
    await using at = await scene()
    const first = await fetchFrom(at.host, [at.server.url], at.made)
    const next = await at.host.make({ ...FILES, 'manifest.json': '{"v":2}' }, { version: '2.0.0' })
    layOut(at.host.web, next)
    const before = at.server.sentBytes()
    const second = await fetchFrom(at.host, [at.server.url], next)
    await isAsMade(second, next)
    expect(at.server.sentBytes() - before).toBeLessThan(5000)
    expect((await stat(join(second.folder, 'model.onnx'))).ino).toBe((await stat(join(first.folder, 'model.onnx'))).ino)
  })

  it('comes anew where it was spoilt on the disk since, and only what was', async () => {
    await using at = await scene()
    const { folder } = await fetchFrom(at.host, [at.server.url], at.made)
    await writeFile(join(folder, 'samples/a.png'), noise(3000, 3))
    const host = await at.host.reopen()
    at.server.asked.length = 0
    await isAsMade(await fetchFrom(host, [at.server.url], at.made), at.made)
    expect(at.server.asked.filter((path) => path.startsWith('/blobs/'))).toHaveLength(1)
  })

  it('comes anew where what came before a restart was spoilt on the disk meanwhile', async () => {
    await using at = await scene()
    at.server.faults = { hangsAfter: 500_000 }
    const aborting = new AbortController()
    const { signal } = aborting
    const fetching = fetchFrom(at.host, [at.server.url], at.made, { signal, silenceMs: 60_000 })
    fetching.catch(() => {})
    const came = join(at.host.shelf.incoming, at.made.digest, 'tree', 'manifest.json')
    await eventually(() => existsSync(came), { what: 'the first file' })
    aborting.abort(new Error('enough'))
    await expect(fetching).rejects.toThrow('enough')
    await writeFile(came, '[]')
    at.server.faults = {}
    const host = await at.host.reopen()
    await isAsMade(await fetchFrom(host, [at.server.url], at.made), at.made)
    expect(await readdir(host.shelf.incoming)).toEqual([])
  })

  it('gives one content to all files that have it, and an empty file to who wants one', async () => {
    await using at = await scene({}, { a: noise(5000), 'b/c': noise(5000), empty: '', 'd/empty': '' })
    const kept = await fetchFrom(at.host, [at.server.url], at.made)
    await isAsMade(kept, at.made)
    expect(blobsAsked(at.server)).toHaveLength(1)
  })
})

describe('a server that misbehaves', () => {
  it('hangs: the next source brings the rest', async () => {
    await using at = await scene()
    await using other = await packageServer(at.host.web)
    at.server.faults = { hangsAfter: 400_000 }
    const kept = await fetchFrom(at.host, [at.server.url, other.url], at.made, { silenceMs: 2000 })
    await isAsMade(kept, at.made)
    expect(other.sentBytes()).toBeLessThan(0.7 * MEGABYTE)
  })

  it('drips a byte now and then: it is left with the figures, and the next source brings the rest', async () => {
    await using at = await scene()
    await using other = await packageServer(at.host.web)
    at.server.faults = { dripsAfter: 400_000 }
    // So generous that only a server that drips is below it.
    const slow = { silenceMs: 60_000, leastRate: { windowMs: 300, leastBytes: 5000 } }
    await isAsMade(await fetchFrom(at.host, [at.server.url, other.url], at.made, slow), at.made)
    expect(at.host.said.join()).toMatch(/only \d+ bytes came/)
    expect(other.sentBytes(), 'it goes on where the first was left').toBeLessThan(0.7 * MEGABYTE)
  })

  it('only drips: what comes so is no getting on, and the delivery ends with what it came to', async () => {
    await using at = await scene()
    at.server.faults = { dripsAfter: 0 }
    const slow = { silenceMs: 60_000, leastRate: { windowMs: 200, leastBytes: 5000 } }
    let timeMs = 0
    // Two minutes a round, of ten that it is waited for something to come.
    const nowMs = (): number => {
      timeMs += 120_000
      return timeMs
    }
    const failed = fetchFrom(at.host, [at.server.url], at.made, { ...slow, waits: { nowMs, patienceMs: 600_000 } })
    await expect(failed).rejects.toMatchObject({
      code: 'PACKAGE_MISSING',
      message: expect.stringMatching(/only \d+ bytes came in \d+\.\d s, and at least 25000 a second must/),
    })
    const before = blobsAsked(at.server)
    expect(before.length, 'it was asked again before').toBeGreaterThan(1)
    at.server.faults = {}
    await isAsMade(await fetchFrom(at.host, [at.server.url], at.made), at.made)
    expect(blobsAsked(at.server).join(), 'what dripped was kept').toContain('bytes=')
  })

  it('lies about the length: nothing of it is believed', async () => {
    await using at = await scene()
    at.server.faults = { lengthLie: 1000 }
    await expect(fetchFrom(at.host, [at.server.url], at.made)).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
    expect(await at.host.shelf.find(at.made.digest)).toBeNull()
  })

  it('serves other bytes: they are thrown away, and another source is asked', async () => {
    await using at = await scene()
    await using other = await packageServer(at.host.web)
    at.server.faults = { otherBytes: true }
    await expect(fetchFrom(at.host, [at.server.url], at.made)).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
    await isAsMade(await fetchFrom(at.host, [at.server.url, other.url], at.made), at.made)
  })

  it('begins with other bytes and breaks off: the good source is not blamed for it', async () => {
    await using at = await scene()
    await using other = await packageServer(at.host.web)
    at.server.faults = { otherBytes: true, cutsAfter: 500_000 }
    await isAsMade(await fetchFrom(at.host, [at.server.url, other.url], at.made), at.made)
  })

  it('has it not: said after a few rounds, with what each source answered', async () => {
    await using at = await scene()
    at.server.faults = { status: 404 }
    const failed = fetchFrom(at.host, [at.server.url], at.made)
    await expect(failed).rejects.toMatchObject({ code: 'PACKAGE_MISSING', message: expect.stringContaining('404') })
  })

  it('is down for a while: it is waited for', async () => {
    await using at = await scene()
    at.server.faults = { status: 503 }
    const coming = fetchFrom(at.host, [at.server.url], at.made)
    await eventually(() => at.server.asked.length > 4)
    at.server.faults = {}
    await isAsMade(await coming, at.made)
  })

  it('redirects elsewhere: that is not followed', async () => {
    await using at = await scene()
    at.server.faults = { status: 302 }
    await goesOnUntil(/302/, at.host, (signal) => fetchFrom(at.host, [at.server.url], at.made, { signal }))
  })
})

describe('what is not trusted', () => {
  it('is refused by its statement, before anything else is asked for', async () => {
    await using at = await scene()
    const made = await at.host.make(FILES, { version: '3.0.0', keys: [newPackageKey()] })
    layOut(at.host.web, made)
    await expect(fetchFrom(at.host, [at.server.url], made)).rejects.toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
    expect(blobsAsked(at.server)).toEqual([])
    const unsigned = await at.host.make(FILES, { version: '3.0.1', keys: [] })
    layOut(at.host.web, unsigned)
    await expect(fetchFrom(at.host, [at.server.url], unsigned)).rejects.toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
  })

  it('is everything on a node that trusts nobody', async () => {
    await using at = await scene({ trust: [] })
    const failed = fetchFrom(at.host, [at.server.url], at.made)
    await expect(failed).rejects.toMatchObject({
      code: 'PACKAGE_UNTRUSTED',
      message: expect.stringContaining('no key'),
    })
  })

  it('is a good package under the name of another', async () => {
    await using at = await scene()
    const item = { ...itemOf(at.made), version: '9.9.9' }
    const signed = { ...at.made.signed, statement: { ...at.made.signed.statement, version: item.version } }
    const failed = fetchFrom(at.host, [at.server.url], { signed, digest: at.made.digest })
    await expect(failed).rejects.toMatchObject({ code: 'PACKAGE_INVALID', message: expect.stringContaining('1.0.0') })
    expect(blobsAsked(at.server)).toEqual([])
  })

  it('is plain HTTP over a network', async () => {
    await using at = await scene()
    const failed = fetchFrom(at.host, ['http://192.0.2.1:9/'], at.made)
    await expect(failed).rejects.toMatchObject({ message: expect.stringContaining('upstream.insecure') })
  })
})
