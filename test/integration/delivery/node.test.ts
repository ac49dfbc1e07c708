import { randomUUID } from 'node:crypto'
import { existsSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { packageKeyText } from '../../../identity/package-signature.ts'
import { readLocalPackage } from '../../../src/packages/local-package.ts'
import { type LinkRoute, type NodeAnswer, pushOverLink } from '../../../src/packages/push-link.ts'
import { itemOf, layOut, noise, PACKAGE_KEY } from '../../support/delivery-host.ts'
import { DaemonHome, eventually, postPicture, SOURCE } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'
import { type WrittenPackage, writePackage } from '../../support/model-package.ts'
import { type PackageServer, packageServer } from '../../support/package-server.ts'
import { samplePicture } from '../../support/pictures.ts'
import { tcpLink } from '../../support/tcp-link.ts'

const MEGABYTE = 1_000_000

let home: DaemonHome
let made: WrittenPackage
let server: PackageServer
const sessions: TestConsole[] = []

beforeEach(async () => {
  home = new DaemonHome()
  const web = join(home.dir, 'web')
  made = await writePackage(
    join(home.dir, 'made'),
    { 'model.onnx': noise(4 * MEGABYTE), 'manifest.json': '{}' },
    { keys: [PACKAGE_KEY], version: '7.0.0' },
  )
  layOut(web, made)
  server = await packageServer(web)
  trusting({})
})
afterEach(async () => {
  for (const session of sessions.splice(0)) session.close()
  await server[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

function trusting(more: Record<string, unknown>): void {
  home.configure({ 'models.trust': [packageKeyText(PACKAGE_KEY)], 'delivery.keepFree': '1KB', ...more })
}

async function look(url: string): Promise<TestConsole> {
  const session = await TestConsole.open(url)
  sessions.push(session)
  return session
}

async function ask(session: TestConsole, verb: string, args: object): Promise<NodeAnswer> {
  const id = randomUUID()
  session.send({ t: 'command', id, verb, args })
  const answer = () => session.frames.find((one) => 'id' in one && one.id === id)
  try {
    await eventually(() => answer() !== undefined || session.closed !== null, { what: verb })
  } catch {
    return { ok: false, code: 'NODE_UNREACHABLE', message: 'no answer', next: [] }
  }
  const found = answer()
  if (found?.t === 'done') return { ok: true, result: found.result }
  if (found?.t === 'error') return { ok: false, code: found.code, message: found.msg, next: found.next }
  return { ok: false, code: 'NODE_UNREACHABLE', message: 'the link is gone', next: [] }
}

function routeOver(session: () => Promise<TestConsole> | TestConsole, more: Partial<LinkRoute> = {}): LinkRoute {
  return {
    command: async (verb, args) => ask(await session(), verb, args),
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    ...more,
  }
}

function shelved(): string {
  return join(home.stateDir, 'packages', made.digest)
}

function partBytes(): number {
  const [blob] = made.signed.statement.files.filter(({ bytes }) => bytes > MEGABYTE)
  const part = join(home.stateDir, 'packages', 'incoming', made.digest, 'parts', blob?.sha256 ?? '')
  return existsSync(part) ? statSync(part).size : 0
}

const STAGE = { rollout: 'r1', term: 1 }

describe('a daemon that is told to fetch a package', () => {
  it('goes on after kill -9 in the middle, and fetches nothing twice', async () => {
    server.faults = { hangsAfter: 2 * MEGABYTE }
    const first = await home.serve({ program: SOURCE })
    const stage = { ...STAGE, item: itemOf(made), sources: [{ kind: 'https', url: server.url }] }
    await ask(await look(first.liveUrl), 'change.stage', stage)
    await eventually(() => partBytes() > MEGABYTE, { what: 'a quarter of it' })
    first.daemon.kill()
    await first.daemon.ended
    const sentBefore = server.sentBytes()
    server.faults = {}
    const second = await home.serve({ program: SOURCE })
    await ask(await look(second.liveUrl), 'change.stage', stage)
    await eventually(() => existsSync(shelved()), { what: 'the whole of it' })
    expect(server.asked.some((path) => / bytes=\d{7}-$/.test(path))).toBe(true)
    expect(server.sentBytes() - sentBefore).toBeLessThan(3.1 * MEGABYTE)
    expect((await readdir(shelved())).sort()).toEqual(['manifest.json', 'model.onnx', 'package.sig'])
  })

  it('keeps below its cap', async () => {
    trusting({ 'delivery.maxKbps': 16_000 })
    const { liveUrl } = await home.serve({ program: SOURCE })
    const beganMs = performance.now()
    const stage = { ...STAGE, item: itemOf(made), sources: [{ kind: 'https', url: server.url }] }
    await ask(await look(liveUrl), 'change.stage', stage)
    await eventually(() => existsSync(shelved()), { what: 'the whole of it' })
    const ratio = (4 * MEGABYTE * 8) / (performance.now() - beganMs) / 16_000
    expect(ratio).toBeLessThan(1.3)
  })
})

describe('a disk that is too small', () => {
  it('refuses a package with the figures before it is fetched, and goes on answering', async () => {
    trusting({ 'delivery.keepFree': '6MB', 'store.maxBytes': '4MB', 'store.segmentBytes': '1MB' })
    const served = await home.serve({ program: SOURCE, under: onSmallDisk(home.stateDir, 8_000_000) })
    const session = await look(served.liveUrl)
    session.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10_000 })
    await ask(session, 'change.stage', { ...STAGE, item: itemOf(made), sources: [{ kind: 'https', url: server.url }] })
    const change = () => session.of('status').at(-1)?.changes?.change
    await session.until(() => change()?.phase === 'failed')
    expect(change()?.fault?.msg).toMatch(/4\.0 MB are to come .* MB are free and 6\.0 MB must stay free/)
    expect(server.asked.filter((path) => path.startsWith('/blobs'))).toEqual([])
    expect((await postPicture(served.inferUrl, samplePicture(3))).code).toBe(200)
  })

  it('that fills up on the way is told as full, and what came is gone on with when there is room', async () => {
    const { promise: until, resolve: goOn } = Promise.withResolvers<void>()
    server.faults = { waits: { afterBytes: 2 * MEGABYTE, until } }
    trusting({
      'delivery.keepFree': '1KB',
      'store.maxBytes': '4MB',
      'store.segmentBytes': '1MB',
    })
    const filler = join(home.stateDir, 'filler')
    const served = await home.serve({ program: SOURCE, under: onSmallDisk(home.stateDir, 10_000_000) })
    const inside = `/proc/${served.daemon.child.pid}/root${filler}`
    const session = await look(served.liveUrl)
    session.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10_000 })
    const stage = { ...STAGE, item: itemOf(made), sources: [{ kind: 'https', url: server.url }] }
    await ask(session, 'change.stage', stage)
    const change = () => session.of('status').at(-1)?.changes?.change
    // All that came is written, so that what is free is not taken by more of it.
    await session.until(() => (change()?.progress?.doneBytes ?? 0) >= 2 * MEGABYTE)
    const { bavail, bsize } = statfsSync(dirname(inside))
    writeFileSync(inside, Buffer.alloc(bavail * bsize - 256 * 1024))
    goOn()
    await session.until(() => change()?.phase === 'failed')
    expect(change()?.fault?.msg).toMatch(/DISK_FULL|full/)
    rmSync(inside)
    const before = server.sentBytes()
    // Until the store has seen that there is room, nothing can be written down, and so nothing is done.
    await eventually(async () => (await ask(session, 'change.stage', stage)).ok, { what: 'room' })
    await session.until(() => change()?.phase === 'failed' && change()?.fault?.msg.includes('manifest') === true)
    expect(server.sentBytes() - before).toBeLessThan(3.1 * MEGABYTE)
  })
})

