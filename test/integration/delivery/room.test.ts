import { existsSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DeliveryProgress } from '../../../edge-daemon/delivery/contract.ts'
import { layOut, noise } from '../../support/delivery-host.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { blobsAsked, FILES, fetchFrom, isAsMade, MEGABYTE, scene } from '../../support/https-delivery.ts'

describe('room and pace', () => {
  it('asks for room before the first blob, and says the figures', async () => {
    await using at = await scene({ keepFreeBytes: 2 * MEGABYTE, freeBytes: async () => 2.5 * MEGABYTE })
    const failed = fetchFrom(at.host, [at.server.url], at.made)
    await expect(failed).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringMatching(/1\.0 MB .* 2\.5 MB are free and 2\.0 MB must stay free/),
    })
    expect(blobsAsked(at.server)).toEqual([])
  })

  it('takes the room of what came of others that nobody brings any more, and only where that is enough', async () => {
    let freeBytes = 1000 * MEGABYTE
    await using at = await scene({ freeBytes: async () => freeBytes - leftBytes() })
    const leftBytes = (): number => (existsSync(join(at.host.shelf.incoming, at.made.digest)) ? 0.5 * MEGABYTE : 0)
    const aborting = new AbortController()
    const { signal } = aborting
    at.server.faults = { hangsAfter: 500_000 }
    const told: DeliveryProgress[] = []
    const left = fetchFrom(at.host, [at.server.url], at.made, { signal, told, silenceMs: 60_000 })
    left.catch(() => {})
    const came = (): number => told.at(-1)?.doneBytes ?? 0
    await eventually(() => came() >= 0.5 * MEGABYTE, { what: 'half of it' })
    at.server.faults = {}
    const other = await at.host.make({ 'model.onnx': noise(MEGABYTE, 9) }, { version: '2.0.0' })
    layOut(at.host.web, other)
    const refused = { code: 'DISK_FULL', message: expect.stringContaining('1.0 MB are to come') }
    // Somebody still brings it.
    freeBytes = MEGABYTE
    await expect(fetchFrom(at.host, [at.server.url], other)).rejects.toMatchObject(refused)
    aborting.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    freeBytes = 0.6 * MEGABYTE
    await expect(fetchFrom(at.host, [at.server.url], other)).rejects.toMatchObject(refused)
    expect(await readdir(at.host.shelf.incoming)).toContain(at.made.digest)
    freeBytes = 1.1 * MEGABYTE
    await isAsMade(await fetchFrom(at.host, [at.server.url], other), other)
    expect(await readdir(at.host.shelf.incoming)).toEqual([])
  })

  it('ends where others take the disk meanwhile, and goes on from there when they gave it back', async () => {
    const keepFreeBytes = 10 * MEGABYTE
    let sentBytes = () => 0
    let areOthersThere = true
    const freeBytes = async () => (areOthersThere && sentBytes() > MEGABYTE ? keepFreeBytes - 1 : 1000 * MEGABYTE)
    const files = { ...FILES, 'model.onnx': noise(9 * MEGABYTE) }
    await using at = await scene({ keepFreeBytes, freeBytes }, files)
    sentBytes = () => at.server.sentBytes()
    await expect(fetchFrom(at.host, [at.server.url], at.made)).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining('10.0 MB must stay free'),
    })
    const before = sentBytes()
    areOthersThere = false
    await isAsMade(await fetchFrom(at.host, [at.server.url], at.made), at.made)
    expect(sentBytes() - before).toBeLessThan(6 * MEGABYTE)
  })

  it('keeps below its cap', async () => {
    const bytesPerSec = 1.2 * MEGABYTE
    await using at = await scene({ bytesPerSec })
    const beganMs = performance.now()
    await fetchFrom(at.host, [at.server.url], at.made)
    const ratePerSec = (MEGABYTE * 1000) / (performance.now() - beganMs)
    expect(ratePerSec / bytesPerSec).toBeLessThan(1.5)
  })

  it('ends at once when it is called off, also in the middle of a wait for its cap', async () => {
    // A piece of the model is paid for by minutes.
    await using at = await scene({ bytesPerSec: 100 })
    const called = new AbortController()
    const told: DeliveryProgress[] = []
    const failed = fetchFrom(at.host, [at.server.url], at.made, { signal: called.signal, told })
    const refused = expect(failed).rejects.toThrow('called off')
    await eventually(() => (told.at(-1)?.doneBytes ?? 0) > 0, { what: 'it waits' })
    called.abort(new Error('called off'))
    const calledMs = performance.now()
    await refused
    expect(performance.now() - calledMs).toBeLessThan(20_000)
    expect(readFileSync(join(at.host.shelf.incoming, at.made.digest, 'package.sig'), 'utf8')).toContain('signatures')
  })
})
