import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const READY_WITHIN_MS = 30_000

/** A server under load. */
export interface RunningServer {
  readonly pid: number
  readonly port: number
  stop(): Promise<void>
}

/** One of the servers that are compared. */
export interface Contender {
  readonly name: string
  /** Every answer must say `"stored": true`. */
  readonly keeps: boolean
  start(): Promise<RunningServer>
}

/**
 * The servers that are compared, on one core each. The first is the reference.
 *
 * @param core number of the core they run on; null for any
 * @throws Error with a line of cure when Python, pip or the built daemon is missing
 */
export function contenders(core: number | null): Contender[] {
  const model = join(root, 'models/digits/digits.onnx')
  const flask = (name: string, options: readonly string[]): Contender => ({
    name,
    keeps: false,
    start: async () => {
      const port = await freePort()
      const args = [join(import.meta.dirname, 'server.py'), model, String(port), ...options]
      return start({ core, command: venvPython(), args, port })
    },
  })
  return [
    flask('Flask', []),
    flask('Flask, keep-alive', ['--keep-alive']),
    edgeDaemon(core, 'edge-daemon', () => ({})),
    edgeDaemon(core, 'edge-daemon, sealed', sealed),
    edgeDaemon(core, 'edge-daemon, async', () => ({ EDGE_STORE_DURABILITY: 'async' })),
  ]
}

/** The same with every block sealed. */
function sealed(stateDir: string): Record<string, string> {
  const keyFile = join(stateDir, 'keys')
  writeFileSync(keyFile, `1:${randomBytes(32).toString('base64')}\n`, { mode: 0o600 })
  return { EDGE_STORE_KEY_FILE: keyFile }
}

function edgeDaemon(
  core: number | null,
  name: string,
  settings: (stateDir: string) => Readonly<Record<string, string>>,
): Contender {
  return {
    name,
    keeps: true,
    start: async () => {
      if (!existsSync(join(root, 'dist/edge-daemon.js')))
        throw new Error('edge-daemon is not built; run: npm run build')
      const port = await freePort()
      // Not below the temporary folder, which may be memory: a commit must reach a disk.
      const stateDir = mkdtempSync(join(cacheDir(), 'bench-state-'))
      const server = await start({
        core,
        command: process.execPath,
        args: [join(root, 'bin/edge-daemon.js'), '--state-dir', stateDir],
        port,
        env: {
          EDGE_INFERENCE_LISTEN: `127.0.0.1:${port}`,
          EDGE_CONTROL_LISTEN: '127.0.0.1:0',
          EDGE_MODELS_DIR: join(root, 'models'),
          EDGE_MODELS_VARIANT: 'fp32',
          EDGE_NODE_NAME: 'edge-node-01',
          ...settings(stateDir),
        },
      })
      const stop = async (): Promise<void> => {
        await server.stop()
        rmSync(stateDir, { recursive: true, force: true })
      }
      return { ...server, stop }
    },
  }
}

interface Start {
  readonly core: number | null
  readonly command: string
  readonly args: readonly string[]
  readonly port: number
  readonly env?: Readonly<Record<string, string>>
}

async function start({ core, command, args, port, env }: Start): Promise<RunningServer> {
  const child = spawn(...pinned(core, command, args), {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000)
  })
  const deadline = performance.now() + READY_WITHIN_MS
  while (!(await isReady(port))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`${command} ${args.join(' ')} does not get ready:\n${said}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return { pid: child.pid as number, port, stop: () => stopped(child) }
}

function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => {
    const kill = setTimeout(() => child.kill('SIGKILL'), 10_000)
    child.once('exit', () => {
      clearTimeout(kill)
      resolve()
    })
    child.kill('SIGTERM')
  })
}

/** Command and arguments that run on one core; `taskset` execs, so the process id is the program's own. */
export function pinned(core: number | null, command: string, args: readonly string[]): [string, string[]] {
  return core === null ? [command, [...args]] : ['taskset', ['-c', String(core), command, ...args]]
}

/** Python of a virtual environment below the cache, made when it is missing or its requirements changed. */
function venvPython(): string {
  const venv = join(cacheDir(), 'bench-venv')
  const python = join(venv, 'bin/python')
  const requirements = join(import.meta.dirname, 'requirements.txt')
  const stamp = join(venv, 'requirements.sha256')
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex')
  if (existsSync(python) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return python
  console.error(`making ${venv}`)
  step('python3', ['-m', 'venv', venv], 'install Python 3 with its venv module (Debian: apt-get install python3-venv)')
  step(python, ['-m', 'pip', 'install', '--quiet', '-r', requirements], 'check that pip reaches a package index')
  writeFileSync(stamp, digest)
  return python
}

function step(command: string, args: readonly string[], cure: string): void {
  try {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (error) {
    const { message, stderr } = error as Error & { stderr?: Buffer }
    throw new Error(`the Flask reference cannot be installed: ${stderr?.toString().trim() || message} → ${cure}`)
  }
}

function cacheDir(): string {
  const dir = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'edgedeck')
  mkdirSync(dir, { recursive: true })
  return dir
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (answer) => {
      answer.resume()
      answer.once('end', () => resolve(answer.statusCode === 200))
    })
    probe.once('error', () => resolve(false))
    probe.end()
  })
}
