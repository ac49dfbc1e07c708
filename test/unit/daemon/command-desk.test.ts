import { generateKeyPairSync, type KeyObject, type X509Certificate } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { CommandDesk } from '../../../edge-daemon/commands/command-desk.ts'
import type { CommandArgs, CommandWitness } from '../../../edge-daemon/commands/contract.ts'
import { NONCE_LIMITS } from '../../../edge-daemon/commands/nonce-book.ts'
import type { Peer } from '../../../edge-daemon/live/contract.ts'
import { digestOf, newNonce, signEnvelope } from '../../../identity/signing.ts'
import { ENVELOPE_LIFE_MS, ENVELOPE_SKEW_MS, type Envelope, type EnvelopeBody } from '../../../protocol/envelope.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import type { CommandFrame } from '../../../protocol/frames.ts'
import { type Rights, VERBS } from '../../../protocol/rights.ts'
import { idleVerbs } from '../../support/verb-table.ts'

const NODE = { site: 'plant-a', name: 'n1' }
const START_MS = 1_800_000_000_000
const OPERATOR: Rights = { role: 'operator', permissions: [], sites: ['plant-a'] }

let wallMs: number
let monotonicMs: number
let told: string[]
let carriedOut: CommandArgs[]
let refuseIntent: boolean

beforeEach(() => {
  wallMs = START_MS
  monotonicMs = 0
  told = []
  carriedOut = []
  refuseIntent = false
})

const witness: CommandWitness = {
  intended: async ({ verb, by, peer }) => {
    if (refuseIntent) throw new EdgeError('STORE_FAILING', { message: 'the disk refuses' })
    told.push(`${by.name} wants ${verb} through ${peer.kind === 'local' ? 'local' : peer.name}`)
  },
  ended: async ({ verb }, { ok }) => {
    told.push(`${verb} ended ${ok ? 'well' : 'badly'}`)
    throw new Error('the outcome cannot be told')
  },
  refused: (_peer, _frame, { code }) => told.push(`refused ${code}`),
}

function desk(identity = true, before: readonly { author: string; nonce: string }[] = []): CommandDesk {
  const judgeChain = () => ({ ok: false, why: 'untrusted', msg: 'not from this fleet' }) as const
  return new CommandDesk({
    node: NODE,
    table: {
      ...idleVerbs(),
      'fault.slow': (args) => {
        carriedOut.push(args)
        if (args.ms === -1) throw new EdgeError('COMMAND_REFUSED', { message: 'no' })
        return { done: true }
      },
      'resend.status': () => ({ state: 'done' }),
    },
    identity: identity ? { nowMs: () => wallMs, judgeChain } : null,
    log: { info: () => undefined, warn: (event) => told.push(event) },
    witness,
    before: [...before],
    clock: { wallMs: () => wallMs, monotonicMs: () => monotonicMs },
  })
}

/** Somebody with a session key; only what the desk reads of a certificate is there. */
function person(name: string, rights: Rights = OPERATOR, kind: 'operator' | 'controller' = 'operator') {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const certificate = { publicKey, validToDate: new Date(START_MS + 3_600_000) } as unknown as X509Certificate
  const peer: Peer = { kind, name, rights, certificate, route: 'direct', address: '127.0.0.1' }
  return { peer, key: privateKey }
}

function signed(key: KeyObject, change: Partial<EnvelopeBody> = {}, args: CommandArgs = { ms: 5 }): CommandFrame {
  const body: EnvelopeBody = {
    v: 1,
    verb: 'fault.slow',
    args: digestOf(args),
    site: NODE.site,
    node: NODE.name,
    nonce: newNonce(),
    issuedAt: wallMs,
    expiresAt: wallMs + 60_000,
    ...change,
  }
  return { t: 'command', id: 'c1', verb: 'fault.slow', args: { ...args }, envelope: signEnvelope(body, key) }
}

const local: Peer = { kind: 'local', rights: { ...OPERATOR, sites: '*' }, route: 'direct', address: '127.0.0.1' }

test('carries out what an operator signed, between the two words of its witness', async () => {
  const { peer, key } = person('mia')
  expect(await desk().carryOut(peer, signed(key))).toEqual({ done: true })
  // The last word could not be told: the log says so, and the answer stands.
  expect(told).toEqual([
    'mia wants fault.slow through mia',
    'command.done',
    'fault.slow ended well',
    'command.outcome_untold',
  ])
  expect(carriedOut).toEqual([{ ms: 5 }])
})

