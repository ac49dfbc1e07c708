import { eventually } from '../../support/edge-daemon.ts'
import type { TortureNode } from '../torture-node.ts'
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

/** Calls by which records leave the log: the note of it is synced, segments are rewritten, renamed and removed. */
const EVICTION_CALLS = ['renameSync', 'unlinkSync', 'fsyncSync', 'writevSync', 'fdatasyncSync'] as const

/**
 * Killed before and after the calls by which a store over its size makes room: between the ledger's note and what it
 * says, between the new segment and the old ones. What is gone must be what the ledger tells.
 */
export async function runEvicting(world: World, { rounds }: { readonly rounds: number }): Promise<Outcome> {
  const hub = await world.addHub()
  const settings = { 'store.segmentBytes': '64KiB', 'store.keep.normal.maxBytes': '100KB', 'store.maxBytes': '2MB' }
  const node = await world.addNode({ name: 'n1', hubs: [hub], settings })
  world.feed(node, { senders: 8, pauseMs: 10, abnormalShare: 0.2 })
  await world.moreAcks(800)
  for (let round = 0; round < rounds; round += 1) {
    const call = EVICTION_CALLS[round % EVICTION_CALLS.length] as string
    const when = round % 2 === 0 ? 'before' : 'after'
    const isRare = call === 'renameSync' || call === 'unlinkSync' || call === 'fsyncSync'
    await crash(world, node, `${call}:${when}:${isRare ? 1 + (round % 3) : world.between(40, 200)}`)
  }
  await node.serving()
  await world.moreAcks(300)
  return world.settle(
    { excuses: ['evicted'] },
    { 'died at a call': Math.ceil(rounds / 2), 'ledger evicted': 3, acks: 1000 + rounds * 50 },
  )
}

/** Let the node die at a call of its next life; whether it got there is counted. */
async function crash(world: World, node: TortureNode, at: string): Promise<void> {
  node.prepare({ crash: at })
  await node.kill()
  const deaths = node.deaths
  const died = await eventually(() => node.deaths > deaths, { timeoutMs: DIE_WITHIN_MS }).then(
    () => true,
    () => false,
  )
  world.did(died ? 'died at a call' : 'call not reached')
  world.say(`  ${at}: ${died ? 'died there' : 'not reached'}; ${world.journal.total('acks')} acks so far`)
}

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
      await crash(world, node, `${call}:${when}:${world.between(1, upTo)}`)
    }
  }
  await node.serving()
  await world.moreAcks(50)
  return world.settle({}, { 'died at a call': rounds * 4, acks: rounds * 20 })
}
