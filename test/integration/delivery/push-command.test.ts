import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { packageKeyText, signPackage } from '../../../identity/package-signature.ts'
import { readPackageFile } from '../../../packages/verify-folder.ts'
import { packagesConfiguration } from '../../../protocol/stream-config.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import { runModel } from '../../../src/commands/model.ts'
import { type PushPlace, runModelPush } from '../../../src/commands/model-push.ts'
import { readLocalPackage } from '../../../src/packages/local-package.ts'
import { writePackageFile } from '../../../src/packages/pack-folder.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { noise, PACKAGE_KEY } from '../../support/delivery-host.ts'
import { DaemonHome, SOURCE } from '../../support/edge-daemon.ts'
import { edgedeck } from '../../support/edgedeck.ts'
import { type WrittenPackage, writePackage } from '../../support/model-package.ts'
import { natsFixture } from '../../support/nats-server.ts'

let home: DaemonHome
let made: WrittenPackage

beforeEach(async () => {
  home = new DaemonHome()
  made = await writePackage(
    join(home.dir, 'made'),
    { 'model.onnx': noise(600_000), 'manifest.json': '{}', copy: '{}' },
    { keys: [PACKAGE_KEY] },
  )
})
afterEach(() => home[Symbol.asyncDispose]())

async function push(
  to: PushPlace,
  {
    servers = [],
    nodes = {},
    folder = made.folder,
  }: { servers?: string[]; nodes?: Record<string, string>; folder?: string } = {},
) {
  const io = new CapturedIo()
  const isWhole = await runModelPush(
    {
      folder,
      to,
      clouds: servers.map((server, n) => ({ name: `r${n}`, servers: [server], stream: 'EDGE' })),
      nodesOf: async (names) =>
        Object.entries(nodes)
          .filter(([key]) => names.length === 0 || names.includes(key))
          .map(([key, url]) => ({ key, url })),
      access: { version: '0.0.0' },
      format: 'json',
      timeoutMs: 60_000,
    },
    io,
  )
  return { isWhole, rows: JSON.parse(io.out()) as { to: string; what: string; bytes: number; note: string }[] }
}

it('lays a folder out once, and writes only what is new', async () => {
  const web = join(home.dir, 'web')
  const { signed, digest } = made
  expect(await push({ kind: 'folder', folder: web })).toMatchObject({ isWhole: true, rows: [{ what: 'pushed' }] })
  for (const { path, sha256 } of signed.statement.files) {
    expect((await readFile(join(web, 'blobs', sha256))).equals(await readFile(join(made.folder, path)))).toBe(true)
  }
  expect(JSON.parse(await readFile(join(web, 'packages', digest), 'utf8'))).toEqual(signed)
  expect((await push({ kind: 'folder', folder: web })).rows).toMatchObject([{ what: 'there' }])
})

it.runIf(process.platform === 'linux')('ends with what the system says where no folder can be made', async () => {
  await expect(push({ kind: 'folder', folder: '/proc/x' })).rejects.toMatchObject({
    code: 'OUTPUT_REFUSED',
    message: expect.stringMatching(/^\/proc\/x cannot be written: .*ENOENT/),
  })
})

it('brings it to the bucket of each region, and tells of the region that is not there', async () => {
  await using server = await natsFixture()
  await server.operate((manager) => manager.streams.add({ ...packagesConfiguration({ maxBytes: 1e8 }) } as never))
  const servers = [server.url, 'nats://127.0.0.1:1']
  const first = await push({ kind: 'bucket', bucket: 'packages' }, { servers })
  expect(first).toMatchObject({ isWhole: false, rows: [{ to: 'r0/packages', what: 'pushed' }, { what: 'failed' }] })
  expect(first.rows[0]?.bytes).toBeGreaterThan(600_000)
  const again = await push({ kind: 'bucket', bucket: 'packages' }, { servers: servers.slice(0, 1) })
  expect(again).toMatchObject({ isWhole: true, rows: [{ what: 'there', bytes: 0 }] })
})

it('brings it to the bucket of the bus of a context that names no region', async () => {
  await using server = await natsFixture()
  await server.operate((manager) => manager.streams.add({ ...packagesConfiguration({ maxBytes: 1e8 }) } as never))
  const config = join(home.dir, 'config.yaml')
  await writeFile(config, JSON.stringify({ context: 'acme', contexts: { acme: { nats: { servers: [server.url] } } } }))
  const { code, stdout, stderr } = await edgedeck([
    'model',
    'push',
    made.folder,
    '--timeout',
    '60s',
    '--config',
    config,
  ])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^nats\/packages +pushed/m)
})