test('takes unsigned commands over plain loopback, as far as the local role goes', async () => {
  const frame: CommandFrame = { t: 'command', id: 'c1', verb: 'fault.slow', args: { ms: 5 } }
  expect(await desk(false).carryOut(local, frame)).toEqual({ done: true })
  const viewer: Peer = { ...local, rights: { ...local.rights, role: 'viewer' } }
  await expect(desk(false).carryOut(viewer, frame)).rejects.toMatchObject({
    code: 'RIGHT_MISSING',
    message: 'fault.slow needs the role operator, which local has not',
  })
})

test('names its verbs to who asks for one it does not know', async () => {
  const frame: CommandFrame = { t: 'command', id: 'c1', verb: 'toString', args: {} }
  await expect(desk().carryOut(local, frame)).rejects.toMatchObject({
    code: 'COMMAND_REFUSED',
    next: [`the verbs are: ${Object.keys(VERBS).join(', ')}`],
  })
})

test('lets nobody act whose rights end elsewhere, however well it is signed', async () => {
  const asked = async (rights: Rights): Promise<unknown> => {
    const { peer, key } = person('mia', rights)
    return desk().carryOut(peer, signed(key))
  }
  await expect(asked({ ...OPERATOR, sites: ['plant-b'] })).rejects.toThrow('needs the site plant-a, which mia has not')
  await expect(asked({ ...OPERATOR, role: 'viewer' })).rejects.toThrow('needs the role operator, which mia has not')
  expect(carriedOut).toEqual([])
})

test.each<[string, string, (frame: CommandFrame) => CommandFrame]>([
  ['unsigned', 'SIGNATURE_MISSING', ({ envelope: _gone, ...frame }) => frame],
  ['other arguments', 'SIGNATURE_INVALID', (frame) => ({ ...frame, args: { ms: 6 } })],
  ['another verb', 'SIGNATURE_INVALID', (frame) => ({ ...frame, verb: 'resend' })],
  ['a changed envelope', 'SIGNATURE_INVALID', (frame) => changed(frame, { why: 'because' })],
  ['longer than signed', 'SIGNATURE_INVALID', (frame) => changed(frame, { expiresAt: START_MS + 61_000 })],
  ['another node', 'SIGNATURE_INVALID', (frame) => changed(frame, { node: 'n2' })],
  ['a chain that is not believed', 'SIGNATURE_INVALID', (frame) => changed(frame, { chain: ['AAAA'] })],
])('refuses a command that is %s', async (_what, code, change) => {
  const { peer, key } = person('mia')
  await expect(desk().carryOut(peer, change(signed(key)))).rejects.toMatchObject({ code })
  expect(carriedOut).toEqual([])
  expect(told).toEqual(['command.refused', `refused ${code}`])
})

test.each<[string, string, Partial<EnvelopeBody>]>([
  ['for another node', 'SIGNATURE_INVALID', { node: 'n2' }],
  ['for another site', 'SIGNATURE_INVALID', { site: 'plant-b' }],
  ['before the node started', 'COMMAND_EXPIRED', { issuedAt: START_MS - 1 }],
  ['in the future', 'COMMAND_EXPIRED', { issuedAt: START_MS + ENVELOPE_SKEW_MS + 1, expiresAt: START_MS + 200_000 }],
  ['for too long', 'COMMAND_EXPIRED', { expiresAt: START_MS + ENVELOPE_LIFE_MS + 1 }],
  ['for no time', 'COMMAND_EXPIRED', { expiresAt: START_MS }],
])('refuses a command that is signed %s', async (_what, code, change) => {
  const { peer, key } = person('mia')
  await expect(desk().carryOut(peer, signed(key, change))).rejects.toMatchObject({ code })
  expect(carriedOut).toEqual([])
})

test('refuses what has ended by its clock', async () => {
  const { peer, key } = person('mia')
  const node = desk()
  const frame = signed(key)
  wallMs += 60_001
  await expect(node.carryOut(peer, frame)).rejects.toThrow('it ended 0 s ago')
  expect(carriedOut).toEqual([])
})

test('refuses what somebody else signed, and what a controller signed itself', async () => {
  const mia = person('mia')
  await expect(desk().carryOut(mia.peer, signed(person('eve').key))).rejects.toThrow('not by mia')
  const controller = person('eu', { role: 'admin', permissions: [], sites: '*' }, 'controller')
  await expect(desk().carryOut(controller.peer, signed(controller.key))).rejects.toThrow('may only hand on')
})

