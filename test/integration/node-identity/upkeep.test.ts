import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { IdentityFiles } from '../../../edge-daemon/identity/files.ts'
import { joinByToken } from '../../../edge-daemon/identity/join.ts'
import { type IdentityClocks, NodeIdentity } from '../../../edge-daemon/identity/node-identity.ts'
import { renewalDueMs } from '../../../edge-daemon/identity/renewal.ts'
import { IdentityUpkeep } from '../../../edge-daemon/identity/upkeep.ts'
import { newKey, pemOfKey, publicOf } from '../../../identity/keys.ts'
import { DaemonHome, eventually, SOURCE } from '../../support/edge-daemon.ts'
import type { IssuedIdentity } from '../../support/fleet-authority.ts'
import { type ControllerHome, LocalController, PASSPHRASE } from '../../support/fleet-controller.ts'
import { knock } from '../../support/joined-node.ts'
import { homeOnPort, tokenIn } from '../../support/joining.ts'

const DAY_MS = 86_400_000
const PRELOAD = fileURLToPath(new URL('../../torture/fault-preload.ts', import.meta.url))
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

/** A node that joined at a running controller, and its upkeep, not started. */
async function joined(clocks: IdentityClocks = {}) {
  const home = later(await homeOnPort())
  const controller = later(await new LocalController(home).start())
  const files = new IdentityFiles(join(home.dir, 'node'))
  await joinByToken(tokenIn(home.token('plant', 'n1')), files)
  const identity = NodeIdentity.load(files, clocks)
  if (identity === null) throw new Error('it has not joined')
  const lines: string[] = []
  const log = (event: string, msg?: string) => void lines.push(`${event}: ${msg}`)
  const keep = (): IdentityUpkeep => {
    const upkeep = new IdentityUpkeep({
      identity,
      log: { info: log, warn: log, error: log },
      backoff: { firstMs: 50, maxMs: 200 },
      refusedBackoff: { firstMs: 50, maxMs: 200 },
      timeoutMs: 60_000,
    })
    upkeep.start()
    later({ [Symbol.asyncDispose]: () => upkeep.stop() })
    return upkeep
  }
  return { home, controller, identity, lines, keep }
}

/** An operator of a controller's fleet, as `edgedeck pki operator` issues. */
async function operatorOf({ authority }: ControllerHome, name: string): Promise<IssuedIdentity> {
  const issuing = authority.unlockIssuing(PASSPHRASE)
  const key = newKey()
  const rights = { role: 'admin', permissions: [], sites: '*' } as const
  const named = { kind: 'operator', fleet: 'acme', name, rights } as const
  const issued = await authority.issue(issuing, { named, publicKey: publicOf(key), nowMs: Date.now() }, 'pki')
  return { keyPem: pemOfKey(key), certPem: issued.chainPem } as IssuedIdentity
}

const codes = (upkeep: IdentityUpkeep) => upkeep.findings().map(({ code }) => code)

test('renews for the same key at two thirds of the life, not before, and follows the deny list at once', async () => {
  const { home, controller, identity, lines, keep } = await joined()
  const { leaf } = identity
  const dueMs = renewalDueMs(leaf)
  expect(dueMs - Date.now()).toBeGreaterThan(16 * DAY_MS)
  expect(dueMs - Date.now()).toBeLessThan(20.1 * DAY_MS)
  const upkeep = keep()
  await eventually(() => identity.clock.isConfirmed && identity.deny !== null)
  home.revoke('operator/eve')
  const startedMs = performance.now()
  await eventually(() => identity.deny?.names.some(({ name }) => name === 'operator/eve') === true)
  // Without news the controller holds the request for 25 s.
  expect(performance.now() - startedMs).toBeLessThan(20_000)
  expect(identity.leaf).toBe(leaf)
  expect(upkeep.findings()).toEqual([])
  await upkeep.stop()

  // Three weeks later by the controller's clock, the wall clock here standing still.
  controller.shiftMs = 21 * DAY_MS
  keep()
  await eventually(() => identity.leaf !== leaf)
  expect(identity.leaf.publicKey.equals(leaf.publicKey)).toBe(true)
  expect(identity.leaf.validToDate.getTime() - leaf.validToDate.getTime()).toBeGreaterThan(20 * DAY_MS)
  expect(NodeIdentity.load(identity.files)?.leaf.serialNumber).toBe(identity.leaf.serialNumber)
  expect(lines.join('\n')).toContain('identity.renewed')
})

