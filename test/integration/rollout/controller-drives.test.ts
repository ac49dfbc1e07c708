import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FleetSession } from '../../../src/commands/fleet-session.ts'
import { ControllerRollouts } from '../../../src/controller/rollouts.ts'
import { IdentityFolder, type IdentitySource } from '../../../src/identity/identity-source.ts'
import { readOperatorBus } from '../../../src/identity/operator-bus-access.ts'
import { OperatorIdentity } from '../../../src/identity/operator-identity.ts'
import { operatorBus } from '../../../src/link/operator-bus.ts'
import { fold } from '../../../src/rollout/fold.ts'
import { openJournal, openRollouts } from '../../../src/rollout/open-rollouts.ts'
import { DEFAULT_STRATEGY } from '../../../src/rollout/strategy.ts'
import { ChangingNode } from '../../support/changing-node.ts'
import { eventually, postPicture, type Served, SOURCE } from '../../support/edge-daemon.ts'
import type { FleetAuthority } from '../../support/fleet-authority.ts'
import { joinFiles } from '../../support/joined-node.ts'
import { type NatsBus, natsBus } from '../../support/nats-bus.ts'
import { samplePicture } from '../../support/pictures.ts'

const STRATEGY = {
  ...DEFAULT_STRATEGY,
  canary: { kind: 'count', count: 1 },
  shadow: null,
  soakSec: 2,
  // Of a busy machine that is a while.
  maxSoakSec: 300,
  confirmWithinSec: 900,
  siteBudget: { percent: 100 },
  gates: { ...DEFAULT_STRATEGY.gates, minRequests: 5, maxSlowPct: 100, severeFactor: 1 },
  localGates: { ...DEFAULT_STRATEGY.localGates, minRequests: 5, maxSlowPct: 100 },
} as const

/** Who a controller is, as its authority says. */
async function controllerOf(authority: FleetAuthority): Promise<IdentitySource> {
  const { named, certificate, key, keyPem, certPem } = await authority.controller('ctl')
  if (named.kind !== 'controller') throw new Error('it is a controller')
  const tls = { key: keyPem, cert: certPem, ca: authority.rootPem }
  const identity = new OperatorIdentity({ named, certificate, key, tls, trust: authority.trust() })
  return { current: () => ({ kind: 'held', identity }) }
}

/** Mia at her console, over the bus. */
async function miaAt(bus: NatsBus) {
  const mia = await bus.authority.operator('mia', { role: 'operator', sites: ['plant'] })
  const member = await bus.member({ kind: 'operator', name: 'mia', role: 'operator', sites: ['plant'] })
  writeFileSync(join(mia.dir, 'nats.creds'), member.creds, { mode: 0o600 })
  const identity = new IdentityFolder(mia.dir)
  const access = () =>
    readOperatorBus({ nats: { credentials: null, ca: null }, configFile: '/', identityDir: mia.dir, identity })
  const session = new FleetSession({
    nodes: [],
    access: { version: '0', identity, bus: operatorBus({ servers: [bus.url], access, identity }) },
    interest: { status: true, alertBacklog: null, logs: null },
  })
  session.start()
  const place = { kind: 'bus', servers: [bus.url], access } as const
  const fleet = { fleet: session.fleet, link: (key: string) => session.links.get(key) }
  const { service, close } = await openRollouts({ place, fleet, identity, holder: 'mia at bastion' })
  return {
    session,
    service,
    place,
    leave: async () => {
      await close()
      await session.stop()
    },
  }
}

test('a rollout that an operator began and left is carried out by a controller, on her mandate', {
  timeout: 600_000,
}, async () => {
  await using bus = await natsBus()
  await using node = new ChangingNode({ 'node.name': 'n1', 'upstream.nats.servers': [bus.url] })
  const files = joinFiles(node.home.stateDir, await bus.authority.node('plant', 'n1'))
  const member = await bus.member({ kind: 'node', site: 'plant', node: 'n1' })
  writeFileSync(files.path('nats.creds'), member.creds, { mode: 0o600 })
  const item = await node.shelve('2.0.0')
  const served: Served = await node.home.serve({ program: SOURCE })
  const cameras = setInterval(() => void postPicture(served.inferUrl, samplePicture(3)).catch(() => undefined), 100)
  const mia = await miaAt(bus)
  const credentials = join(bus.dir, 'ctl.creds')
  const { creds } = await bus.member({ kind: 'controller', name: 'ctl' })
  writeFileSync(credentials, creds, { mode: 0o600 })
  const lines: string[] = []
  const controller = new ControllerRollouts({
    servers: [bus.url],
    credentials,
    identity: await controllerOf(bus.authority),
    name: 'ctl',
    version: '0',
    log: { log: (_level, event, msg) => void lines.push(`${event} ${msg}`) },
  })
  const { journal, close } = await openJournal(mia.place)
  try {
    const told = () => mia.session.fleet.told('n1', Date.now())
    await eventually(() => told()?.status?.changes !== undefined && told()?.state === 'up', { timeoutMs: 60_000 })
    const nodes = ['n1']
    const plan = mia.service.plan({
      target: 'daemon',
      item,
      sources: [{ kind: 'link' }],
      nodes,
      strategy: STRATEGY,
      undoes: null,
    })
    await mia.service.start(plan, 'a better one')
    await mia.leave()
    await controller.start()
    expect(controller.facts()).toMatchObject({ driving: 0, sessions: 0 })
    const state = async () => fold(null, await journal.read(plan.rollout))
    const phase = async () => (await state())?.phase
    await eventually(async () => (await phase()) === 'done' || (await phase()) === 'reverted', {
      timeoutMs: 500_000,
      what: JSON.stringify([lines, (await journal.read(plan.rollout)).slice(2)]).slice(0, 4000),
    })
    expect(await state()).toMatchObject({
      phase: 'done',
      driver: { holder: expect.stringContaining('controller ctl') },
    })
    expect(controller.facts()).toMatchObject({ nodes: 1, faults: 0 })
    // It is over, so nobody needs the node any more.
    await eventually(() => controller.facts().sessions === 0, { timeoutMs: 90_000 })
  } finally {
    clearInterval(cameras)
    await controller.stop()
    await close()
  }
})
