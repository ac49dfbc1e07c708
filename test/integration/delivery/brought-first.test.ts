import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newPackageKey } from '../../../identity/package-signature.ts'
import { bringToBucket } from '../../../src/commands/bring-to-bucket.ts'
import { LocalPackages } from '../../../src/commands/local-packages.ts'
import type { CloudAddress } from '../../../src/config/cloud-address.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import { NO_IDENTITY } from '../../../src/identity/identity-source.ts'
import { readLocalPackage } from '../../../src/packages/local-package.ts'
import { openRollouts } from '../../../src/rollout/open-rollouts.ts'
import { writePackage } from '../../support/model-package.ts'
import { accessOf, type NatsBus, natsBus } from '../../support/nats-bus.ts'
import { planOf } from '../../support/rollout-plan.ts'

const { signal } = new AbortController()
let dir: string

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brought-'))
  const files = { 'manifest.json': '{}', 'graph.onnx': Buffer.alloc(300_000, 7) }
  await writePackage(join(dir, 'digits'), files, {
    kind: 'model',
    name: 'digits',
    version: '2.0.0',
    keys: [newPackageKey()],
  })
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function regionOf(bus: NatsBus): Promise<CloudAddress> {
  const mia = await bus.member({ kind: 'operator', name: 'mia', role: 'operator', sites: ['plant'] })
  return { name: 'hub', servers: [bus.url], stream: 'EDGE', access: () => accessOf(bus, mia) }
}

/** Rollouts of a fleet without nodes that bring their packages first. */
function rolloutsThatBring(packages: LocalPackages) {
  const fleet = { fleet: new Fleet({ schedule: () => () => undefined }), link: () => undefined }
  const place = { kind: 'folder', dir: join(dir, 'journals') } as const
  const beforeStart = packages.bring.bind(packages)
  return openRollouts({ place, fleet, identity: NO_IDENTITY, holder: 'mia', beforeStart })
}

test('a package of this machine is in the bucket before its rollout stands in the journal, and is sent once', async () => {
  await using bus = await natsBus()
  const cloud = await regionOf(bus)
  const packages = new LocalPackages({ clouds: [cloud], signal })
  const item = await packages.find(join(dir, 'digits'))
  const plan = planOf(
    { canary: ['press-1'] },
    { item, sources: [{ kind: 'nats', bucket: 'packages' }, { kind: 'link' }] },
  )
  expect(packages.isHere(plan)).toBe(true)
  const { service, close } = await rolloutsThatBring(packages)
  await service.start(plan, null)
  expect(await service.list()).toEqual([plan.rollout])
  await close()
  const made = await readLocalPackage(join(dir, 'digits'))
  expect(await bringToBucket(made, { cloud, bucket: 'packages', timeoutMs: 60_000, signal })).toBe(0)
})

test('a rollout whose package cannot be brought is not begun, and says what else can be done', async () => {
  const away = { name: 'hub', servers: ['nats://127.0.0.1:1'], stream: 'EDGE' }
  const packages = new LocalPackages({ clouds: [away], signal })
  const item = await packages.find(join(dir, 'digits'))
  const plan = planOf({ canary: ['press-1'] }, { item, sources: [{ kind: 'nats', bucket: 'packages' }] })
  const { service, close } = await rolloutsThatBring(packages)
  await expect(service.start(plan, null)).rejects.toMatchObject({
    code: 'CLOUD_UNREACHABLE',
    message: expect.stringContaining('hub/packages'),
  })
  expect(await service.list()).toEqual([])
  await close()
  // What was named by its digest, or comes by links alone, is nothing that this console has to bring.
  expect(packages.isHere({ ...plan, sources: [{ kind: 'link' }] })).toBe(false)
  expect(packages.isHere({ ...plan, item: { ...item, digest: 'ab'.repeat(32) } })).toBe(false)
})