test('comes back after two months off, and after four says what to do', async () => {
  const first = await joined()
  first.controller.shiftMs = 75 * DAY_MS
  first.keep()
  await eventually(() => first.identity.leaf.validToDate.getTime() > Date.now() + 100 * DAY_MS)

  const second = await joined()
  second.controller.shiftMs = 150 * DAY_MS
  const upkeep = second.keep()
  await eventually(() => upkeep.findings().some(({ msg }) => msg.includes('after 90')))
  expect(upkeep.findings().find(({ code }) => code === 'certificate_ending')).toMatchObject({
    severity: 'critical',
    msg: expect.stringMatching(/ended 1\d\d d ago.*after 90 it is not renewed/),
  })
})

test.each([
  ['ahead', 40 * DAY_MS],
  ['behind', -40 * DAY_MS],
])('a clock 40 days %s heals from a controller, and is told', async (how, shiftMs) => {
  const { home, identity, keep } = await joined({ wallMs: () => Date.now() + shiftMs })
  const upkeep = keep()
  await eventually(() => identity.clock.isConfirmed)
  expect(Math.abs(identity.nowMs() - Date.now())).toBeLessThan(60_000)
  await eventually(() => upkeep.findings().length === 1)
  expect(upkeep.findings()[0]).toMatchObject({ code: 'clock_off', msg: expect.stringContaining(`40 d ${how}`) })
  expect(home.authority.fleet).toBe(identity.fleet)
})

test('without a controller says since when and why, and takes another that answers', async () => {
  let aheadMs = 0
  const { controller, identity, lines, keep } = await joined({ wallMs: () => Date.now() + aheadMs })
  await controller[Symbol.asyncDispose]()
  aheadMs = 25 * DAY_MS
  const upkeep = keep()
  await eventually(() => upkeep.findings().some(({ msg }) => msg.includes('unreachable')))
  expect(upkeep.findings()[0]).toMatchObject({
    severity: 'warning',
    msg: expect.stringMatching(/the certificate ends in 5 d, controller unreachable since \d{4}-.*ECONNREFUSED/),
  })
  aheadMs = 40 * DAY_MS
  expect(upkeep.findings()[0]).toMatchObject({ code: 'clock_unsure', severity: 'critical' })
  aheadMs = 0
  expect(lines.filter((line) => line.startsWith('identity.controller_lost'))).toHaveLength(1)
  later(await new LocalController(controller.home).start())
  await eventually(() => identity.clock.isConfirmed && codes(upkeep).length === 0)
})

test('a daemon whose clock is 40 days ahead lets nobody in and says why, until a controller tells it the time', {
  timeout: 240_000,
}, async () => {
  const home = later(await homeOnPort())
  const first = await new LocalController(home).start()
  const node = later(new DaemonHome())
  node.configure({ 'node.name': undefined, 'node.site': undefined, 'alerts.after': '0s' })
  await joinByToken(tokenIn(home.token('plant', 'n1')), new IdentityFiles(node.stateDir))
  await first[Symbol.asyncDispose]()
  const clock = join(node.dir, 'clock')
  writeFileSync(clock, String(40 * DAY_MS))
  const env = { NODE_OPTIONS: `--import=${PRELOAD}`, TORTURE_CLOCK: clock }
  const { daemon, liveUrl } = await node.serve({ program: SOURCE, env })
  const mia = await operatorOf(home, 'mia')
  expect(await knock(liveUrl, mia)).toMatch(/^403 .*certificate ended at .*may be the one that is wrong/)
  await eventually(() =>
    daemon.lines.some((line) => line.includes('alert.firing') && line.includes('no controller has told the time')),
  )

  later(await new LocalController(home).start())
  await eventually(async () => (await knock(liveUrl, mia)) === 'open', { timeoutMs: 120_000 })
  expect(daemon.lines.some((line) => line.includes('identity.time_told'))).toBe(true)
})
