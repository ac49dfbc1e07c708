import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { IdentityFiles } from '../../../edge-daemon/identity/files.ts'
import { joinByToken, requestByHand, takeAnswer } from '../../../edge-daemon/identity/join.ts'
import { NodeIdentity } from '../../../edge-daemon/identity/node-identity.ts'
import { readRequest } from '../../../identity/request.ts'
import { joinTokenText } from '../../../protocol/enrolment.ts'
import { DaemonHome, EdgeDaemonProcess, runDaemon, SOURCE } from '../../support/edge-daemon.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { type ControllerHome, LocalController } from '../../support/fleet-controller.ts'
import { freePort } from '../../support/free-port.ts'
import { knock } from '../../support/joined-node.ts'
import { homeOnPort, tokenIn } from '../../support/joining.ts'

const open: (Disposable | AsyncDisposable)[] = []

afterEach(async () => {
  for (const thing of open.splice(0).reverse()) {
    if (Symbol.asyncDispose in thing) await thing[Symbol.asyncDispose]()
    else thing[Symbol.dispose]()
  }
})

function later<T extends Disposable | AsyncDisposable>(thing: T): T {
  open.push(thing)
  return thing
}

async function controllerHome(): Promise<ControllerHome> {
  return later(await homeOnPort())
}

async function controller(home: ControllerHome): Promise<LocalController> {
  return later(await new LocalController(home).start())
}

test('a node joins by a token in its own process, and serves as what its certificate says', {
  timeout: 240_000,
}, async () => {
  const home = await controllerHome()
  await controller(home)
  const node = later(new DaemonHome())
  node.configure({ 'node.name': undefined, 'node.site': undefined, 'control.listen': '0.0.0.0:0' })
  const refused = await runDaemon([process.execPath, SOURCE, '--config', node.configFile])
  expect(refused).toMatchObject({ code: 78, stderr: expect.stringContaining('edge-daemon join --token') })

  const command = [process.execPath, SOURCE, 'join', '--config', node.configFile]
  const token = home.token('工厂', 'press-4.local')
  const joined = await runDaemon([...command, '--token', token])
  expect(joined.stderr).toBe('')
  expect(joined.stdout).toContain('joined acme as 工厂/press-4.local')
  const { dir } = new IdentityFiles(node.stateDir)
  expect(statSync(dir).mode & 0o777).toBe(0o700)
  expect(statSync(join(dir, 'key.pem')).mode & 0o777).toBe(0o600)
  const again = await runDaemon([...command], { EDGEDECK_JOIN_TOKEN: token })
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('before') })
  const shown = await runDaemon([process.execPath, SOURCE, 'identity', '--config', node.configFile, '-o', 'json'])
  expect(JSON.parse(shown.stdout)).toMatchObject({
    fleet: 'acme',
    site: '工厂',
    node: 'press-4.local',
    trustVersion: 1,
  })

  const { liveUrl } = await node.serve({ program: SOURCE })
  expect(liveUrl).toMatch(/^wss:/)
  const stranger = later(await FleetAuthority.create())
  expect(await knock(liveUrl.replace('0.0.0.0', '127.0.0.1'), await stranger.operator('eve'))).toContain(
    'not from this fleet',
  )

  node.configure({ 'node.name': 'other' })
  const misnamed = await runDaemon([process.execPath, SOURCE, '--config', node.configFile])
  expect(misnamed.code).toBe(78)
  expect(misnamed.stderr).toContain('says press-4.local')
})

test('says what is wrong: used, ended, changed, another name, taken, nobody there, another fleet', {
  timeout: 240_000,
}, async () => {
  const home = await controllerHome()
  const running = await controller(home)
  const node = later(new DaemonHome())
  const files = (name: string) => new IdentityFiles(join(node.dir, name))
  const token = home.token('plant', 'n1')
  await joinByToken(tokenIn(token), files('a'))
  await expect(joinByToken(tokenIn(token), files('b'))).rejects.toMatchObject({ code: 'TOKEN_USED' })
  await expect(joinByToken(tokenIn(home.token('plant', 'n1')), files('b'))).rejects.toMatchObject({
    code: 'NAME_TAKEN',
    next: [expect.stringContaining('--replace')],
  })
  await expect(joinByToken(tokenIn(home.token('plant', 'n2')), files('a'))).rejects.toMatchObject({
    code: 'IDENTITY_UNUSABLE',
    message: expect.stringContaining('has joined acme as plant/n1'),
  })
  running.shiftMs = 3_600_000
  await expect(joinByToken(tokenIn(home.token('plant', 'n3')), files('c'))).rejects.toMatchObject({
    code: 'TOKEN_EXPIRED',
  })
  running.shiftMs = 0
  const wrongSite = joinTokenText({ ...tokenIn(home.token('plant', 'n4')), s: 'elsewhere' })
  await expect(joinByToken(tokenIn(wrongSite), files('c'))).rejects.toMatchObject({ code: 'TOKEN_INVALID' })

  // Somebody else answers there: nothing of the token may reach them.
  const pinned = joinTokenText({ ...tokenIn(home.token('plant', 'n5')), p: 'A'.repeat(43) })
  const asked = running.lines.length
  await expect(joinByToken(tokenIn(pinned), files('c'))).rejects.toMatchObject({
    code: 'CONTROLLER_UNREACHABLE',
    message: expect.stringContaining('not the controller that the token is from'),
  })
  expect(running.lines.slice(asked).join('')).not.toContain('join')
  const nobody = joinTokenText({ ...tokenIn(home.token('plant', 'n6')), u: `https://127.0.0.1:${await freePort()}` })
  await expect(joinByToken(tokenIn(nobody), files('c'))).rejects.toMatchObject({
    code: 'CONTROLLER_UNREACHABLE',
    message: expect.stringContaining('ECONNREFUSED'),
  })
  expect(existsSync(files('c').path('cert.pem'))).toBe(false)
})

