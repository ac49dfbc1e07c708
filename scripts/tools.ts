import { execFileSync, type StdioOptions, spawnSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { findNatsServer, toolDir } from '../src/demo/nats-server.ts'

/** The nats-server that tests are written against. */
const NATS_SERVER = 'github.com/nats-io/nats-server/v2@v2.15.2'

/** How long `go install` may take; about 2½ minutes on two cores with an empty cache. */
const INSTALL_TIMEOUT_MS = 15 * 60_000

/**
 * See that the programs the tests need are there, and install what can be: nats-server into the cache by Go.
 * @throws Error whose message is the line that says how to get what is missing.
 */
export async function ensureTools(say: (line: string) => void): Promise<void> {
  ensureOpenssl(say)
  for (const [program, debianPackage] of FROM_APT) ensureFromApt(program, debianPackage, say)
  await ensureNatsServer(say)
}

/** Lay and overhear the cables between the machines of the private fleet that is tested, log in there, and log. */
const FROM_APT = [
  ['ssh-keygen', 'openssh-client'],
  ['sshd', 'openssh-server'],
  ['ip', 'iproute2'],
  ['tcpdump', 'tcpdump'],
  // A program that takes the whole terminal, in a shell that is tried.
  ['vim', 'vim'],
  // The journal whose entries are followed, with the journald that writes it.
  ['journalctl', 'systemd'],
] as const
/** System programs that a user's PATH may leave out. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`

/**
 * See that a program is there, as root by installing its package.
 * @throws Error that says which package to install
 */
export function ensureFromApt(program: string, debianPackage: string, say: (line: string) => void): void {
  const find = () =>
    spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8', env: { ...process.env, PATH } })
  if (find().status !== 0 && process.getuid?.() === 0) {
    say(`${program}: not found, installing the package ${debianPackage}`)
    const quiet: { stdio: StdioOptions } = { stdio: ['ignore', 'ignore', 'inherit'] }
    spawnSync('apt-get', ['update', '-qq'], quiet)
    spawnSync('apt-get', ['-o', 'DPkg::Lock::Timeout=300', 'install', '-y', '-qq', debianPackage], quiet)
  }
  const found = find()
  if (found.status !== 0) throw new Error(`${program} is needed by the tests: apt-get install ${debianPackage}`)
  say(`${program}: ${found.stdout.trim()}`)
}

/** Makes the certificate that the HTTPS uplink is tested with. */
function ensureOpenssl(say: (line: string) => void): void {
  try {
    say(execFileSync('openssl', ['version'], { encoding: 'utf8' }).trim())
  } catch {
    throw new Error('openssl is needed by the tests: apt-get install openssl')
  }
}

async function ensureNatsServer(say: (line: string) => void): Promise<void> {
  const found = await findNatsServer()
  if (found !== null) return say(`nats-server ${found.version}: ${found.path}`)
  const bin = toolDir()
  say(`nats-server: none that is new enough, installing ${NATS_SERVER} into ${bin} (takes minutes)`)
  await mkdir(bin, { recursive: true })
  let reason = ''
  try {
    execFileSync('go', ['install', NATS_SERVER], {
      env: { ...process.env, GOBIN: bin },
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: INSTALL_TIMEOUT_MS,
    })
  } catch (error) {
    reason = ` (${error instanceof Error ? error.message : String(error)})`
  }
  const installed = await findNatsServer()
  if (installed === null) {
    throw new Error(
      `nats-server 2.12 or newer is needed by the tests: install Go and run GOBIN=${bin} go install ${NATS_SERVER}, ` +
        `or put a nats-server on PATH${reason}`,
    )
  }
  say(`nats-server ${installed.version}: ${installed.path}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await ensureTools(console.log)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