test('carries a command out once, also when the clock is set back, and not after a restart', async () => {
  const { peer, key } = person('mia')
  const first = desk()
  const frame = signed(key)
  wallMs += 1000
  monotonicMs += 1000
  await first.carryOut(peer, frame)
  await expect(first.carryOut(peer, frame)).rejects.toMatchObject({ code: 'COMMAND_REPLAYED' })
  wallMs -= 1000
  await expect(first.carryOut(peer, frame)).rejects.toMatchObject({ code: 'COMMAND_REPLAYED' })
  wallMs += 2000
  await expect(desk().carryOut(peer, frame)).rejects.toThrow('before this node started')
  expect(carriedOut).toHaveLength(1)
})

test('carries no command out twice while its clock stands still, however long', async () => {
  const { peer, key } = person('mia')
  const node = desk()
  const frame = signed(key)
  await node.carryOut(peer, frame)
  // Time goes by, and the clock is still behind what the fleet has signed.
  monotonicMs += 3_600_000
  for (let n = 1; n < NONCE_LIMITS.ofOne; n += 1) await node.carryOut(peer, signed(key))
  await expect(node.carryOut(peer, signed(key))).rejects.toMatchObject({ code: 'OVERLOADED' })
  await expect(node.carryOut(peer, frame)).rejects.toMatchObject({ code: 'COMMAND_REPLAYED' })
})

test('carries nothing out again that it did before a restart, though its clock stands where it stood', async () => {
  const { peer, key } = person('mia')
  const frame = signed(key)
  await desk().carryOut(peer, frame)
  const others = Array.from({ length: 600 }, (_, n) => ({ author: 'mia', nonce: `n${n}` }))
  const before = [{ author: 'mia', nonce: frame.envelope?.nonce ?? '' }, ...others]
  const restarted = desk(true, before)
  await expect(restarted.carryOut(peer, frame)).rejects.toMatchObject({ code: 'COMMAND_REPLAYED' })
  // However much they did before, they can go on.
  for (let n = 0; n < 100; n += 1) await restarted.carryOut(peer, signed(key))
  expect(carriedOut).toHaveLength(101)
})

test('takes commands of the right time when a clock that was days ahead at the start is put right', async () => {
  wallMs += 40 * 86_400_000
  const { peer, key } = person('mia')
  const node = desk()
  wallMs = START_MS + 5000
  monotonicMs += 5000
  expect(await node.carryOut(peer, signed(key))).toEqual({ done: true })
})

test('remembers so many commands of one operator, and lets others in meanwhile', async () => {
  const [mia, ben] = [person('mia'), person('ben')]
  const node = desk()
  for (let n = 0; n < NONCE_LIMITS.ofOne; n += 1) await node.carryOut(mia.peer, signed(mia.key))
  await expect(node.carryOut(mia.peer, signed(mia.key))).rejects.toMatchObject({ code: 'OVERLOADED' })
  expect(await node.carryOut(ben.peer, signed(ben.key))).toEqual({ done: true })
  wallMs += 200_000
  monotonicMs += 200_000
  expect(await node.carryOut(mia.peer, signed(mia.key))).toEqual({ done: true })
})

test('does nothing when its witness cannot write the intent down', async () => {
  refuseIntent = true
  const { peer, key } = person('mia')
  await expect(desk().carryOut(peer, signed(key))).rejects.toMatchObject({ code: 'STORE_FAILING' })
  expect(carriedOut).toEqual([])
})

test('tells its witness of what failed, and answers the failure', async () => {
  const { peer, key } = person('mia')
  await expect(desk().carryOut(peer, signed(key, { args: digestOf({ ms: -1 }) }, { ms: -1 }))).rejects.toThrow('no')
  expect(told).toEqual(['mia wants fault.slow through mia', 'fault.slow ended badly', 'command.outcome_untold'])
})

test('asks for no signature where nothing changes, and writes nothing down', async () => {
  const viewer = person('ben', { ...OPERATOR, role: 'viewer' })
  const frame: CommandFrame = { t: 'command', id: 'c1', verb: 'resend.status', args: {} }
  expect(await desk().carryOut(viewer.peer, frame)).toEqual({ state: 'done' })
  expect(told).toEqual([])
})

function changed(frame: CommandFrame, change: Partial<Envelope>): CommandFrame {
  return { ...frame, envelope: { ...(frame.envelope as Envelope), ...change } }
}