test('may be killed at any file it writes and run again with the same token', { timeout: 300_000 }, async () => {
  const home = await controllerHome()
  await controller(home)
  const node = later(new DaemonHome())
  const token = home.token('plant', 'n1')
  // Every rename is a file that is new from then on: the process dies before each of them, then the last run goes through.
  const keys = new Set<string>()
  for (let count = 1; ; count += 1) {
    const preload = join(node.dir, `die-${count}.mjs`)
    writeFileSync(
      preload,
      `import fs from 'node:fs'; import { syncBuiltinESMExports } from 'node:module'
let left = ${count}; const real = fs.renameSync
fs.renameSync = (...args) => { left -= 1; if (left === 0) process.kill(process.pid, 'SIGKILL'); return real(...args) }
syncBuiltinESMExports()`,
    )
    const run = new EdgeDaemonProcess([
      process.execPath,
      '--import',
      preload,
      SOURCE,
      'join',
      '--state-dir',
      node.stateDir,
      '--token',
      token,
    ])
    const end = await run.ended
    const key = new IdentityFiles(node.stateDir).key()
    if (key !== null) keys.add(key)
    if (end.signal !== 'SIGKILL') {
      expect(run.stderr).toBe('')
      expect(end.code).toBe(0)
      expect(count).toBeGreaterThan(5)
      break
    }
    // It has not joined, or it has wholly: the floor of its clock is written behind the certificate.
    const loaded = NodeIdentity.load(new IdentityFiles(node.stateDir))
    expect(loaded === null || loaded.node === 'n1').toBe(true)
  }
  expect(keys.size).toBe(1)
  expect(NodeIdentity.load(new IdentityFiles(node.stateDir))?.node).toBe('n1')
  expect(readdirSync(new IdentityFiles(node.stateDir).dir).filter((name) => name === 'nats.seed')).toHaveLength(1)
})

test('joins where no controller is in reach, by files that are carried', async () => {
  const authority = later(await FleetAuthority.create())
  const node = later(new DaemonHome())
  const files = new IdentityFiles(node.stateDir)
  const request = await readRequest(await requestByHand(files))
  if (!request.ok) throw new Error(request.msg)
  const issue = async (nowMs: number, by = authority) => {
    const { issueLeaf, pemOf } = await import('../../../identity/issue.ts')
    const named = { kind: 'node', fleet: 'acme', site: 'plant', node: 'n1' } as const
    const leaf = await issueLeaf(by.issuing, { named, publicKey: request.publicKey, nowMs })
    const certificate = pemOf(leaf, by.issuing.certificate)
    return { v: 1 as const, fleet: 'acme', certificate, trust: { ...by.bundle }, deny: null, controllers: [] }
  }
  const answer = await issue(Date.now())
  const stranger = later(await FleetAuthority.create())
  expect(() => takeAnswer(answer, files, stranger.pin)).toThrow(/pinned root/)
  expect(takeAnswer(answer, files, authority.pin).identity).toMatchObject({ site: 'plant', node: 'n1' })
  expect(() => takeAnswer({ ...answer, ...{ trust: { ...stranger.bundle } } }, files, null)).toThrow(
    /not signed by a root/,
  )
  const later2 = await issue(Date.now() + 86_400_000)
  expect(takeAnswer(later2, files, null).identity.leaf.validToDate.getTime()).toBeGreaterThan(
    Date.now() + 30.5 * 86_400_000,
  )
  const foreign = await issue(Date.now(), stranger)
  expect(() => takeAnswer({ ...foreign, trust: { ...authority.bundle } }, files, null)).toThrow(/not from this fleet/)
})
