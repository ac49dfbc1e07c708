import { eventually } from '../../support/edge-daemon.ts'
import { SmallDisk } from '../small-disk.ts'
import type { Outcome, World } from '../world.ts'

const DISK_BYTES = 24e6

/**
 * Others fill the disk again and again, to the last byte or nearly, while segments roll; the daemon is killed in the
 * middle of it and starts on a full disk. Each time space returns it goes on by itself.
 */
export async function runFullDisk(world: World, { rounds }: { readonly rounds: number }): Promise<Outcome> {
  const hub = await world.addHub()
  const settings = { 'store.segmentBytes': '64KiB', 'store.maxBytes': '12MB', 'log.maxBytes': '10KB', 'log.files': 1 }
  let disk: SmallDisk | null = null
  const node = await world.addNode({
    name: 'n1',
    hubs: [hub],
    settings,
    under: async (stateDir) => {
      disk = await SmallDisk.mount(stateDir, DISK_BYTES)
      world.onEnd(() => disk?.[Symbol.asyncDispose]())
      return disk.under()
    },
  })
  const small = disk as unknown as SmallDisk
  world.feed(node, { senders: 6, pauseMs: 15 })
  await world.moreAcks(100)
  for (let round = 0; round < rounds; round += 1) {
    const before = world.journal.total('notStored')
    small.fill(round % 3 === 0 ? 0 : world.between(0, 100_000))
    world.did('disk filled')
    await eventually(
      () => {
        // What eviction frees is taken too: other programs go on to write.
        small.fill(0)
        return world.journal.total('notStored') > before + 10
      },
      { timeoutMs: 60_000, what: 'answers are not stored' },
    )
    if (round % 2 === 1) {
      await node.kill()
      await node.serving()
      world.did('started on a full disk')
    }
    small.free()
    world.say(
      `  round ${round + 1}: ${world.journal.total('notStored')} not stored, ${world.journal.total('acks')} acks so far`,
    )
    await world.moreAcks(60)
  }
  const excuses = ['evicted']
  return world.settle({ excuses }, { 'disk filled': rounds, 'answered, not stored': rounds * 10, acks: rounds * 60 })
}
