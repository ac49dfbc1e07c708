import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FleetSession } from '../../../src/commands/fleet-session.ts'
import { IdentityFolder } from '../../../src/identity/identity-source.ts'
import { readOperatorBus } from '../../../src/identity/operator-bus-access.ts'
import { operatorBus } from '../../../src/link/operator-bus.ts'
import { DaemonHome, eventually, SOURCE } from '../../support/edge-daemon.ts'
import { joinFiles } from '../../support/joined-node.ts'
import { natsBus } from '../../support/nats-bus.ts'

test('a joined daemon is found and commanded through a bus with permissions, by name alone', {
  timeout: 240_000,
}, async () => {
  await using bus = await natsBus()
  await using home = new DaemonHome()
  const { authority } = bus
  const files = joinFiles(home.stateDir, await authority.node('plant', 'press.4'))
  const node = await bus.member({ kind: 'node', site: 'plant', node: 'press.4' })
  writeFileSync(files.path('nats.creds'), node.creds, { mode: 0o600 })
  home.configure({ 'node.name': 'press.4', 'upstream.nats.servers': [bus.url], 'faults.allow': true })
  const { daemon } = await home.serve({ program: SOURCE })

  const mia = await authority.operator('mia', { role: 'operator', sites: ['plant'] })
  const operator = await bus.member({ kind: 'operator', name: 'mia', role: 'operator', sites: ['plant'] })
  writeFileSync(join(mia.dir, 'nats.creds'), operator.creds, { mode: 0o600 })
  const identity = new IdentityFolder(mia.dir)
  const access = () =>
    readOperatorBus({ nats: { credentials: null, ca: null }, configFile: '/', identityDir: mia.dir, identity })
  const session = new FleetSession({
    nodes: [],
    access: { version: '0', identity, bus: operatorBus({ servers: [bus.url], access, identity }) },
    interest: { status: true, alertBacklog: null, logs: null },
  })
  session.start()
  try {
    const look = () => session.fleet.nodeDetail('press.4', 'now', Date.now())
    await eventually(() => look()?.status != null, { timeoutMs: 90_000, what: daemon.lines.slice(-3).join('\n') })
    expect(look()).toMatchObject({ node: { state: 'up', site: 'plant', route: 'nats' }, link: { certified: true } })
    const done = await session.links.get('press.4')?.command('fault.slow', { ms: 3 })
    expect(done).toMatchObject({ ok: true, result: { slowMs: 3 } })
    await eventually(() => (look()?.status?.uplink.sentBytes.telemetryNats ?? 0) > 3000)
    expect(look()?.status?.uplink.sentBytes.telemetry).toBe(0)
    expect(look()?.status?.uplink.targets[0]).toMatchObject({ state: 'up' })
  } finally {
    await session.stop()
  }
})
