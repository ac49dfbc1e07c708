import { eventually } from '../../support/edge-daemon.ts'
import type { Outcome, World } from '../world.ts'

/** Calls of `node:fs` by which the store changes its files, and how many of them a start may make before it serves. */
const CALLS = [
  { call: 'writevSync', upTo: 40 },
  { call: 'fdatasyncSync', upTo: 40 },
  { call: 'writeSync', upTo: 60 },
  { call: 'openSync', upTo: 12 },
  { call: 'fsyncSync', upTo: 4 },
  { call: 'unlinkSync', upTo: 2 },
] as const
const DIE_WITHIN_MS = 8000

/**
 * SIGKILL exactly before and exactly after the calls by which the store writes, syncs, marks and removes, at counts by
 * seed: between write and sync, between sync and answer, between a new file and its folder's entry.
 */
export async function runCalls(world: World, { rounds }: { readonly rounds: number }): Promise<Outcome> {
  const hub = await world.addHub()
  // Segments are small and few, so that beginning and removing them is among the calls that are hit.
  const node = await world.addNode({ name: 'n1', hubs: [hub], settings: { 'store.segmentBytes': '64KiB' } })
  world.feed(node, { senders: 6, pauseMs: 15 })
  for (let round = 0; round < rounds; round += 1) {
    for (const { call, upTo } of CALLS) {
      const when = (round + call.length) % 2 === 0 ? 'before' : 'after'
      const crash = `${call}:${when}:${world.between(1, upTo)}`
      node.prepare({ crash })
      await node.kill()
      const deaths = node.deaths
      const died = await eventually(() => node.deaths > deaths, { timeoutMs: DIE_WITHIN_MS }).then(
        () => true,
        () => false,
      )
      world.did(died ? 'died at a call' : 'call not reached')
      world.say(`  ${crash}: ${died ? 'died there' : 'not reached'}; ${world.journal.total('acks')} acks so far`)
    }
  }
  await node.serving()
  await world.moreAcks(50)
  return world.settle({}, { 'died at a call': rounds * 4, acks: rounds * 20 })
}