it('brings it to nodes over their links, and tells why one does not take it', async () => {
  home.configure({ 'models.trust': [packageKeyText(PACKAGE_KEY)], 'delivery.keepFree': '1KB' })
  await using other = new DaemonHome()
  const [first, second] = await Promise.all([home.serve({ program: SOURCE }), other.serve({ program: SOURCE })])
  const nodes = { n1: first.liveUrl, n2: second.liveUrl }
  const { isWhole, rows } = await push({ kind: 'nodes', names: [] }, { nodes })
  expect(isWhole).toBe(false)
  expect(rows).toMatchObject([
    { to: 'n1', what: 'pushed' },
    { to: 'n2', what: 'failed', code: 'PACKAGE_UNTRUSTED', note: expect.stringContaining('models.trust') },
  ])
  const kept = join(home.stateDir, 'packages', made.digest, 'model.onnx')
  expect((await readFile(kept)).equals(await readFile(join(made.folder, 'model.onnx')))).toBe(true)
  expect((await push({ kind: 'nodes', names: ['n1'] }, { nodes })).rows).toMatchObject([{ what: 'there', bytes: 0 }])
})

it('sends nothing that nobody signed or that is damaged, and asks for a region where it needs one', async () => {
  const unsigned = await writePackage(join(home.dir, 'unsigned'), { a: 'a' })
  const to = { kind: 'folder', folder: join(home.dir, 'web') } as const
  await expect(push(to, { folder: unsigned.folder })).rejects.toMatchObject({ code: 'PACKAGE_UNTRUSTED' })
  await writePackage(join(home.dir, 'damaged'), { a: 'a' }, { keys: [PACKAGE_KEY] })
  await writeFile(join(home.dir, 'damaged', 'a'), 'b')
  await expect(push(to, { folder: join(home.dir, 'damaged') })).rejects.toMatchObject({ code: 'PACKAGE_INVALID' })
  await expect(push({ kind: 'bucket', bucket: 'packages' })).rejects.toMatchObject({ code: 'USAGE' })
})

it('packs configuration, signs it, and pushes it as it does a model', async () => {
  const file = join(home.dir, 'plant.yaml')
  await writeFile(file, 'filter:\n  minConfidence: 0.8\n')
  const out = join(home.dir, 'plant')
  const asked = readCommandLine(['config', 'pack', file, '--name', 'plant', '--release', '3', '--out', out], '0')
  if (asked.kind !== 'model') throw new TypeError('it is about packages')
  const io = new CapturedIo()
  await runModel(asked.task, { file: null, env: undefined, ask: null }, io)
  expect(io.err()).toContain('nobody has signed it')
  await expect(push({ kind: 'folder', folder: join(home.dir, 'web') }, { folder: out })).rejects.toMatchObject({
    code: 'PACKAGE_UNTRUSTED',
  })
  writePackageFile(out, signPackage(await readPackageFile(out), PACKAGE_KEY))
  expect(await push({ kind: 'folder', folder: join(home.dir, 'web') }, { folder: out })).toMatchObject({
    isWhole: true,
  })
  const { digest, statement } = await readLocalPackage(out)
  expect(io.out()).toBe(`${digest}\n`)
  expect(statement).toMatchObject({ kind: 'config', name: 'plant', version: '3' })
  await writeFile(file, 'filter: [\n')
  const broken = { ...asked.task, out: join(home.dir, 'other') } as typeof asked.task
  await expect(runModel(broken, { file: null, env: undefined, ask: null }, io)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  })
})

it.each([
  ['nats', { kind: 'bucket', bucket: 'packages' }],
  ['nats:other', { kind: 'bucket', bucket: 'other' }],
  ['nodes', { kind: 'nodes', names: [] }],
  ['nodes:a,b', { kind: 'nodes', names: ['a', 'b'] }],
  ['./web', { kind: 'folder', folder: './web' }],
])('understands --to %s', (to, place) => {
  expect(readCommandLine(['model', 'push', './p', '--to', to], '0')).toMatchObject({ kind: 'model-push', to: place })
})
