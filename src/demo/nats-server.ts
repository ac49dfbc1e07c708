import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { EdgeError, messageOf } from '../../protocol/errors.ts'

/** Oldest nats-server that will do (atomic batches came with it); older ones count as missing. */
export const NATS_SERVER_AT_LEAST = [2, 12] as const

/** A nats-server program that is new enough. */
export interface NatsServerProgram {
  readonly path: string
  /** For example `2.15.2`. */
  readonly version: string
}

/** How a server is started; a port, once given, lets it come back on the same address after `stop` or `kill`. */
export interface NatsServerOptions {
  /** Folder for its configuration and JetStream; made when missing. The same folder again means the same data. */
  readonly dir: string
  /** 0 takes a free one. */
  readonly port?: number
  /** JetStream's `sync_interval`, such as `always` or `2m` (the server's own default). */
  readonly syncInterval?: string
  /** JetStream's domain, which servers that are joined by leaf nodes need. */
  readonly domain?: string
  /** Configuration file to serve as it is, but for port and host; it names its own JetStream, TLS and accounts. */
  readonly configFile?: string
  /** Whole blocks of configuration to add, such as `leafnodes { … }`. */
  readonly moreConfig?: string
  /** Largest message in bytes; the server's own default is 1 MB. */
  readonly maxPayloadBytes?: number
  readonly program?: NatsServerProgram
}

/** A running server. */
export interface NatsServer {
  /** For example `nats://127.0.0.1:41234`. */
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Resolves when the process is gone, whoever ended it. */
  readonly exited: Promise<void>
  /** End it in order (SIGTERM, SIGKILL after 5 s); resolves when it is gone. */
  stop(): Promise<void>
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>
}

const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 5000
const run = promisify(execFile)

/** Folder where edgedeck keeps programs it installed: `$XDG_CACHE_HOME/edgedeck/bin`. */
export function toolDir(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'edgedeck', 'bin')
}

/**
 * The first nats-server that is new enough, on PATH and then in {@link toolDir}; null when there is none.
 */
export async function findNatsServer(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<NatsServerProgram | null> {
  const dirs = [...(env.PATH ?? '').split(delimiter).filter((dir) => dir !== ''), toolDir(env)]
  for (const dir of dirs) {
    const path = join(dir, 'nats-server')
    const version = await versionOf(path)
    if (version !== null && isNewEnough(version)) return { path, version }
  }
  return null
}

async function versionOf(path: string): Promise<string | null> {
  try {
    await access(path, constants.X_OK)
    const { stdout } = await run(path, ['--version'], { timeout: 10_000 })
    return /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null
  } catch {
    return null
  }
}

function isNewEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [needMajor, needMinor] = NATS_SERVER_AT_LEAST
  return major > needMajor || (major === needMajor && minor >= needMinor)
}

/**
 * Start a server with JetStream on loopback and wait until it takes connections.
 * @throws EdgeError `TOOL_MISSING` without a program, `PORT_IN_USE` when it ends before it is ready.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const program = options.program ?? (await findNatsServer())
  if (program === null) {
    throw new EdgeError('TOOL_MISSING', {
      message: `no nats-server ${NATS_SERVER_AT_LEAST.join('.')} or newer on PATH or in ${toolDir()}`,
      next: [`install one: GOBIN=${toolDir()} go install github.com/nats-io/nats-server/v2@v2.15.2`],
    })
  }
  const portsDir = join(options.dir, 'ports')
  await rm(portsDir, { recursive: true, force: true })
  await mkdir(portsDir, { recursive: true })
  const configPath = join(options.dir, 'nats-server.conf')
  await writeFile(configPath, configText(options, portsDir))

  const child = spawn(program.path, ['--config', configPath], { stdio: ['ignore', 'ignore', 'pipe'] })
  const output = lastOutput(child)
  let failure: string | null = null
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => {
      failure = messageOf(error)
      resolve()
    })
  })
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal)
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await exited
    clearTimeout(force)
  }
  const port = await readyPort(child, portsDir)
  if (port === null || child.pid === undefined) {
    if (child.pid !== undefined) await end('SIGKILL')
    throw new EdgeError('PORT_IN_USE', {
      message: `nats-server did not start: ${failure ?? reasonIn(output())}`,
      next: ['see that the port is free and that the folder can be written'],
    })
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    pid: child.pid,
    exited,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

function configText(options: NatsServerOptions, portsDir: string): string {
  const quote = (text: string): string => JSON.stringify(text)
  const sync = options.syncInterval === undefined ? '' : `\n  sync_interval: ${quote(options.syncInterval)}`
  const domain = options.domain === undefined ? '' : `\n  domain: ${quote(options.domain)}`
  // What stands behind an included file goes over what is in it; the path is taken from the including one.
  if (options.configFile !== undefined) {
    return `include ${quote(relative(options.dir, options.configFile))}
host: "127.0.0.1"
port: ${options.port || -1}
ports_file_dir: ${quote(portsDir)}
${options.moreConfig ?? ''}`
  }
  const payload = options.maxPayloadBytes === undefined ? '' : `max_payload: ${options.maxPayloadBytes}\n`
  return `host: "127.0.0.1"
port: ${options.port || -1}
ports_file_dir: ${quote(portsDir)}
${payload}jetstream {
  store_dir: ${quote(join(options.dir, 'jetstream'))}${sync}${domain}
}
${options.moreConfig ?? ''}`
}

/** The server's last words, for a message when it does not start; what it says later is thrown away. */
function lastOutput(child: ChildProcess): () => string {
  let tail = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    tail = (tail + chunk).slice(-2000)
  })
  return () => tail
}

function reasonIn(output: string): string {
  const line = output.split('\n').findLast((text) => text.trim() !== '')
  return line?.replace(/^.*\[(?:FTL|ERR)\]\s*/, '') ?? 'it gave no reason'
}

/** The port it listens on, from the file it writes when it is ready; null when it ended or took too long. */
async function readyPort(child: ChildProcess, portsDir: string): Promise<number | null> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
    for (const name of await readdir(portsDir)) {
      const port = portIn(await readFile(join(portsDir, name), 'utf8'))
      if (port !== null) return port
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
    if (child.pid === undefined) return null
  }
  return null
}

function portIn(portsFile: string): number | null {
  try {
    const ports = JSON.parse(portsFile) as { nats?: string[] }
    const url = ports.nats?.[0]
    return url === undefined ? null : Number(new URL(url).port)
  } catch {
    // The file is still being written.
    return null
  }
}
