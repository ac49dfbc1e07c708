import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isNatsUserKey, newNatsKey, readCredentials } from '../../../identity/nats-key.ts'
import { type BusTask, runNatsBus } from '../../../src/commands/nats-bus.ts'
import { startNatsServer } from '../../../src/demo/nats-server.ts'
import { createAuthority } from '../../../src/pki/create-authority.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'

const dir = mkdtempSync(join(tmpdir(), 'edgedeck-setup-'))
const out = join(dir, 'bus')
/** What is told of every stream, when sites do not change those of rollouts. */
const streams = (blocks: string, rollouts = blocks): string =>
  `EDGE: ${blocks}\nAUDIT: ${blocks}\nROLLOUT: ${rollouts}\nROLLOUT_LEASE: ${rollouts}\nOBJ_packages: ${rollouts}\n`
const NOTHING = { wishes: { blocks: {}, audit: {} }, apply: false, timeoutMs: 60_000 } as const
let authority: FleetAuthority

beforeAll(async () => {
  authority = await FleetAuthority.create('acme')
})

afterAll(() => {
  authority?.[Symbol.dispose]()
  rmSync(dir, { recursive: true })
})

async function told(task: BusTask): Promise<string> {
  const io = new CapturedIo()
  await runNatsBus(task, io)
  return io.out()
}

const setUp = (more: object = {}): BusTask => ({ what: 'set-up', out, ...NOTHING, ...more })
const user = (more: object = {}): BusTask => ({
  what: 'user',
  dir: out,
  user: { kind: 'node', site: 'plant', node: 'n/1' },
  key: null,
  lifeMs: null,
  out: null,
  ...more,
})

