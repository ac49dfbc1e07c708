import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { IdentityFiles } from '../../../edge-daemon/identity/files.ts'
import { joinByToken } from '../../../edge-daemon/identity/join.ts'
import { NodeIdentity } from '../../../edge-daemon/identity/node-identity.ts'
import { IdentityUpkeep } from '../../../edge-daemon/identity/upkeep.ts'
import { signDenyList } from '../../../identity/deny-list.ts'
import { issueLeaf, pemOf } from '../../../identity/issue.ts'
import { newKey, publicOf } from '../../../identity/keys.ts'
import { openAuthority } from '../../../src/pki/authority-folder.ts'
import { finishRootRotation, rotateIssuing, rotateRoot } from '../../../src/pki/rotate.ts'
import { eventually as within } from '../../support/edge-daemon.ts'
import { type ControllerHome, LocalController, PASSPHRASE, refused } from '../../support/fleet-controller.ts'
import { homeOnPort, tokenIn } from '../../support/joining.ts'

const DAY_MS = 86_400_000
const TIMEOUT = { timeout: 240_000 }
/** Sealed keys are opened and written in it, which takes seconds each where all processors are busy. */
const eventually = (so: () => boolean): Promise<void> => within(so, { timeoutMs: 90_000 })
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

/** A node that has joined and is switched off. */
async function joined() {
  const home = later(await homeOnPort())
  const controller = later(await new LocalController(home).start())
  const files = new IdentityFiles(join(home.dir, 'node'))
  await joinByToken(tokenIn(home.token('plant', 'n1')), files)
  return { home, controller, files }
}

function loaded(files: IdentityFiles): NodeIdentity {
  const identity = NodeIdentity.load(files)
  if (identity === null) throw new Error('it has not joined')
  return identity
}

function keep(identity: NodeIdentity, told: (event: string) => void = () => undefined): IdentityUpkeep {
  const upkeep = new IdentityUpkeep({
    identity,
    log: { info: told, warn: told, error: told },
    backoff: { firstMs: 50, maxMs: 200 },
    refusedBackoff: { firstMs: 50, maxMs: 200 },
    timeoutMs: 60_000,
  })
  upkeep.start()
  later({ [Symbol.asyncDispose]: () => upkeep.stop() })
  return upkeep
}

const distrust = (home: ControllerHome) =>
  rotateIssuing(openAuthority(home.authority.dir), {
    rootPassphrase: PASSPHRASE,
    issuingPassphrase: PASSPHRASE,
    distrust: 'the controller was taken',
    nowMs: Date.now(),
  })

test(
  'a node that slept through a change of the root takes the new one by its signature, and renews',
  TIMEOUT,
  async () => {
    const { home, controller, files } = await joined()
    const passphrases = { rootPassphrase: PASSPHRASE, issuingPassphrase: PASSPHRASE, passphrase: PASSPHRASE }
    const wish = { ...passphrases, distrust: null, nowMs: Date.now() }
    const oldIssuing = home.authority.unlockIssuing(PASSPHRASE)
    const both = await rotateRoot(openAuthority(home.authority.dir), wish)
    const changed = finishRootRotation(await rotateIssuing(both, wish), wish)
    const identity = loaded(files)
    const old = identity.leaf
    keep(identity)
    await eventually(() => identity.leaf.serialNumber !== old.serialNumber)
    expect(identity.leaf.issuer).toBe(changed.issuing.subject)
    expect(identity.bundle.version).toBe(changed.bundle.version)
    expect(loaded(files).leaf.serialNumber).toBe(identity.leaf.serialNumber)
    // The old issuing key alone, in whose hands ever, gets nothing by it.
    const [key, nowMs] = [newKey(), Date.now()]
    const named = { kind: 'node', fleet: 'acme', site: 'plant', node: 'n9' } as const
    const made = await issueLeaf(oldIssuing, { named, publicKey: publicOf(key), nowMs })
    const chain = pemOf(made, oldIssuing.certificate)
    expect(refused(await controller.client.renew(chain, key))).toBe('IDENTITY_REFUSED')
  },
)

test('a node starts again after its issuer was distrusted, says so, and joins anew with a token', TIMEOUT, async () => {
  const { home, files } = await joined()
  await distrust(home)
  const identity = loaded(files)
  const upkeep = keep(identity)
  await eventually(() => upkeep.findings().some(({ msg }) => msg.includes('join again')))
  expect(upkeep.findings()).toContainEqual(
    expect.objectContaining({
      code: 'certificate_ending',
      severity: 'critical',
      msg: expect.stringMatching(/counts no more.*join again/),
    }),
  )
  await upkeep.stop()
  expect(loaded(files).leaf.serialNumber).toBe(identity.leaf.serialNumber)
  const again = await joinByToken(tokenIn(home.token('plant', 'n1')), files)
  expect(again.before).toBe(false)
  expect(again.identity.leaf.issuer).toBe(openAuthority(home.authority.dir).issuing.subject)
})

test.each([
  ['slept', false],
  ['was connected', true],
])(
  'what a taken controller said of time and denial ends with the trust in it, where a node %s meanwhile',
  TIMEOUT,
  async (_, isConnected) => {
    const { home, files } = await joined()
    const rogue = home.authority.unlockIssuing(PASSPHRASE)
    const identity = loaded(files)
    const ahead = Date.now() + 600 * DAY_MS
    const names = [{ name: 'operator/mia', before: ahead, why: 'spite' }]
    const body = { v: 1, fleet: 'acme', version: 9_000_000, issuedAt: ahead, serials: [], names } as const
    const list = signDenyList(
      { ...body, names: [...names], serials: [] },
      { chain: [rogue.certificate], key: rogue.key },
    )
    expect(identity.takeDeny(list)).toEqual({ ok: true })
    expect(identity.nowMs()).toBeGreaterThan(ahead - 1000)

    const events: string[] = []
    const told = (event: string): void => void events.push(event)
    const early = isConnected ? keep(identity, told) : null
    if (early !== null) await eventually(() => identity.clock.isConfirmed)
    const rotated = await distrust(home)
    const upkeep = early ?? keep(identity, told)
    await eventually(() => Math.abs(identity.nowMs() - Date.now()) < DAY_MS)
    await upkeep.stop()
    const again = (await joinByToken(tokenIn(home.token('plant', 'n1')), files)).identity
    const named = {
      kind: 'operator',
      fleet: 'acme',
      name: 'mia',
      rights: { role: 'admin', permissions: [], sites: '*' },
    } as const
    const issuing = rotated.unlockIssuing(PASSPHRASE)
    const leaf = await issueLeaf(issuing, { named, publicKey: publicOf(newKey()), nowMs: Date.now() })
    expect(again.judgeChain([leaf, issuing.certificate])).toMatchObject({ ok: true })
    expect(Math.abs(again.nowMs() - Date.now())).toBeLessThan(DAY_MS)
  },
)
