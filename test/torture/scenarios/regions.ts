import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import type { Hub } from '../hub.ts'
import type { TortureNode } from '../torture-node.ts'
import type { Outcome, World } from '../world.ts'

/** Two regions that are joined by a leaf node and share no interest in our subjects, so that each stores only its own. */
async function joinedRegions(world: World): Promise<[Hub, Hub]> {
  const port = await freePort()
  const east = await world.addHub('east', {
    domain: 'east',
    moreConfig: `leafnodes { listen: "127.0.0.1:${port}" }\n`,
  })
  const west = await world.addHub('west', {
    domain: 'west',
    moreConfig: `leafnodes {
  reconnect: 1
  remotes: [{ url: "nats-leaf://127.0.0.1:${port}", deny_imports: ["edge.>"], deny_exports: ["edge.>"] }]
}
`,
  })
  return [east, west]
}

function addNode(world: World, hubs: readonly Hub[], mode: 'failover' | 'all'): Promise<TortureNode> {
  return world.addNode({
    name: 'n1',
    hubs,
    settings: { 'upstream.regionMode': mode },
    regions: hubs.map(({ region }) => region),
  })
}

/** The first region dies, half opens and comes back; the second takes over: together they hold everything, each once. */
export async function runFailover(world: World): Promise<Outcome> {
  const hubs = await joinedRegions(world)
  const [east, west] = hubs
  const node = await addNode(world, hubs, 'failover')
  world.feed(node)
  await world.moreAcks(150)
  await east.kill()
  world.did('region died')
  await world.heldMore(west, 5)
  await world.moreAcks(100)
  await node.kill()
  await world.moreAcks(50)
  await east.start()
  await world.moreAcks(150)
  node.links[0]?.hang()
  world.did('region half open')
  await world.heldMore(west, 5)
  await node.links[0]?.mend()
  await world.moreAcks(100)
  return world.settle({}, { 'region died': 1, 'region half open': 1, acks: 500 })
}

/** Every region gets everything; one is dead for a while, and neither holds up the other. */
export async function runAllRegions(world: World): Promise<Outcome> {
  const hubs = await joinedRegions(world)
  const [east, west] = hubs
  const node = await addNode(world, hubs, 'all')
  world.feed(node)
  await world.moreAcks(100)
  await west.kill()
  world.did('region died')
  await world.heldMore(east, 10)
  await node.kill()
  await world.moreAcks(100)
  await west.start()
  await east.kill()
  world.did('region died')
  await world.heldMore(west, 10)
  await east.start()
  await world.moreAcks(100)
  return world.settle({ eachRegion: true }, { 'region died': 2, acks: 300 })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
