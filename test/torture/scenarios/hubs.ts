import { eventually } from '../../support/edge-daemon.ts'
import type { Outcome, World } from '../world.ts'

const MB = 1e6

/** The hub is set back to an older copy of itself, twice, once while the node is down: the node sends again from there. */
export async function runOldHub(world: World): Promise<Outcome> {
  const hub = await world.addHub()
  const node = await world.addNode({ name: 'n1', hubs: [hub] })
  world.feed(node)
  for (const isDown of [false, true]) {
    await world.moreAcks(150)
    const snapshot = await hub.snapshot()
    const before = (await hub.state()).lastSeq
    await world.moreAcks(150)
    await eventually(async () => (await hub.state()).lastSeq > before + 5, { what: 'more is held since the snapshot' })
    if (isDown) await node.stop('SIGKILL')
    await hub.restore(snapshot)
    world.did('hub set back')
    world.say(`  the hub is back at a copy of position ${before}; ${world.journal.total('acks')} acks so far`)
    if (isDown) await node.resume()
    await world.moreAcks(50)
  }
  return world.settle({}, { 'hub set back': 2, acks: 700 })
}

/** The stream is full for a while and refuses, then has room again; then all it holds is purged, while blocks come. */
export async function runStreamLimits(world: World): Promise<Outcome> {
  const hub = await world.addHub()
  const node = await world.addNode({ name: 'n1', hubs: [hub] })
  const traffic = world.feed(node)
  await world.moreAcks(100)
  await hub.updateStream({ max_bytes: (await hub.state()).bytes + 2000 })
  world.did('stream full')
  await eventually(async () => (await node.status()).uplink.targets[0]?.error != null, {
    what: 'the node says it is full',
  })
  await world.moreAcks(200)
  await hub.updateStream({ max_bytes: 1000 * MB })
  await world.moreAcks(100)
  await traffic.stop()
  await eventually(async () => (await node.status()).uplink.backlogRecords === 0, { what: 'the node has sent all' })
  world.did('messages purged', await hub.purge())
  for (const kill of [false, true]) {
    const more = world.feed(node)
    await world.moreAcks(100)
    await more.stop()
    if (kill) await node.kill()
    await eventually(async () => (await node.status()).uplink.backlogRecords === 0, { what: 'the node has sent all' })
    world.did('messages purged', await hub.purge())
  }
  world.feed(node)
  await world.moreAcks(100)
  return world.settle({}, { 'stream full': 1, 'messages purged': 10, acks: 700 })
}
