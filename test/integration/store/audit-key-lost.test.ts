import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { AuditLog } from '../../../edge-daemon/audit/audit-log.ts'
import type { StoreKeys } from '../../../edge-daemon/store/seal.ts'
import { openStore } from '../../../edge-daemon/store/store.ts'
import type { AuditRecord } from '../../../protocol/audit.ts'
import { judgeNode } from '../../../src/audit/audit-verdict.ts'
import { storeFolder } from '../../support/store-folder.ts'

const A = { id: 1, secret: randomBytes(32) }
const B = { id: 2, secret: randomBytes(32) }

/** Open the store with these keys, write down so much, and tell what of the account can be read then. */
async function account(dir: string, keys: StoreKeys, count: number): Promise<AuditRecord[]> {
  const store = await openStore({ dir, nodeName: 'n1', maxBytes: 1e8, segmentBytes: 1e6, keys })
  const log = new AuditLog({ store, nodeName: 'n1' })
  try {
    await log.start()
    const who = { kind: 'operator', name: 'mia', role: 'operator' } as const
    for (let n = 0; n < count; n += 1) {
      await log.write({ timestamp: Date.now(), phase: 'intent', verb: 'resend', who, route: 'direct', address: 'x' })
    }
    await log.stop()
    const records = await store.read({ classes: ['audit'], limit: 100 })
    return records.map(({ line }) => JSON.parse(line) as AuditRecord)
  } finally {
    await store.close()
  }
}

const broken = (kept: readonly AuditRecord[]) =>
  judgeNode({ title: 'plant/n1', kept, streams: [], isAllRead: false, heldSeq: null }).map(
    ({ kind, n, msg }) => `${kind} ${n}: ${msg}`,
  )

test('an account whose end is sealed under a lost key says so once, and does not go on as though nothing had been', async () => {
  using folder = storeFolder()
  expect(await account(folder.dir, { keys: [A], lost: [] }, 3)).toHaveLength(3)
  const whole = await account(folder.dir, { keys: [A, B], lost: [] }, 2)
  expect(broken(whole)).toEqual([])
  await expect(account(folder.dir, { keys: [A], lost: [] }, 1)).rejects.toThrow(/sealed under key 2|key 2/)

  const said = /^broken 4: .*declared lost; the chain goes on behind record 3$/
  const left = await account(folder.dir, { keys: [A], lost: [2] }, 1)
  expect(left.map(({ verb }) => verb)).toEqual(['resend', 'resend', 'resend', 'audit.break', 'resend'])
  expect(broken(left)).toEqual([expect.stringMatching(said)])
  expect(broken(await account(folder.dir, { keys: [A], lost: [2] }, 1))).toEqual([expect.stringMatching(said)])
})

test('an account that nobody can read any more begins anew and says so; what is older than the lost key breaks nothing', async () => {
  using folder = storeFolder()
  await account(folder.dir, { keys: [A], lost: [] }, 3)
  const anew = await account(folder.dir, { keys: [B], lost: [1] }, 2)
  expect(anew.map(({ verb, chain }) => `${verb} ${chain.n}`)).toEqual(['audit.break 1', 'resend 2', 'resend 3'])
  expect(broken(anew)).toEqual([expect.stringMatching(/^broken 1: .* the chain goes on at 1$/)])

  using other = storeFolder()
  await account(other.dir, { keys: [A], lost: [] }, 3)
  await account(other.dir, { keys: [A, B], lost: [] }, 1)
  const rotated = await account(other.dir, { keys: [B], lost: [1] }, 1)
  expect(rotated.map(({ chain }) => chain.n)).toEqual([4, 5])
  expect(broken(rotated)).toEqual([])
})

test('while the key of its end is only missing, an account begins, takes nothing, and goes on when the key is back', async () => {
  using folder = storeFolder()
  await account(folder.dir, { keys: [A], lost: [] }, 1)
  await account(folder.dir, { keys: [A, B], lost: [] }, 2)
  const store = await openStore({
    dir: folder.dir,
    nodeName: 'n1',
    maxBytes: 1e8,
    segmentBytes: 1e6,
    keys: { keys: [A], lost: [] },
  })
  const faults: string[] = []
  const log = new AuditLog({ store, nodeName: 'n1', retryMs: 5, onFault: (msg) => faults.push(msg) })
  try {
    await log.start()
    expect(faults).toEqual([expect.stringContaining('key 2')])
    const who = { kind: 'operator', name: 'mia', role: 'operator' } as const
    const intent = {
      timestamp: Date.now(),
      phase: 'intent',
      verb: 'resend',
      who,
      route: 'direct',
      address: 'x',
    } as const
    await expect(log.write(intent)).rejects.toMatchObject({ code: 'AUDIT_FAILING' })
    await store.changeKeys({ keys: [A, B], lost: [] })
    expect(await log.write(intent)).toBe(4)
  } finally {
    await log.stop()
    await store.close()
  }
})
