import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MAX_HOLD_SEC } from '../../../protocol/enrolment.ts'
import { FleetSession } from '../../../src/commands/fleet-session.ts'
import { readIdentityFolder } from '../../../src/identity/identity-folder.ts'
import { IdentityFolder } from '../../../src/identity/identity-source.ts'
import { DenyFollower } from '../../../src/pki/deny-follower.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { ControllerHome, LocalController } from '../../support/fleet-controller.ts'
import { secureLiveNode } from '../../support/secure-live-node.ts'

test('a running console takes each new deny list as soon as the controller has it, and none that is not signed', async () => {
  using home = await ControllerHome.create()
  await using controller = await new LocalController(home).start()
  const dir = await home.operator('mia', home.dir)
  const identity = readIdentityFolder(dir)
  if (identity === null) throw new Error('no identity')
  const versionOf = (): number => {
    try {
      return JSON.parse(readFileSync(join(dir, 'deny.json'), 'utf8')).version
    } catch {
      return -1
    }
  }
  const url = `https://127.0.0.1:${controller.client.port}`
  const follower = new DenyFollower({ controller: url, dir, own: () => identity.tls, firstMs: 0, random: () => 1 })
  follower.start()
  try {
    await eventually(() => versionOf() >= 0)
    const before = versionOf()
    home.revoke('node/plant-a/n1')
    const startedMs = performance.now()
    await eventually(() => versionOf() > before)
    // Long before it would be told that nothing happened.
    expect(performance.now() - startedMs).toBeLessThan(MAX_HOLD_SEC * 800)
    expect(readFileSync(join(dir, 'deny.json'), 'utf8')).toContain('node/plant-a/n1')
  } finally {
    await follower.stop()
  }
  // Stopped while a question was held: at once, and nothing is asked any more.
  using other = await ControllerHome.create()
  await using strange = await new LocalController(other).start()
  other.revoke('node/plant-a/n2')
  const held = versionOf()
  const misled = new DenyFollower({
    controller: `https://127.0.0.1:${strange.client.port}`,
    dir,
    own: () => identity.tls,
    firstMs: 0,
  })
  misled.start()
  await new Promise((resolve) => setTimeout(resolve, 600))
  await misled.stop()
  expect(versionOf()).toBe(held)
})

test('a session to a node that is revoked meanwhile ends, and says why', async () => {
  using authority = await FleetAuthority.create()
  const { node } = await secureLiveNode(authority)
  const mia = await authority.operator('mia')
  const session = new FleetSession({
    nodes: [{ key: 'n1', site: 'plant-a', url: node.url }],
    access: { version: '0', identity: new IdentityFolder(mia.dir) },
    interest: { status: true, alertBacklog: null, logs: null },
  })
  session.start()
  try {
    const link = () => session.fleet.nodeDetail('n1', 'now', Date.now())?.link
    await eventually(() => link()?.phase === 'open')
    const list = authority.deny({ names: [{ name: 'node/plant-a/n1', before: Date.now() + 5000, why: 'stolen' }] })
    writeFileSync(join(mia.dir, 'deny.json'), JSON.stringify(list))
    await eventually(() => link()?.phase !== 'open')
    expect(link()?.lastReason).toBe('its certificate does not count: node/plant-a/n1 was revoked: stolen')
    expect(link()?.certified).not.toBe(true)
  } finally {
    await session.stop()
    await node.server.stop()
  }
})
