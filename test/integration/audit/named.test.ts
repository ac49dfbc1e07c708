import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AuditEvent } from '../../../src/audit/audit-events.ts'
import { journalOf } from '../../../src/audit/audit-folder.ts'
import { OperatorJournal } from '../../../src/audit/command-journal.ts'
import { runAudit } from '../../../src/commands/audit.ts'
import { runResend } from '../../../src/commands/resend.ts'
import { IdentityFolder } from '../../../src/identity/identity-source.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { DaemonHome, eventually } from '../../support/edge-daemon.ts'
import { FleetAuthority, type IssuedIdentity } from '../../support/fleet-authority.ts'
import { joinFiles, knock } from '../../support/joined-node.ts'

test('a joined node names who acts by their certificate: who came, who signed, who may not, who was not let in', async () => {
  using authority = await FleetAuthority.create()
  using others = await FleetAuthority.create()
  await using home = new DaemonHome()
  home.configure({ 'node.site': 'plant' })
  joinFiles(home.stateDir, await authority.node('plant', 'n1'))
  const { liveUrl } = await home.serve()
  const node = { key: 'n1', url: liveUrl, site: 'plant' }
  const auditDir = join(home.dir, 'journals')
  const [mia, vic] = [
    await authority.operator('mia', { role: 'operator' }),
    await authority.operator('vic', { role: 'viewer' }),
  ]
  const as = (issued: IssuedIdentity, operator: string) => {
    const file = journalOf(auditDir, { context: 'default', operator })
    const journal = new OperatorJournal({ file: () => file })
    return { version: '0.0.0', identity: new IdentityFolder(issued.dir), journal }
  }
  const range = { fromMs: Date.now() - 1000, toMs: Date.now(), classes: null, target: null, again: false }
  for (const [issued, name] of [
    [mia, 'mia'],
    [vic, 'vic'],
  ] as const) {
    const access = as(issued, name)
    const request = { name: 'n1', node, access, ...range, requestId: `r-${name}`, why: `for ${name}` }
    await runResend({ ...request, wait: false, format: 'json', timeoutMs: 60_000 }, new CapturedIo()).catch(() => false)
    await access.journal.settled()
  }
  expect(await knock(liveUrl, await others.operator('eve'))).not.toBe('open')

  const wish = { fromMs: 0, verify: false, format: 'json', timeoutMs: 60_000, names: [], operator: null } as const
  const request = { nodes: [node], clouds: [], access: as(mia, 'mia'), context: 'default', auditDir, ...wish }
  const read = async () => {
    const io = new CapturedIo()
    expect(await runAudit(request, io)).toBe('sound')
    const events = JSON.parse(io.out()) as AuditEvent[]
    const told = events.map(({ who, kind, verb, result, why, sources }) =>
      [who, kind, verb, result, why ?? '-', sources.join('+')].join(' '),
    )
    return { events, told }
  }
  // Who came and who left is written behind the connection, not before its end.
  const written = ['mia operator session closed - node', 'eve unknown session PEER_REFUSED - node']
  await eventually(async () => {
    const { told } = await read()
    return written.every((line) => told.includes(line))
  })
  const { events, told } = await read()
  expect(told).toContain('mia operator session opened - node')
  expect(told).toContain('mia operator session closed - node')
  // The node sends to no target: it was let through, begun, and ended so.
  expect(told).toContain('mia operator resend COMMAND_REFUSED for mia node+own')
  expect(told).toContain('vic operator resend RIGHT_MISSING for vic node+own')
  expect(told).toContain('eve unknown session PEER_REFUSED - node')
  expect(events.find(({ who, verb }) => who === 'mia' && verb === 'resend')).toMatchObject({
    node: 'plant/n1',
    role: 'operator',
    nonce: expect.stringMatching(/^[\w-]{22}$/),
    route: 'direct',
  })
  const verdict = new CapturedIo()
  expect(await runAudit({ ...request, verify: true }, verdict)).toBe('sound')
})
