import { expect, test, vi } from 'vitest'
import type { Lease, LeaseBook } from '../../../src/rollout/contract.ts'

/** Two books over the same store, as two processes have them. */
export interface LeasePair {
  readonly one: LeaseBook
  readonly other: LeaseBook
  /** How long a lease is held without a word. */
  readonly leaseMs: number
}

/** The lease that was taken. @throws when somebody else has it */
export async function taken(book: LeaseBook, holder: string, rollout = 'r1'): Promise<Lease> {
  const lease = await book.take(rollout, holder)
  if ('heldBy' in lease) throw new Error(`${lease.heldBy} has it for ${lease.forMs} ms`)
  return lease
}

/** Longer than any test takes. */
const LONG_MS = 120_000
/** So long that a machine that is busy is not late with a renewal, and so short that one waits for its end. */
const SHORT_MS = 4000

/** What every book of leases holds to. `open` gives an empty store each time, whose leases last as long as is told. */
export function leaseLaws(open: (leaseMs: number) => Promise<LeasePair & AsyncDisposable>): void {
  test('one has it, and the other is told who and for how long', async () => {
    await using pair = await open(LONG_MS)
    const { one, other, leaseMs } = pair
    expect(await other.look('r1')).toBeNull()
    const lease = await taken(one, 'mia at bastion')
    expect(lease.untilMs).toBeGreaterThan(performance.now())
    expect(lease.untilMs).toBeLessThanOrEqual(performance.now() + leaseMs)
    const held = await other.take('r1', 'controller')
    expect(held).toMatchObject({ heldBy: 'mia at bastion' })
    expect((held as { forMs: number }).forMs).toBeGreaterThan(0)
    expect((held as { forMs: number }).forMs).toBeLessThanOrEqual(leaseMs)
    expect(await other.look('r1')).toMatchObject({ heldBy: 'mia at bastion' })
    expect(await other.take('r2', 'controller')).toHaveProperty('untilMs')
  })

  test('it lasts as long as it is renewed', async () => {
    await using pair = await open(SHORT_MS)
    const { one, other, leaseMs } = pair
    const lease = await taken(one, 'mia')
    const endMs = performance.now() + 1.3 * leaseMs
    while (performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, leaseMs / 20))
      expect(await lease.renew()).toBe(true)
      expect(await other.take('r1', 'controller')).toHaveProperty('heldBy')
    }
    expect(lease.untilMs).toBeGreaterThan(performance.now())
  })

  test('the next has it at once when it is given back', async () => {
    await using pair = await open(LONG_MS)
    const { one, other } = pair
    const first = await taken(one, 'mia')
    await first.release()
    const second = await taken(other, 'controller')
    expect(await first.renew()).toBe(false)
    expect(await one.take('r1', 'mia')).toHaveProperty('heldBy', 'controller')
    // Who lost it gives nothing back of the one who has it.
    await first.release()
    expect(await one.look('r1')).toMatchObject({ heldBy: 'controller' })
    expect(await second.renew()).toBe(true)
  })

  test('the next has it when the time of one that says nothing more is over, and no sooner', async () => {
    await using pair = await open(SHORT_MS)
    const { one, other } = pair
    const first = await taken(other, 'controller')
    let next: Lease | undefined
    await vi.waitFor(async () => {
      next = await taken(one, 'mia')
    }, 60_000)
    expect(performance.now()).toBeGreaterThanOrEqual(first.untilMs)
    expect(await first.renew()).toBe(false)
    await first.release()
    expect(await next?.renew()).toBe(true)
    expect(await other.look('r1')).toMatchObject({ heldBy: 'mia' })
  })

  test('of many that want it at once one has it', async () => {
    await using pair = await open(LONG_MS)
    const { one, other } = pair
    const wants = Array.from({ length: 8 }, (_, at) => (at % 2 === 0 ? one : other).take('r1', `h${at}`))
    const outcomes = await Promise.all(wants)
    expect(outcomes.filter((outcome) => !('heldBy' in outcome))).toHaveLength(1)
  })
}
