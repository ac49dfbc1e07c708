/**
 * Bytes on the wire for 100 MB of raw pictures a minute (requirement L3), by class: a real daemon, cameras that send
 * pictures of 640×480, a real nats-server behind a link that counts every byte, and a console that looks on.
 *
 * Run with `node bench/wire.ts [--seconds 60] [--json]` after `npm run build`.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Camera } from '../src/demo/camera.ts'
import { DaemonProcess } from '../src/demo/daemon-process.ts'
import { FramePainter, loadDigits } from '../src/demo/digit-frames.ts'
import { FramePool } from '../src/demo/frame-pool.ts'
import { startNatsServer } from '../src/demo/nats-server.ts'
import { createDemoStream } from '../src/demo/nats-stream.ts'
import { installationRoot, modelsDir, samplesDir } from '../src/demo/places.ts'
import { tcpLink } from '../test/support/tcp-link.ts'
import { seededRandom } from './simulator/random.ts'
import { readSentBytes, shareOf } from './wire/sent-bytes.ts'

const RAW_BYTES_PER_SEC = 100e6 / 60
const CAMERAS = 4
const WARM_UP_MS = 5000
/** What is reported is scaled to this many bytes of raw pictures. */
const REPORT_BYTES = 100e6

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '60' }, json: { type: 'boolean', default: false } },
  })
  const seconds = Number(values.seconds)
  if (!(seconds > 0)) throw new Error('--seconds takes a number above 0')
  const dir = await mkdtemp(join(tmpdir(), 'edgedeck-bench-wire-'))
  const server = await startNatsServer({ dir: join(dir, 'nats') })
  const link = await tcpLink(server.port)
  const daemon = daemonBehind(link.port, dir)
  const cameras: Camera[] = []
  const random = seededRandom(7)
  const pool = new FramePool(new FramePainter(loadDigits(samplesDir()), random), random)
  try {
    await createDemoStream(server.url)
    await daemon.start()
    const { inferUrl = '', liveUrl = '' } = daemon.listening ?? {}
    const watcher = spawn(process.execPath, watchArgs(liveUrl), { stdio: 'ignore' })
    pool.start()
    await pause(WARM_UP_MS)
    for (let n = 0; n < CAMERAS; n += 1) {
      const framesPerSec = RAW_BYTES_PER_SEC / CAMERAS / (pool.next()?.length ?? 90_000)
      cameras.push(new Camera({ url: inferUrl, nextFrame: () => pool.next(), framesPerSec, random }))
    }
    for (const camera of cameras) camera.start()
    await pause(WARM_UP_MS)
    const before = { ...(await readSentBytes(inferUrl)), link: link.clientBytes() }
    await pause(seconds * 1000)
    const after = { ...(await readSentBytes(inferUrl)), link: link.clientBytes() }
    watcher.kill()
    const share = shareOf(before, after, REPORT_BYTES)
    console.log(values.json ? JSON.stringify(share) : table(share, seconds))
  } finally {
    for (const camera of cameras) camera.stop()
    pool.stop()
    await daemon.stop()
    await link[Symbol.asyncDispose]()
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

function daemonBehind(linkPort: number, dir: string): DaemonProcess {
  return new DaemonProcess({
    configFile: join(dir, 'node.yaml'),
    tempDir: dir,
    config: (listen) => ({
      node: { name: 'press-4', site: 'plant-a' },
      inference: { listen: listen.inference },
      control: { listen: listen.control },
      metrics: { serve: 'inference' },
      models: { dir: modelsDir(), serve: 'digits', variant: 'fp32' },
      state: { dir: join(dir, 'state') },
      upstream: { nats: { servers: [`nats://127.0.0.1:${linkPort}`] } },
    }),
    onSpawn: () => undefined,
    onExit: () => undefined,
  })
}

function watchArgs(liveUrl: string): string[] {
  return [
    join(installationRoot(), 'bin/edgedeck.js'),
    '--node',
    `press-4=${liveUrl}`,
    'nodes',
    '--watch',
    '-o',
    'ndjson',
  ]
}

function table(share: ReturnType<typeof shareOf>, seconds: number): string {
  const row = (name: string, bytes: number): string => `${name.padEnd(12)} ${(bytes / 1e6).toFixed(4).padStart(9)} MB`
  return [
    `${(share.rawBytes / 1e6).toFixed(1)} MB raw in ${seconds} s; per 100 MB raw:`,
    ...Object.entries(share.byClass).map(([name, bytes]) => row(name, bytes)),
    row('in all', share.totalBytes),
    row('by the link', share.linkBytes),
    `saved ${((1 - share.totalBytes / REPORT_BYTES) * 100).toFixed(2)} %`,
  ].join('\n')
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