test('a bus is set up, started by a real server, given its streams, and set up again without a key being replaced', async () => {
  const first = {
    fleet: 'acme',
    region: 'eu',
    sites: ['plant'],
    listen: { host: '127.0.0.1', port: 4222 },
    ca: authority.rootFile,
  }
  const said = await told(setUp(first))
  expect(said).toContain('Set up: the bus of acme')
  expect(said).toContain('missing: tls/cert.pem, tls/key.pem')
  for (const name of [
    'seeds.json',
    'issuer.json',
    'setup.json',
    'creds/keeper.creds',
    'creds/system.creds',
    'creds/reader.creds',
  ]) {
    expect([name, statSync(join(out, name)).mode & 0o777]).toEqual([name, 0o600])
  }
  // What a server is given, and what a controller is, holds no seed of an account.
  const seeds = JSON.parse(readFileSync(join(out, 'seeds.json'), 'utf8'))
  const config = readFileSync(join(out, 'nats-server.conf'), 'utf8')
  expect(config).not.toMatch(/\bS[OAU][A-Z2-7]{56}\b/)
  const issuer = JSON.parse(readFileSync(join(out, 'issuer.json'), 'utf8'))
  expect(Object.keys(issuer.signing).toSorted()).toEqual(['admin', 'node', 'operator', 'viewer'])
  expect(JSON.stringify(issuer)).not.toContain(seeds.fleet)

  const { certFile, keyFile } = await authority.service('nats')
  mkdirSync(join(out, 'tls'), { recursive: true })
  copyFileSync(certFile, join(out, 'tls', 'cert.pem'))
  copyFileSync(keyFile, join(out, 'tls', 'key.pem'))
  const server = await startNatsServer({ dir: join(dir, 'run'), configFile: join(out, 'nats-server.conf') })
  try {
    const servers = [`tls://localhost:${server.port}`]
    expect(await told(setUp({ servers, apply: true }))).toContain(streams('created'))
    const kept = ['seeds.json', 'operator.jwt', 'creds/keeper.creds', 'creds/reader.creds'].map((name) =>
      join(out, name),
    )
    const before = kept.map((path) => readFileSync(path, 'utf8'))
    const compared = await told(setUp({ sites: ['Werk.Süd'] }))
    expect(compared).toMatch(
      /of which nothing was changed:\nEDGE: would be updated\n {2}subjects: \["edge\.plant[^\n]* → \[/,
    )
    const again = await told(setUp({ sites: ['Werk.Süd'], apply: true }))
    expect(again).toContain('for the sites plant, Werk.Süd')
    expect(again.replaceAll(/^ {2}subjects: .*\n/gm, '')).toContain(streams('updated', 'as it should be'))
    expect(kept.map((path) => readFileSync(path, 'utf8'))).toEqual(before)
    expect(await told(setUp({ apply: true }))).toContain(streams('as it should be'))
    // A room that was chosen stays, whatever is shared out by then, until another is asked for.
    const chosen = await told(setUp({ wishes: { blocks: { maxBytes: 2e9 }, audit: {} }, apply: true }))
    expect(chosen).toMatch(/EDGE: updated\n {2}max_bytes: 13\.\d GB → 2\.0 GB\nAUDIT: as it should be\n/)
    const later = await told(setUp({ apply: true }))
    expect(later).toMatch(/EDGE: as it should be\n {2}it stays at 2\.0 GB; made now it would get \d+\.\d GB\n/)
    expect(later).not.toContain('updated\n')
    expect(await told(setUp())).toMatch(/nothing was changed:\nEDGE: as it should be\n/)
  } finally {
    await server.kill()
  }
})

test('credentials are made by hand: a file for who has no key, claims alone for who has one, and none for a site that is not held', async () => {
  const said = await told(user())
  const file = join(out, 'creds', 'node-plant-n%2F1.creds')
  expect(said).toContain(file)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const credentials = readCredentials(readFileSync(file, 'utf8'))
  expect(credentials).toMatchObject({ name: 'plant.n=2F1', isOurs: true, domain: 'archive' })
  expect((credentials?.expiresAtMs ?? 0) - Date.now()).toBeGreaterThan(29 * 86_400_000)
  const key = newNatsKey()
  expect(await told(user({ key: key.publicKey }))).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  const flipped = key.publicKey.slice(0, -1) + (key.publicKey.endsWith('A') ? 'B' : 'A')
  expect(isNatsUserKey(flipped)).toBe(false)
  await expect(told(user({ key: flipped }))).rejects.toMatchObject({ code: 'USAGE' })
  await expect(told(user({ user: { kind: 'node', site: 'nowhere', node: 'n' } }))).rejects.toThrow('not for nowhere')
})

test('a folder of another fleet, seeds that others may read, and seeds that are gone are refused with what to do', async () => {
  await expect(told(setUp({ fleet: 'other' }))).rejects.toThrow('holds the bus of the fleet acme, not of other')
  const seeds = join(out, 'seeds.json')
  chmodSync(seeds, 0o640)
  await expect(told(setUp())).rejects.toMatchObject({
    code: 'BUS_UNUSABLE',
    next: [`chmod 600 ${seeds}`, expect.any(String)],
  })
  chmodSync(seeds, 0o600)
  renameSync(seeds, `${seeds}.away`)
  await expect(told(setUp())).rejects.toMatchObject({
    code: 'BUS_UNUSABLE',
    next: ['put the copy back', expect.any(String)],
  })
  renameSync(`${seeds}.away`, seeds)
  await expect(told(user({ dir: join(dir, 'nothing') }))).rejects.toMatchObject({ code: 'BUS_UNUSABLE' })
})

test('the folder of an authority says which fleet the bus is for, and what is told next can be done as it stands', async () => {
  const pki = join(dir, 'pki')
  await createAuthority({
    dir: pki,
    fleet: 'plants',
    rootPassphrase: 'a'.repeat(16),
    issuingPassphrase: 'b'.repeat(16),
    nowMs: Date.now(),
  })
  const own = join(dir, 'own')
  const said = await told(setUp({ out: own, pki, listen: { host: '10.0.0.3', port: 4222 } }))
  expect(said).toContain('Set up: the bus of plants')
  expect(said).toContain(`edgedeck pki service nats-hub --ip 10.0.0.3 --out ${join(own, 'tls')} --dir ${pki}`)
  expect(said).toContain('--servers tls://10.0.0.3:4222 --apply')
  expect(readFileSync(join(own, 'tls', 'ca.pem'), 'utf8')).toBe(readFileSync(join(pki, 'root.pem'), 'utf8'))
  await expect(told(setUp({ out: join(dir, 'none'), ca: join(dir, 'missing.pem') }))).rejects.toThrow('cannot be read')
})
