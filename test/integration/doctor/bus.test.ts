import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findingsAsText } from '../../../src/commands/findings-text.ts'
import { doctor, troubles } from '../../support/doctor.ts'
import { DaemonHome, SOURCE } from '../../support/edge-daemon.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { joinFiles } from '../../support/joined-node.ts'
import { natsBus } from '../../support/nats-bus.ts'

const MIA = { kind: 'operator', name: 'mia', role: 'operator', sites: ['plant'] } as const

test('finds a fleet behind a bus well, and names what is wrong with it when it is not', async () => {
  await using bus = await natsBus()
  await using home = new DaemonHome()
  const { authority } = bus
  const files = joinFiles(home.stateDir, await authority.node('plant', 'press-4'))
  const node = await bus.member({ kind: 'node', site: 'plant', node: 'press-4' })
  writeFileSync(files.path('nats.creds'), node.creds, { mode: 0o600 })
  home.configure({ 'node.name': 'press-4', 'upstream.nats.servers': [bus.url] })
  const { liveUrl } = await home.serve({ program: SOURCE })
  const mia = await authority.operator('mia', { role: 'operator', permissions: [], sites: ['plant'] })
  const holding = async (creds: string, dir = mia.dir): Promise<string> => {
    writeFileSync(join(dir, 'nats.creds'), creds, { mode: 0o600 })
    return dir
  }
  const identityDir = await holding((await bus.member(MIA)).creds)
  const config = `nodes:\n  - { name: press-4, site: plant, url: "${liveUrl}" }\nnats: { servers: ["${bus.url}"] }\n`

  const well = await doctor(config, { identityDir })
  expect(troubles(well)).toEqual([])
  const text = findingsAsText(well, { columns: 80, ascii: false, isBrief: false })
  expect(text).toContain('✓ the stream EDGE is as it should be')
  expect(text.split('\n').every((line) => line.length <= 80)).toBe(true)

  const onlyBus = await doctor(`nats: { servers: ["${bus.url}"] }\n`, { identityDir, names: ['press-4'] })
  expect(troubles(onlyBus)).toEqual([])
  expect(onlyBus).toContainEqual(
    expect.objectContaining({ check: 'reach', found: expect.stringContaining('through the bus') }),
  )

  const wrongPort = await doctor(config.replace(`:${bus.port}`, ':9'), { identityDir })
  expect(troubles(wrongPort)).toEqual([
    expect.stringMatching(/^bus port: localhost:9: .*nothing listens there → start nats-server/),
  ])

  const ended = (await bus.member(MIA, { expiresAtMs: Date.now() - 7_200_000 })).creds
  const late = troubles(await doctor(config, { identityDir: await holding(ended) }))
  expect(late[0]).toMatch(/^bus credentials: the credentials of mia ended 2 h ago → edgedeck login/)
  expect(late[1]).toMatch(/^bus connect: the credentials of mia ended/)

  await holding((await bus.member({ ...MIA, sites: ['yard'] })).creds)
  expect(troubles(await doctor(config, { identityDir }))).toContainEqual(
    expect.stringMatching(
      /^bus permissions: the server does not let you hear edge\.plant\.\*\.status → edgedeck login/,
    ),
  )
  await holding((await bus.member(MIA)).creds)

  using others = await FleetAuthority.create('other')
  writeFileSync(join(identityDir, 'other.pem'), others.rootPem)
  const strange = config.replace('] }\n', `], ca: other.pem }\n`).replace(`"${liveUrl}" }\n`, `"${liveUrl}" }\n`)
  expect(troubles(await doctor(strange, { identityDir }))).toEqual([
    expect.stringMatching(
      /^bus certificate: its certificate does not count: it is not signed by those who are believed/,
    ),
  ])

  await bus.operate(async ({ streams }) => {
    await streams.update('EDGE', { ...(await streams.info('EDGE')).config, allow_direct: false, max_bytes: 1000 })
  })
  const changed = troubles(await doctor(config, { identityDir }))
  expect(changed).toContainEqual(
    expect.stringMatching(
      /^bus stream\.EDGE: .* is not as delivery needs it: allow_direct is false, not true → edgedeck nats setup .*--apply/,
    ),
  )
  await bus.operate(async ({ streams }) => void (await streams.delete('EDGE')))
  expect(troubles(await doctor(config, { identityDir }))).toContainEqual(
    expect.stringMatching(
      /^bus stream\.EDGE: there is no stream EDGE: nodes keep what it should hold → edgedeck nats setup/,
    ),
  )
})
