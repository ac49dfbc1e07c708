import { chmodSync, cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { CommandDesk } from '../../../edge-daemon/commands/command-desk.ts'
import type { FrameOf } from '../../../protocol/frames.ts'
import { IdentityFolder } from '../../../src/identity/identity-source.ts'
import type { CommandJournal, SentCommand } from '../../../src/link/link.ts'
import { FleetAuthority, type IssuedIdentity } from '../../support/fleet-authority.ts'
import { LinkProbe } from '../../support/link-probe.ts'
import { LiveNode } from '../../support/live-node.ts'
import { SecureIdentity, secureLiveNode } from '../../support/secure-live-node.ts'
import { idleVerbs } from '../../support/verb-table.ts'

let acme: FleetAuthority
let other: FleetAuthority
beforeAll(async () => {
  acme = await FleetAuthority.create('acme')
  other = await FleetAuthority.create('other')
})
afterAll(() => {
  acme[Symbol.dispose]()
  other[Symbol.dispose]()
})

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function serve(...args: Parameters<typeof secureLiveNode>) {
  const served = await secureLiveNode(...args)
  stops.push(() => served.node.server.stop())
  return served
}

function probe(url: string, operator: IssuedIdentity | null, options: ConstructorParameters<typeof LinkProbe>[1] = {}) {
  const identity = operator === null ? {} : { identity: new IdentityFolder(operator.dir, () => Date.now() * 1000) }
  const made = new LinkProbe(url, { ...identity, ...options })
  stops.push(() => made.link.stop())
  made.link.start()
  return made
}

async function refusalOf(link: LinkProbe): Promise<string> {
  await link.until(() => link.of('refused').length + link.of('closed').length > 0)
  return (link.of('refused')[0] ?? link.of('closed')[0])?.reason ?? ''
}

test('speaks TLS 1.3 as the operator with a node that its certificate names', async () => {
  const { node } = await serve(acme)
  const link = probe(node.url, await acme.operator('mia'))
  await link.until(() => link.frames().includes('status'))
  expect(node.url).toMatch(/^wss:/)
  expect(link.of('opened')).toEqual([{ kind: 'opened', certified: true }])
  expect(link.of('misbehaved')).toEqual([])
})

test.each<[string, () => Promise<LinkProbe>, RegExp]>([
  [
    'another node answers at its address',
    async () => probe((await serve(acme, { name: 'n2' })).node.url, await acme.operator('mia')),
    /^it is plant-a\/n2 by its certificate, not n1$/,
  ],
  [
    'it is of another site than the inventory says',
    async () => {
      const { node } = await serve(acme, { site: 'plant-b' })
      return probe(node.url, await acme.operator('mia'), { site: 'plant-a' })
    },
    /^it is plant-b\/n1 by its certificate, not plant-a\/n1$/,
  ],
  [
    'it is of another fleet',
    async () => probe((await serve(other)).node.url, await acme.operator('mia')),
    /^its certificate is not from this fleet$/,
  ],
  [
    'its certificate has ended',
    async () => {
      const issued = await acme.node('plant-a', 'n1', { nowMs: Date.now() - 40 * 86_400_000 })
      return probe((await serve(acme, { issued })).node.url, await acme.operator('mia'))
    },
    /^its certificate has ended, or the clock of this machine is ahead$/,
  ],
  [
    'its certificate is yet to come',
    async () => {
      const issued = await acme.node('plant-a', 'n1', { nowMs: Date.now() + 86_400_000 })
      return probe((await serve(acme, { issued })).node.url, await acme.operator('mia'))
    },
    /^its certificate is not valid yet/,
  ],
  [
    'a controller answers there',
    async () => {
      const issued = await acme.controller('eu')
      return probe((await serve(acme, { issued })).node.url, await acme.operator('mia'))
    },
    /^a controller answers there, and no node$/,
  ],
  [
    'it speaks plain',
    async () => {
      const node = await new LiveNode().start()
      stops.push(() => node.server.stop())
      return probe(node.url.replace('ws:', 'wss:'), await acme.operator('mia'))
    },
    /^no TLS is spoken there/,
  ],
  [
    'it speaks TLS and is asked in plain',
    async () => probe((await serve(acme)).node.url.replace('wss:', 'ws:'), null),
    /^it does not speak plain ws:\/\/|^the connection was reset$/,
  ],
  ['nobody logged in', async () => probe((await serve(acme)).node.url, null), /log in with edgedeck login/],
  [
    'the operator is of another fleet',
    async () => {
      const strange = await other.operator('mia')
      // Trusts this fleet, and is not of it.
      cpSync((await acme.operator('mia')).dir, strange.dir, {
        recursive: true,
        filter: (path) => !/key|cert/.test(path),
      })
      return probe((await serve(acme)).node.url, strange)
    },
    /trust\.json is of another fleet than .*cert\.pem.* → log in anew: edgedeck login$/,
  ],
  [
    'the operator was revoked',
    async () => {
      const eve = await acme.operator('eve')
      acme.deny({ names: [{ name: 'operator/eve', before: Date.now() + 60_000, why: 'left the company' }] })
      return probe((await serve(acme)).node.url, eve)
    },
    /^it refused us: operator\/eve was revoked: left the company$/,
  ],
  [
    "the operator's day is over",
    async () => probe((await serve(acme)).node.url, await acme.operator('mia', {}, { nowMs: Date.now() - 86_400_000 })),
    /^your certificate ended 12 h ago: run edgedeck login$/,
  ],
  [
    'the key is open to others',
    async () => {
      const mia = await acme.operator('mia')
      chmodSync(mia.keyFile, 0o644)
      return probe((await serve(acme)).node.url, mia)
    },
    /key\.pem can be read by other users of this machine → run "chmod 600 /,
  ],
  [
    'it is a revoked node',
    async () => {
      const { node } = await serve(acme, { name: 'n1', site: 'plant-z' })
      acme.deny({ names: [{ name: 'node/plant-z/n1', before: Date.now() + 60_000, why: 'stolen' }] })
      return probe(node.url, await acme.operator('mia'))
    },
    /^its certificate does not count: node\/plant-z\/n1 was revoked: stolen$/,
  ],
])('says why there is no session when %s', async (_what, begin, reason) => {
  expect(await refusalOf(await begin())).toMatch(reason)
})

test('takes no other name from a node than its certificate has', async () => {
  const welcome = { name: 'n9', site: 'plant-a', version: '0', instance: 'i', startedAt: 1 }
  const { node } = await serve(acme, { node: welcome })
  const link = probe(node.url, await acme.operator('mia'))
  await link.until(() => link.of('misbehaved').length > 0)
  expect(link.of('misbehaved')[0]?.message).toBe('it calls itself by another name than its certificate')
  expect(link.frames()).toEqual([])
})

test('counts a login in another terminal from then on', async () => {
  const { node } = await serve(acme)
  const mia = await acme.operator('mia', {}, { nowMs: Date.now() - 86_400_000 })
  const link = probe(node.url, mia)
  expect(await refusalOf(link)).toContain('run edgedeck login')
  const fresh = await acme.operator('mia')
  for (const name of readdirSync(fresh.dir)) cpSync(join(fresh.dir, name), join(mia.dir, name))
  await link.until(() => link.frames().includes('status'))
})

test("signs what changes something with the session's key, in the node's time, and has it written down first", async () => {
  const issued = await acme.node('plant-a', 'n1')
  const identity = new SecureIdentity(acme, issued)
  const frames: FrameOf<{ t: 'command'; envelope?: unknown }, 'command'>[] = []
  const desk = new CommandDesk({
    node: { site: 'plant-a', name: 'n1' },
    table: { ...idleVerbs(), 'fault.slow': ({ ms }) => ({ slowMs: ms ?? null }) },
    identity,
    log: { info: () => undefined, warn: () => undefined },
  })
  const { node } = await serve(acme, {
    identity,
    command: (peer, frame) => {
      frames.push(frame)
      return desk.carryOut(peer, frame)
    },
  })
  // Neither the wall clock of the node nor the time it trusts is ours.
  node.wallShiftMs = -86_400_000
  identity.clockShiftMs = 3_600_000
  const written: [string, SentCommand | undefined][] = []
  let refuses = false
  const journal: CommandJournal = {
    sending: async (command) => {
      if (refuses) throw new Error('the disk is full')
      written.push(['sending', command])
    },
    answered: ({ envelope }, { ok }) => written.push([`answered ${ok} ${envelope === null}`, undefined]),
  }
  const link = probe(node.url, await acme.operator('mia'), { journal })
  await link.until(() => link.of('clock').length > 0)
  const outcome = await link.link.command('fault.slow', { ms: 5 }, { why: 'drill 7' })
  expect(outcome).toEqual({ ok: true, result: { slowMs: 5 } })
  expect(written.map(([what]) => what)).toEqual(['sending', 'answered true false'])
  expect(written[0]?.[1]).toMatchObject({ node: { site: 'plant-a', name: 'n1' }, verb: 'fault.slow', why: 'drill 7' })
  expect(frames[0]?.envelope).toMatchObject({ why: 'drill 7', node: 'n1', site: 'plant-a' })
  expect(await link.link.command('resend.status', {})).toMatchObject({ ok: true })
  expect(frames[1]?.envelope).toBeUndefined()
  refuses = true
  expect(await link.link.command('fault.slow', { ms: 6 })).toMatchObject({
    ok: false,
    message: 'it was not sent: the disk is full',
  })
  expect(frames).toHaveLength(2)
})
