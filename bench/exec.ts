import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Sshd } from '../test/support/sshd.ts'
import { type MeasuredRun, measuredRun } from './exec/measured-run.ts'
import { spread } from './spread.ts'

/**
 * `edgedeck exec` on many sessions beside a shell loop over OpenSSH's `ssh` with the same parallelism (`xargs -P`): one real
 * sshd on loopback, an inventory of many nodes that are all it. Wall time, CPU and memory of the client alone, in rounds that
 * take turns. edgedeck's part includes its start, its journal (an intent and an outcome a node, each synced) and its recording.
 */
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '100' },
    parallel: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '5' },
  },
})
const nodes = Number(values.nodes)
const parallel = Number(values.parallel)
const rounds = Number(values.rounds)

const PROGRAM = fileURLToPath(new URL('../dist/edgedeck.js', import.meta.url))
const OUTPUT = 'Linux'

if (!existsSync(PROGRAM)) throw new Error('not built yet: npm run build')
const dir = mkdtempSync(join(tmpdir(), 'edgedeck-bench-exec-'))
execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'id')])
const server = await Sshd.start({
  authorized: [readFileSync(join(dir, 'id.pub'), 'utf8').trim()],
  config: ['MaxStartups 1000', 'MaxSessions 1000'],
})
try {
  const names = Array.from({ length: nodes }, (_, index) => `node-${index + 1}`)
  writeFileSync(join(dir, 'known_hosts'), server.knownHosts)
  writeFileSync(
    join(dir, 'ssh_config'),
    [
      'Host *',
      `  HostName ${server.host}`,
      `  Port ${server.port}`,
      `  User ${server.user}`,
      `  IdentityFile ${join(dir, 'id')}`,
      '  IdentitiesOnly yes',
      `  HostKeyAlias [${server.host}]:${server.port}`,
      `  UserKnownHostsFile ${join(dir, 'known_hosts')}`,
      '',
    ].join('\n'),
  )
  const inventory = names.map((name) => ({
    name,
    url: 'ws://127.0.0.1:1',
    ssh: `${server.user}@${server.host}:${server.port}`,
  }))
  const config = { ssh: { config: join(dir, 'ssh_config'), knownHosts: join(dir, 'known_hosts') }, nodes: inventory }
  writeFileSync(join(dir, 'config.yaml'), JSON.stringify(config))
  writeFileSync(join(dir, 'names'), `${names.join('\n')}\n`)

  const ours = `'${process.execPath}' '${PROGRAM}' exec --config '${dir}/config.yaml' --all --parallel ${parallel} -- uname -s`
  const ssh = `ssh -F '${dir}/ssh_config' -o BatchMode=yes -n {} 'uname -s'`
  const loop = `xargs -P ${parallel} -I{} ${ssh} < '${dir}/names'`
  const runs: { ours: MeasuredRun[]; loop: MeasuredRun[] } = { ours: [], loop: [] }
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (['ours', 'loop'] as const) : (['loop', 'ours'] as const)
    for (const who of order) {
      const run = await measuredRun(who === 'ours' ? ours : loop, {
        XDG_STATE_HOME: join(dir, 'state'),
        SSH_AUTH_SOCK: '',
      })
      const answers = run.stdout.split('\n').filter((line) => line.endsWith(OUTPUT)).length
      if (answers !== nodes || run.code !== 0)
        throw new Error(`${who}: ${answers} of ${nodes} answered, exit ${run.code}`)
      runs[who].push(run)
    }
    process.stderr.write(`round ${round + 1} of ${rounds}\n`)
  }
  process.stdout.write(`${nodes} nodes, ${parallel} at a time, ${rounds} rounds, min/median/max\n`)
  for (const [title, digits, read] of [
    ['wall s', 2, (run: MeasuredRun) => run.wallSec],
    ['CPU s', 2, (run: MeasuredRun) => run.cpuSec],
    ['memory MiB', 0, (run: MeasuredRun) => run.peakMib],
  ] as const) {
    const a = runs.ours.map(read)
    const b = runs.loop.map(read)
    const ratio = spread(
      a.map((figure, index) => figure / (b[index] ?? Number.NaN)),
      2,
    )
    process.stdout.write(
      `${title.padEnd(11)} exec ${spread(a, digits)}  ssh loop ${spread(b, digits)}  ratio ${ratio}\n`,
    )
  }
} finally {
  await server.stop()
  rmSync(dir, { recursive: true, force: true })
}
