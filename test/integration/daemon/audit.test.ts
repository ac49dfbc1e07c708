import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AuditRecord } from '../../../protocol/audit.ts'
import { checkChain } from '../../../protocol/audit-chain.ts'
import type { AuditEvent } from '../../../src/audit/audit-events.ts'
import { runAudit } from '../../../src/commands/audit.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { DaemonHome } from '../../support/edge-daemon.ts'
import { TestConsole } from '../../support/live-node.ts'

/** The audit of a node, as a console reads it. */
async function readAudit(console: TestConsole, id: string): Promise<AuditRecord[]> {
  console.send({ t: 'read', id, topic: 'audit', fromMs: 0, toMs: 2e14, limit: 10_000 })
  await console.until(() => console.of('end').some((end) => end.id === id))
  return console.of('rows').flatMap((rows) => (rows.topic === 'audit' && rows.id === id ? rows.rows : []))
}

test('writes every command before it is done, and one chain over a kill -9', async () => {
  await using home = new DaemonHome()
  home.configure({ 'faults.allow': true })
  const first = await home.serve()
  const one = await TestConsole.open(first.liveUrl)
  const two = await TestConsole.open(first.liveUrl)
  two.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
  one.send({ t: 'command', id: 'c1', verb: 'fault.slow', args: { ms: 1 } })
  one.send({ t: 'command', id: 'c2', verb: 'fault.slow', args: { ms: 'fast' } })
  one.send({ t: 'command', id: 'c3', verb: 'reboot', args: {} })
  await one.until(() => one.of('done').length === 1 && one.of('error').length === 2)
  await two.until(
    () =>
      two
        .of('status')
        .at(-1)
        ?.sessions?.some(({ last }) => last?.verb === 'fault.slow') === true,
  )
  const { sessions = [], session } = two.of('status').at(-1) ?? {}
  expect(sessions).toHaveLength(2)
  expect(sessions.find(({ key }) => key === session?.key)).toMatchObject({ who: 'local', kind: 'local', role: 'admin' })
  expect(sessions.find(({ key }) => key === session?.key)?.last).toBeUndefined()
  first.daemon.kill()
  await first.daemon.ended

  const { daemon, liveUrl } = await home.serve()
  const console = await TestConsole.open(liveUrl)
  console.send({ t: 'command', id: 'c4', verb: 'fault.slow', args: { ms: 2 } })
  await console.until(() => console.of('done').length === 1)
  const audit = await readAudit(console, 'a1')
  expect(audit.map(({ phase, verb, of, code }) => [phase, verb, of, code].join(' ').trim())).toEqual([
    'intent fault.slow',
    expect.stringMatching(/^(?:outcome fault.slow 1 OK|intent fault.slow|refused reboot {2}COMMAND_REFUSED)$/),
    expect.any(String),
    expect.any(String),
    expect.any(String),
    'intent fault.slow',
    'outcome fault.slow 6 OK',
  ])
  expect(
    audit
      .map(({ phase, code }) => `${phase} ${code}`)
      .toSorted()
      .slice(4),
  ).toEqual(['outcome OK', 'outcome OK', 'refused COMMAND_REFUSED'])
  expect(checkChain(audit)).toMatchObject({ first: { n: 1 }, head: { n: 7 }, faults: [] })
  console.close()
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
})

test('what was begun when the node died stands in the audit as begun, and the chain goes on', async () => {
  await using home = new DaemonHome()
  home.configure({ 'node.name': 'n1', 'node.site': 'plant', 'faults.allow': true })
  const writer = fork(new URL('../../support/intent-writer.ts', import.meta.url), [join(home.stateDir, 'store'), 'n1'])
  expect(await once(writer, 'exit')).toEqual([null, 'SIGKILL'])

  const { daemon, liveUrl } = await home.serve()
  const console = await TestConsole.open(liveUrl)
  console.send({ t: 'command', id: 'c', verb: 'fault.slow', args: { ms: 1 } })
  await console.until(() => console.of('done').length === 1)
  console.close()
  const where = { nodes: [{ key: 'n1', url: liveUrl }], clouds: [], access: { version: '0.0.0' }, context: 'default' }
  const wish = { auditDir: home.dir, names: [], operator: null, fromMs: 0, timeoutMs: 60_000 }
  const asked = async (verify: boolean, format: 'json' | 'table') => {
    const io = new CapturedIo()
    expect(await runAudit({ ...where, ...wish, verify, format }, io)).toBe('sound')
    return io.out()
  }
  const events = JSON.parse(await asked(false, 'json')) as AuditEvent[]
  expect(events).toMatchObject([
    { who: 'mia', verb: 'resend', result: 'NO_OUTCOME' },
    { who: 'local', verb: 'fault.slow', result: 'OK' },
  ])
  expect(await asked(false, 'table')).toMatch(
    /mia \(operator\) +plant\/n1 +resend .* begun, and no end was written +direct/,
  )
  expect(await asked(true, 'table')).toMatch(/plant\/n1 +node +1–3 .* sound/)
  expect(await daemon.stop()).toMatchObject({ code: 0 })
})
