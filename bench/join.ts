/**
 * How long it takes from a join token to the first frame in a console, on loopback and with what ships: the join itself,
 * the start of the daemon, the link by mutual TLS; beside it the same start and a plain link of a node that has not joined.
 *
 * Run with `npm run build && node bench/join.ts [--rounds 5]`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { FleetSession } from '../src/commands/fleet-session.ts'
import { IdentityFolder } from '../src/identity/identity-source.ts'
import { spread } from './spread.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const EDGEDECK = join(ROOT, 'bin/edgedeck.js')
const EDGE_DAEMON = join(ROOT, 'bin/edge-daemon.js')
const STEPS = ['join', 'start', 'first frame'] as const

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } })
const dir = mkdtempSync(join(tmpdir(), 'edgedeck-join-'))
const file = (name: string, content: unknown): string => {
  writeFileSync(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o600 })
  return join(dir, name)
}
const run = (...args: string[]): string =>
  execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const children: ChildProcess[] = []

/** Start a program and wait until it listens; the fields of that line. */
async function listening(...args: string[]): Promise<Record<string, string | number>> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.includes('"listening"')) return (JSON.parse(line) as { fields: Record<string, string | number> }).fields
  }
  throw new Error(`${args.join(' ')} ended`)
}

async function stop(): Promise<void> {
  const child = children.pop()
  if (child === undefined) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}

/** Time until the console has the first status of a node, ms. */
async function firstFrame(name: string, url: string, identityDir: string | null): Promise<number> {
  const identity = identityDir === null ? {} : { identity: new IdentityFolder(identityDir) }
  const session = new FleetSession({
    nodes: [{ key: name, url }],
    access: { version: '0.0.0', ...identity },
    interest: { status: true, alertBacklog: null, logs: null },
  })
  const beganMs = performance.now()
  session.start()
  const view = await session.until(({ nodes }) => nodes[0]?.state === 'up', 20_000, new AbortController().signal)
  const tookMs = performance.now() - beganMs
  await session.stop()
  if (view.nodes[0]?.state !== 'up') throw new Error(`no frame came from ${url}`)
  return tookMs
}

async function nodeTimes(name: string, token: string | null, identityDir: string): Promise<number[]> {
  const config = file(`${name}.json`, {
    models: { dir: join(ROOT, 'models'), variant: 'fp32' },
    inference: { listen: '127.0.0.1:0' },
    control: { listen: '127.0.0.1:0' },
    state: { dir: join(dir, name) },
  })
  const beganMs = performance.now()
  if (token !== null) run(EDGE_DAEMON, 'join', '--token', token, '--config', config)
  const joinedMs = performance.now()
  const { liveUrl } = await listening(EDGE_DAEMON, '--config', config)
  const servingMs = performance.now()
  const frameMs = await firstFrame(name, String(liveUrl), token === null ? null : identityDir)
  await stop()
  return [joinedMs - beganMs, servingMs - joinedMs, frameMs]
}

try {
  const secret = ['--passphrase-file', file('passphrase', 'four words of a bench\n')]
  const authority = join(dir, 'pki')
  run(EDGEDECK, 'pki', 'init', '--fleet', 'bench', '--dir', authority, ...secret)
  const identityDir = join(dir, 'operator')
  run(EDGEDECK, 'pki', 'operator', 'bench', '--dir', authority, '--out', identityDir, ...secret)
  const config = file('controller.json', {
    listen: '127.0.0.1:5449',
    publicUrl: 'https://127.0.0.1:5449',
    pki: { dir: authority, passphraseFile: join(dir, 'passphrase') },
    state: { dir: join(dir, 'controller') },
  })
  await listening(EDGEDECK, 'controller', '--config', config)
  const joined: number[][] = []
  const plain: number[][] = []
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    const name = `node-${round}`
    const token = run(EDGEDECK, 'pki', 'token', '--site', 'bench', '--node', name, '--config', config).trim()
    joined.push(await nodeTimes(name, token, identityDir))
    plain.push(await nodeTimes(`plain-${round}`, null, identityDir))
  }
  const row = (rounds: readonly number[][], at: number): string =>
    spread(
      rounds.map((times) => times[at] ?? 0),
      0,
    )
  for (const [at, step] of STEPS.entries()) {
    console.log(`${step.padEnd(12)} joined ${row(joined, at)} ms   plain ${row(plain, at)} ms`)
  }
  const whole = joined.map((times) => times.reduce((sum, ms) => sum + ms, 0))
  console.log(`token to first frame: ${spread(whole, 0)} ms (min/median/max of ${values.rounds})`)
} finally {
  while (children.length > 0) await stop()
  rmSync(dir, { recursive: true, force: true })
}
