import { cpSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync } from 'node:fs'
import path from 'node:path'
import { LAUNCHER, runDaemon } from '../../support/edge-daemon.ts'
import type { Outcome, World } from '../world.ts'

const FRAME_MAGIC = 'ed67dc01'
const FRAME_HEADER_BYTES = 80
const PAYLOAD_BYTES_AT = 12

/** A second daemon on a state directory refuses, again and again, also right after the first was killed and came back. */
export async function runTwoOwners(world: World): Promise<Outcome> {
  const hub = await world.addHub()
  const node = await world.addNode({ name: 'n1', hubs: [hub] })
  world.feed(node)
  for (let round = 0; round < 4; round += 1) {
    await world.moreAcks(40)
    const { code, stderr, stdout } = await runDaemon([process.execPath, LAUNCHER, '--config', node.home.configFile])
    if (!`${stderr}${stdout}`.includes('STORE_LOCKED')) {
      world.broke({ rule: 'two owners', node: node.name, msg: `a second daemon ended with ${code}: ${stderr}` })
    }
    world.did('second owner refused')
    await node.kill()
    await node.serving()
  }
  await world.moreAcks(40)
  return world.settle({}, { 'second owner refused': 4, 'daemon killed': 4, acks: 150 })
}

/** A state directory is copied while blocks wait in it, and both copies go on as nodes of one name. */
export async function runCloned(world: World): Promise<Outcome> {
  const hub = await world.addHub()
  const node = await world.addNode({ name: 'n1', hubs: [hub] })
  world.feed(node)
  await world.moreAcks(150)
  node.links[0]?.cut()
  await world.moreAcks(100)
  await node.stop('SIGKILL')
  const clone = await world.addNode({ name: 'n1', hubs: [hub], copyOf: node.home.stateDir, isCut: true })
  world.feed(clone)
  await node.resume()
  // Both give out the same sequences before either sees the hub again.
  await world.moreAcks(100)
  for (const { links } of [node, clone]) await links[0]?.mend()
  await world.moreAcks(200)
  await clone.kill()
  await world.moreAcks(100)
  return world.settle({ clones: true }, { acks: 600, 'daemon killed': 1, 'ledger new_epoch': 1 })
}

/** A node comes back with a state directory of some time ago, then with an empty one. */
export async function runRestoredDisk(world: World): Promise<Outcome> {
  const hub = await world.addHub()
  const node = await world.addNode({ name: 'n1', hubs: [hub] })
  const { stateDir } = node.home
  const copy = `${stateDir}-copy`
  const feedAndDrain = async (): Promise<void> => {
    const traffic = world.feed(node)
    await world.moreAcks(150)
    await traffic.stop()
    await world.arrived({ clones: true })
    await node.stop()
  }
  const traffic = world.feed(node)
  await world.moreAcks(100)
  await node.stop('SIGKILL')
  await traffic.stop()
  cpSync(stateDir, copy, { recursive: true })
  await node.resume()
  await feedAndDrain()
  node.newDisk()
  rmSync(stateDir, { recursive: true })
  renameSync(copy, stateDir)
  world.did('disk set back')
  await node.resume()
  await feedAndDrain()
  node.newDisk()
  for (const name of readdirSync(stateDir)) rmSync(path.join(stateDir, name), { recursive: true })
  world.did('disk wiped')
  await node.resume()
  world.feed(node)
  await world.moreAcks(150)
  return world.settle({ clones: true }, { 'disk set back': 1, 'disk wiped': 1, acks: 500, 'ledger new_epoch': 1 })
}

/** The newest segment ends at the border of a frame, as if its last commits had never been: the watermark tells. */
export async function runCutLog(world: World): Promise<Outcome> {
  const hub = await world.addHub()
  const node = await world.addNode({ name: 'n1', hubs: [hub] })
  world.feed(node)
  for (const cutFrames of [1, 3, 10]) {
    await world.moreAcks(80)
    const epoch = node.served?.epoch
    await node.stop('SIGKILL')
    cutNewest(path.join(node.home.stateDir, 'store', 'segments'), cutFrames)
    world.did('log cut')
    await node.resume()
    if (node.served?.epoch === epoch)
      world.broke({ rule: 'reused', node: node.name, msg: 'the log was cut and the epoch went on' })
  }
  await world.moreAcks(80)
  return world.settle({ excuses: ['lost_tail'] }, { 'log cut': 3, acks: 250, 'ledger lost_tail': 3 })
}

/** Take the last frames off the newest segment that holds more of them. */
function cutNewest(dir: string, frames: number): void {
  for (const name of readdirSync(dir)
    .filter((file) => file.endsWith('.log'))
    .sort()
    .reverse()) {
    const file = path.join(dir, name)
    const starts = frameStarts(readFileSync(file))
    if (starts.length <= frames) continue
    truncateSync(file, starts[starts.length - frames] as number)
    return
  }
  throw new Error(`no segment in ${dir} holds more than ${frames} frames`)
}

/** Where frames begin; format version 1, from its table in edge-daemon/store/frame.ts. */
function frameStarts(bytes: Buffer): number[] {
  const starts: number[] = []
  let at = 0
  while (at + FRAME_HEADER_BYTES <= bytes.length && bytes.toString('hex', at, at + 4) === FRAME_MAGIC) {
    starts.push(at)
    at += FRAME_HEADER_BYTES + bytes.readUInt32LE(at + PAYLOAD_BYTES_AT)
  }
  return starts
}
