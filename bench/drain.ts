/**
 * A backlog after a long outage: how quickly a daemon starts over it, how much memory it takes, and how quickly it drains
 * it to a real nats-server, beside the packed publish limit in the same run. Then the same with kill -9 while the link is
 * cut: what that costs beyond the transfer itself.
 *
 * Run with `node bench/drain.ts [--records 1000000] [--bytes 230] [--rounds 3]` after `npm run build`.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DaemonProcess } from '../src/demo/daemon-process.ts'
import { startNatsServer } from '../src/demo/nats-server.ts'
import { createDemoStream } from '../src/demo/nats-stream.ts'
import { modelsDir } from '../src/demo/places.ts'
import { tcpLink } from '../test/support/tcp-link.ts'
import { fillBacklog, resultBodies } from './drain/backlog.ts'
import { packedPublishPerSec } from './drain/packed.ts'
import { backlogOf, residentBytes, until } from './drain/watch.ts'
import { seededRandom } from './simulator/random.ts'

const DRAIN_LIMIT_MS = 600_000
const NODE = 'press-4'

interface Round {
  readonly packedPerSec: number
  readonly startMs: number
  readonly drainPerSec: number
  readonly rssBytes: number
  readonly peakBytes: number
  /** Beyond the transfer itself, of a daemon that was killed while the link was cut. */
  readonly afterKillMs: number
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      records: { type: 'string', default: '1000000' },
      bytes: { type: 'string', default: '230' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const records = Number(values.records)
  const bodies = resultBodies(5000, Number(values.bytes), seededRandom(11))
  const rounds: Round[] = []
  for (let n = 0; n < Number(values.rounds); n += 1) {
    rounds.push(await round(records, bodies))
    console.error(JSON.stringify(rounds.at(-1)))
  }
  const row = (name: string, pick: (round: Round) => number, digits = 0): string => {
    const sorted = rounds.map(pick).sort((a, b) => a - b)
    const shown = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map((value) => (value ?? 0).toFixed(digits))
    return `| ${name} | ${shown.join('/')} |`
  }
  console.log(
    [
      `| ${records} records of ${values.bytes} bytes | min/median/max |`,
      '|---|---|',
      row('start until it serves, ms', (it) => it.startMs),
      row('resident while draining, MB (without models)', (it) => it.rssBytes / 1e6),
      row('most resident, MB', (it) => it.peakBytes / 1e6),
      row('packed publish, records/s', (it) => it.packedPerSec),
      row('drain, records/s', (it) => it.drainPerSec),
      row('ratio', (it) => it.drainPerSec / it.packedPerSec, 2),
      row('kill -9 while cut: beyond the transfer, ms', (it) => it.afterKillMs),
    ].join('\n'),
  )
}

async function round(records: number, bodies: readonly object[]): Promise<Round> {
  const dir = await mkdtemp(join(tmpdir(), 'edgedeck-bench-drain-'))
  const server = await startNatsServer({ dir: join(dir, 'nats') })
  const link = await tcpLink(server.port)
  const daemon = daemonOf(dir, link.port)
  try {
    await createDemoStream(server.url, { maxBytes: 20e9 })
    const lines = bodies.map((body, n) => JSON.stringify({ seq: n, node_id: NODE, timestamp: Date.now(), ...body }))
    await fillBacklog(join(dir, 'state'), { nodeName: NODE, records, bodies })
    link.cut()
    const began = performance.now()
    await daemon.start()
    const startMs = performance.now() - began
    const inferUrl = daemon.listening?.inferUrl ?? ''
    await link.mend()
    const isMoving = async (): Promise<boolean> => ((await backlogOf(inferUrl)) ?? records) < records
    const isDrained = async (): Promise<boolean> => (await backlogOf(inferUrl)) === 0
    await until(isMoving, DRAIN_LIMIT_MS)
    const left = (await backlogOf(inferUrl)) ?? records
    const drainMs = await until(isDrained, DRAIN_LIMIT_MS)
    const { nowBytes: rssBytes, peakBytes } = residentBytes(daemon.pid ?? 0)
    const drainPerSec = left / (drainMs / 1000)
    const packedPerSec = await packedPublishPerSec(server.url, { subject: 'edge.bench.packed.stats', lines, records })

    await daemon.stop()
    const more = Math.ceil(records / 10)
    await fillBacklog(join(dir, 'state'), { nodeName: NODE, records: more, bodies })
    link.cut()
    await daemon.start()
    await daemon.kill()
    await daemon.start()
    await link.mend()
    const tookMs = await until(isDrained, DRAIN_LIMIT_MS)
    const afterKillMs = tookMs - (more / drainPerSec) * 1000
    return { packedPerSec, startMs, drainPerSec, rssBytes, peakBytes, afterKillMs }
  } finally {
    await daemon.stop()
    await link[Symbol.asyncDispose]()
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

function daemonOf(dir: string, linkPort: number): DaemonProcess {
  return new DaemonProcess({
    configFile: join(dir, 'node.yaml'),
    tempDir: dir,
    config: (listen) => ({
      node: { name: NODE, site: 'plant-a' },
      inference: { listen: listen.inference },
      control: { listen: listen.control },
      metrics: { serve: 'inference' },
      models: { dir: modelsDir(), serve: 'digits', variant: 'fp32' },
      state: { dir: join(dir, 'state') },
      store: { maxBytes: '20GB' },
      upstream: { nats: { servers: [`nats://127.0.0.1:${linkPort}`] } },
    }),
    onSpawn: () => undefined,
    onExit: () => undefined,
  })
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
