import { closeSync, openSync, readdirSync, readSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'
import path from 'node:path'
import type { Outcome, World } from '../world.ts'

/**
 * While the node is down, bytes of its state directory are flipped, files cut short and files removed, by seed. It starts
 * all the same, loses at most what was hit, says so in the ledger, and what had gone up is neither sent twice nor missed.
 */
export async function runFlipped(world: World, { rounds }: { readonly rounds: number }): Promise<Outcome> {
  const hub = await world.addHub()
  const node = await world.addNode({ name: 'n1', hubs: [hub], settings: { 'store.segmentBytes': '64KiB' } })
  world.feed(node, { senders: 6, pauseMs: 15 })
  for (let round = 0; round < rounds; round += 1) {
    await world.moreAcks(150)
    await node.stop('SIGKILL')
    const done = damageOne(world, path.join(node.home.stateDir, 'store'))
    world.did('file damaged')
    world.say(`  ${done}; ${world.journal.total('acks')} acks so far`)
    await node.resume()
  }
  await world.moreAcks(100)
  return world.settle({ excuses: ['corrupt', 'lost_tail'] }, { 'file damaged': rounds, acks: rounds * 100 })
}

/** Damage one file of a folder; what was done to it. */
function damageOne(world: World, dir: string): string {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('quarantine') && statSync(path.join(dir, name)).isFile())
    .sort()
  const name = files[world.between(0, files.length)] as string
  const file = path.join(dir, name)
  const { size } = statSync(file)
  const isSegment = name.startsWith('segments')
  const at = world.between(0, Math.max(1, size))
  const kind = world.between(0, isSegment ? 3 : 4)
  if (kind === 3) {
    rmSync(file)
    return `${name} removed`
  }
  if (kind === 2) {
    truncateSync(file, at)
    return `${name} cut from ${size} to ${at} bytes`
  }
  const fd = openSync(file, 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, at)
  byte[0] = (byte[0] as number) ^ (1 << world.between(0, 8))
  writeSync(fd, byte, 0, 1, at)
  closeSync(fd)
  return `one bit of ${name} flipped at ${at} of ${size}`
}
