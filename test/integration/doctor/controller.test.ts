import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { doctor, troubles } from '../../support/doctor.ts'
import { FleetAuthority, type IssuedIdentity } from '../../support/fleet-authority.ts'
import { ControllerHome, LocalController } from '../../support/fleet-controller.ts'
import { secureLiveNode } from '../../support/secure-live-node.ts'

test('tells a controller that is well from one that is stopped, strange, or at another time', async () => {
  using home = await ControllerHome.create()
  await using controller = await new LocalController(home).start()
  const { port } = controller.client
  const identityDir = await home.operator('mia', home.dir)
  const at = (where: number | string) =>
    `controller: "https://127.0.0.1:${where}"\nnodes: [{ name: a, url: "ws://127.0.0.1:9" }]\n`
  const about = async (config: string, nowMs?: number): Promise<string[]> => {
    const found = troubles(await doctor(config, { identityDir, ...(nowMs === undefined ? {} : { nowMs }) }))
    return found.filter((line) => !line.startsWith('node '))
  }
  expect(await about(at(port))).toEqual([])
  expect(await about(at(9))).toEqual([
    expect.stringMatching(
      /^controller port: 127\.0\.0\.1:9: the connection is refused: nothing listens there → start edgedeck controller/,
    ),
  ])
  expect(await about(at(port).replace('127.0.0.1', 'no-such-host.invalid'))).toEqual([
    expect.stringMatching(/^controller dns: .*no-such-host\.invalid → correct the name in the context default/),
  ])

  expect(await about(at(port), Date.now() + 600_000)).toEqual([
    expect.stringMatching(
      /^controller clock: the clock of this machine is 10 min ahead of the controller's signed time → let NTP set it/,
    ),
  ])
  controller.shiftMs = -600_000
  expect(await about(at(port))).toContainEqual(
    expect.stringMatching(/^controller ready: it is not ready: the clock says/),
  )
  controller.shiftMs = 0
  // A clock that is years ahead: its certificates have ended, and the signed time says why.
  const ahead = await about(at(port), Date.now() + 3 * 365 * 86_400_000)
  expect(ahead).toContainEqual(
    expect.stringMatching(/^controller certificate: .*ended .* → compare this machine's clock/),
  )
  expect(ahead).toContainEqual(expect.stringMatching(/^controller clock: .*1095 days ahead of/))

  using other = await FleetAuthority.create('other')
  const strange = await other.operator('mia')
  const lost = troubles(await doctor(at(port), { identityDir: strange.dir }))
  expect(lost).toContainEqual(
    expect.stringMatching(
      /^controller certificate: .*not from this fleet → it is of the fleet acme: correct the address/,
    ),
  )
})

test('tells what is wrong with an identity, and with the certificate of a node', async () => {
  using authority = await FleetAuthority.create()
  const { node } = await secureLiveNode(authority)
  const config = `nodes: [{ name: n1, site: plant-a, url: "${node.url}" }]\n`
  const about = async (who: Pick<IssuedIdentity, 'dir'>, text = config) =>
    troubles(await doctor(text, { identityDir: who.dir }))
  try {
    const mia = await authority.operator('mia')
    expect(await about(mia)).toEqual([])
    expect(await about(mia, config.replace('n1', 'n2'))).toEqual([
      expect.stringMatching(/^node certificate: node plant-a\/n1 answers there, not plant-a\/n2 → correct the address/),
    ])
    const nobody = await about({ dir: join(authority.dir, 'nobody') })
    expect(nobody[0]).toMatch(/^identity login: you are nobody in this fleet yet.* → edgedeck login/)
    const ended = await authority.operator('zoe', {}, { nowMs: Date.now() - 86_400_000 })
    expect((await about(ended))[0]).toMatch(/^identity certificate: your certificate ended 12 h ago → edgedeck login/)
    const away = await authority.operator('ben', { sites: ['plant-b'] })
    expect(await about(away)).toContainEqual(
      expect.stringMatching(/^node rights: you have not the site plant-a → ask for it/),
    )
    chmodSync(mia.keyFile, 0o644)
    expect((await about(mia))[0]).toMatch(/^identity login: .*can be read by other users.* → run "chmod 600 /)
    const kim = await authority.operator('kim', {}, { nowMs: Date.now() - 60_000 })
    authority.deny({ names: [{ name: 'operator/kim', before: Date.now() + 1000, why: 'left' }] })
    writeFileSync(join(kim.dir, 'deny.json'), JSON.stringify(authority.denyList()))
    expect((await about(kim))[0]).toMatch(/^identity certificate: operator\/kim was revoked: left → ask an admin/)
  } finally {
    await node.server.stop()
  }
})

test('a faulty configuration is a finding and not the end', async () => {
  using authority = await FleetAuthority.create()
  const found = troubles(await doctor('controler: x\n', { identityDir: authority.dir }))
  expect(found).toEqual([
    expect.stringMatching(
      /^configuration file: .*controler: unknown key; did you mean "controller"\? → correct the lines/,
    ),
  ])
})
