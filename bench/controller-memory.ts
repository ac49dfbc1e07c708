import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Fleet } from '../src/fleet/fleet.ts'
import { NO_IDENTITY } from '../src/identity/identity-source.ts'
import { FleetLinks } from '../src/link/fleet-links.ts'
import { openRollouts } from '../src/rollout/open-rollouts.ts'
import { DEFAULT_STRATEGY } from '../src/rollout/strategy.ts'

/**
 * `node --expose-gc bench/controller-memory.ts --nodes 1000`: memory of the part of a controller that drives rollouts, with so
 * many simulated nodes: while nothing is rolled out, with one rollout over all of them under way, and after it. Prints JSON.
 */
const { values } = parseArgs({
  options: { nodes: { type: 'string', default: '1000' }, sec: { type: 'string', default: '30' } },
})
/** Sessions that end have this long. */
const SETTLE_MS = 3000
const [count, sec] = [Number(values.nodes), Number(values.sec)]
const simulator = spawn(
  process.execPath,
  [new URL('simulator/main.ts', import.meta.url).pathname, '--nodes', String(count), '--hz', '0.2', '--logs', '1'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
let printed = ''
for await (const chunk of simulator.stdout.setEncoding('utf8')) {
  printed += chunk as string
  if (printed.includes('\n')) break
}
const nodes = JSON.parse(printed) as { key: string; url: string }[]
const dir = mkdtempSync(join(tmpdir(), 'edgedeck-bench-'))
const memory = (): { readonly rssMb: number; readonly heapMb: number } => {
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  return { rssMb: Math.round(rss / 1e5) / 10, heapMb: Math.round(heapUsed / 1e5) / 10 }
}
const empty = memory()
const schedule = (fn: () => void, delayMs: number): (() => void) => {
  const timer = setTimeout(fn, delayMs)
  return () => clearTimeout(timer)
}
const fleet = new Fleet({ schedule, maxLogRows: 1, historySec: 60 })
for (const { key, url } of nodes) fleet.add(key, { url, nowMs: Date.now() })
const links = new FleetLinks({
  nodes,
  access: { version: '0' },
  interest: { status: true, alertBacklog: null, logs: null },
  sink: (key, event) => fleet.apply(key, event, Date.now()),
  onFound: () => undefined,
  onDemand: {
    onLeft: (key) => {
      fleet.remove(key)
      fleet.add(key, { nowMs: Date.now() })
    },
  },
})
links.start()
const up = (): number => nodes.filter(({ key }) => fleet.told(key, Date.now())?.status != null).length
const decided: number[] = []
const { service, close } = await openRollouts({
  place: { kind: 'folder', dir },
  fleet: { fleet, link: (key) => links.byKey.get(key), attend: (...of) => links.attend(...of) },
  identity: NO_IDENTITY,
  holder: 'bench',
  onDecided: (ms) => decided.push(ms),
})
const item = { kind: 'model', name: 'digits', version: '2.0.0', digest: 'a'.repeat(64) } as const
const keys = nodes.map(({ key }) => key)
// A plan is made of what nodes tell.
links.attend('plan', { needed: new Set(keys), often: new Set() })
while (up() < count) await new Promise((resolve) => setTimeout(resolve, 200))
const plan = service.plan({
  target: 'daemon',
  item,
  sources: [{ kind: 'link' }],
  nodes: keys,
  strategy: DEFAULT_STRATEGY,
  undoes: null,
})
await service.start(plan, null)
links.attend('plan', null)
await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
const idle = { ...memory(), sessions: links.byKey.size }
const end = new AbortController()
const driving = service.drive(plan.rollout, end.signal)
while (up() < count) await new Promise((resolve) => setTimeout(resolve, 200))
await new Promise((resolve) => setTimeout(resolve, sec * 1000))
const driven = memory()
const sessions = links.byKey.size
end.abort()
await driving
await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
const after = { ...memory(), sessions: links.byKey.size }
await close()
await links.stop()
simulator.kill()
await once(simulator, 'exit')
rmSync(dir, { recursive: true })
decided.sort((a, b) => a - b)
const at = (share: number): number => Math.round((decided[Math.floor(decided.length * share)] ?? 0) * 100) / 100
process.stdout.write(
  `${JSON.stringify({ nodes: count, empty, idle, driven: { ...driven, sessions }, after, looks: decided.length, decideMs: { p50: at(0.5), p99: at(0.99) } })}\n`,
)
process.exit(0)
