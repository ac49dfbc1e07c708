import { eventually } from '../../support/edge-daemon.ts'
import { HttpHub } from '../http-hub.ts'
import type { Outcome, World } from '../world.ts'

/** The hub has a block and the node never hears of it; then the node is killed, or the hub, or both. */
export async function runLostAnswers(world: World, { rounds }: { readonly rounds: number }): Promise<Outcome> {
  const hub = await world.addHub()
  const node = await world.addNode({ name: 'n1', hubs: [hub] })
  world.feed(node)
  for (let round = 0; round < rounds; round += 1) {
    await world.moreAcks(60)
    const link = node.links[0]
    await eventually(async () => (await node.status()).uplink.targets[0]?.state === 'up', { what: 'the uplink is up' })
    const before = (await hub.state()).lastSeq
    link?.hang('answers')
    await eventually(async () => (await hub.state()).lastSeq > before, { what: 'a block arrives' })
    world.did('answer lost')
    if (round % 3 !== 1) await node.kill()
    if (round % 3 !== 0) await hub.kill()
    await link?.mend()
    if (!hub.isUp) await hub.start()
    world.say(`  round ${round + 1}: ${world.journal.total('acks')} acks so far`)
  }
  await world.moreAcks(60)
  return world.settle({}, { 'answer lost': rounds, acks: rounds * 50 })
}

/** Blocks go over HTTP to a receiver that compares and stores: killed, cut off, half open, set back. */
export async function runHttp(world: World, { rounds }: { readonly rounds: number }): Promise<Outcome> {
  const hub = await HttpHub.start()
  world.onEnd(() => hub.end())
  world.hubs.push(hub)
  const node = await world.addNode({ name: 'n1', hubs: [hub], isHttp: true })
  world.feed(node)
  const link = node.links[0]
  for (let round = 0; round < rounds; round += 1) {
    await world.moreAcks(60)
    const arrived = async (count: number): Promise<void> => {
      const from = hub.held
      const isMore = () => hub.held >= from + count
      await eventually(isMore, { timeoutMs: 60_000, what: `${count} blocks arrive` })
    }
    // What the receiver holds was asked for before: the next answer to be lost is that to a block.
    await arrived(2)
    link?.hang('answers')
    await arrived(1)
    world.did('answer lost')
    if (round % 2 === 0) await node.kill()
    await link?.mend()
    await hub.kill()
    world.did('receiver killed')
    await world.moreAcks(30)
    await hub.restart()
    if (round % 2 === 1) {
      await arrived(3)
      await hub.loseTail(2)
      world.did('receiver set back')
    }
    world.say(`  round ${round + 1}: ${hub.held} blocks, ${world.journal.total('acks')} acks so far`)
  }
  await world.moreAcks(60)
  return world.settle({}, { 'answer lost': rounds, 'receiver killed': rounds, acks: rounds * 80 })
}