/** A command line that gives a daemon a disk of its own of this size, for its state folder. */
function onSmallDisk(dir: string, sizeBytes: number): string[] {
  const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user']
  return [
    'unshare',
    '--mount',
    ...asRoot,
    'sh',
    '-c',
    `mount -t tmpfs -o size=${sizeBytes} tmpfs "$0" && exec "$@"`,
    dir,
  ]
}

describe('a package that a console brings', () => {
  it('comes whole over a link that is cut on the way, and the audit names it once for each offer', async () => {
    const { liveUrl } = await home.serve({ program: SOURCE })
    await using link = await tcpLink(Number(new URL(liveUrl).port))
    link.shape({ kbitPerSec: 40_000, delayMs: 5 })
    const through = liveUrl.replace(/:\d+/, `:${link.port}`)
    let session: Promise<TestConsole> | null = null
    let mended: Promise<void> | null = null
    // Several puts are under way at a time, and they share the next connection.
    const connected = async (): Promise<TestConsole> => {
      const before = session
      if (before !== null && (await before).closed === null) return before
      if (session === before) session = Promise.resolve(mended).then(() => look(through))
      return session as Promise<TestConsole>
    }
    const pushed = (): void => {
      if (mended !== null || partBytes() < MEGABYTE) return
      link.cut()
      mended = link.mend()
    }
    const outcome = await pushOverLink(await readLocalPackage(made.folder), routeOver(connected, { pushed }))
    expect(outcome).toMatchObject({ ok: true })
    expect(outcome.bytes).toBeLessThan(4.3 * MEGABYTE)
    expect(link.connections()).toBe(2)
    expect((await readdir(shelved())).sort()).toEqual(['manifest.json', 'model.onnx', 'package.sig'])
    const again = await pushOverLink(await readLocalPackage(made.folder), routeOver(connected))
    expect(again).toEqual({ ok: true, bytes: 0 })
    const reader = await look(liveUrl)
    reader.send({ t: 'read', id: 'a', topic: 'audit', fromMs: 0, toMs: Date.now() + 60_000, limit: 1000 })
    await reader.until(() => reader.of('end').length > 0)
    const told = JSON.stringify(reader.rows('a'))
    // Before and after each of three offers, and nothing of the puts.
    expect(told.match(/"verb":"package\.offer"/g)).toHaveLength(6)
    expect(told).not.toContain('package.put')
  })

  it('ends the wait of a rollout that has it brought', async () => {
    const { liveUrl } = await home.serve({ program: SOURCE })
    const session = await look(liveUrl)
    session.send({ t: 'subscribe', id: 's', topic: 'status', credits: 10_000 })
    await ask(session, 'change.stage', { ...STAGE, item: itemOf(made), sources: [{ kind: 'link' }] })
    const phase = () => session.of('status').at(-1)?.changes?.change?.phase
    await session.until(() => phase() === 'staging')
    expect(
      await pushOverLink(
        await readLocalPackage(made.folder),
        routeOver(() => session),
      ),
    ).toMatchObject({ ok: true })
    // It is here, and no model.
    await session.until(() => phase() === 'failed')
    expect(session.of('status').at(-1)?.changes?.change?.fault?.msg).toContain('manifest')
  })

  it('is refused where nobody is trusted, where it was not offered, and where it is another one', async () => {
    trusting({ 'models.trust': [] })
    const first = await home.serve({ program: SOURCE })
    const package_ = await readLocalPackage(made.folder)
    const untrusting = await look(first.liveUrl)
    expect(
      await pushOverLink(
        package_,
        routeOver(() => untrusting),
      ),
    ).toMatchObject({ ok: false, code: 'PACKAGE_UNTRUSTED' })
    first.daemon.kill()
    await first.daemon.ended
    trusting({})
    const second = await home.serve({ program: SOURCE })
    const session = await look(second.liveUrl)
    const data = Buffer.from('x').toString('base64')
    const put = { digest: made.digest, blob: package_.blobs[0]?.sha256, offset: 0, data }
    expect(await ask(session, 'package.put', put)).toMatchObject({ code: 'CHANGE_UNFIT' })
    await ask(session, 'package.offer', { item: itemOf(made), statementBytes: 1 })
    expect(await ask(session, 'package.put', put)).toEqual({ ok: true, result: { kept: false, have: 0 } })
    const bad = { digest: made.digest, blob: 'statement', offset: 0, data }
    expect(await ask(session, 'package.put', bad)).toMatchObject({ ok: false, code: 'PACKAGE_INVALID' })
    const other = {
      ...package_,
      blobs: package_.blobs.map((blob) => ({ ...blob, path: join(home.dir, 'edge-daemon.yaml') })),
    }
    const lies = await pushOverLink(
      other,
      routeOver(() => session),
    ).catch((error: unknown) => error)
    expect(lies).toMatchObject({ code: 'PACKAGE_INVALID' })
    expect(existsSync(shelved())).toBe(false)
  })
})
