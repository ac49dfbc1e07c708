import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Item } from '../../protocol/change.ts'
import { ChangingNode } from '../support/changing-node.ts'
import { eventually, postPicture } from '../support/edge-daemon.ts'
import { type CommandResult, EdgedeckProcess } from '../support/edgedeck.ts'
import { joinFiles } from '../support/joined-node.ts'
import { type NatsBus, natsBus } from '../support/nats-bus.ts'
import { samplePicture } from '../support/pictures.ts'
import { QUICK } from '../support/rollout-fleet.ts'

const NAMES = ['n1', 'n2'] as const

let bus: NatsBus
let nodes: ChangingNode[]
let dir: string
let cameras: NodeJS.Timeout | undefined
const commands: EdgedeckProcess[] = []

beforeEach(async () => {
  bus = await natsBus()
  dir = mkdtempSync(join(tmpdir(), 'rollout-bus-'))
  nodes = NAMES.map((name) => new ChangingNode({ 'node.name': name, 'upstream.nats.servers': [bus.url] }))
  for (const [index, node] of NAMES.entries()) {
    const files = joinFiles((nodes[index] as ChangingNode).home.stateDir, await bus.authority.node('plant', node))
    const { creds } = await bus.member({ kind: 'node', site: 'plant', node })
    writeFileSync(files.path('nats.creds'), creds, { mode: 0o600 })
  }
  const context = { context: 'acme', contexts: { acme: { nats: { servers: [bus.url] } } } }
  writeFileSync(join(dir, 'config.yaml'), JSON.stringify(context))
  for (const name of ['mia', 'jo']) await login(name)
}, 60_000)
afterEach(async () => {
  clearInterval(cameras)
  for (const { child } of commands.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
  for (const node of nodes) await node[Symbol.asyncDispose]()
  await bus[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

/** Put the identity of an operator where a console of theirs looks for it. */
async function login(name: string): Promise<void> {
  const identity = join(dir, name, 'edgedeck/identities/acme')
  mkdirSync(identity, { recursive: true })
  const rights = { role: 'operator', sites: ['plant'] } as const
  cpSync((await bus.authority.operator(name, rights)).dir, identity, { recursive: true })
  const { creds } = await bus.member({ kind: 'operator', name, ...rights })
  writeFileSync(join(identity, 'nats.creds'), creds, { mode: 0o600 })
}

/** Start the daemons, with cameras before them; what was shelved before is on their disks. */
async function start(): Promise<void> {
  const urls = await Promise.all(nodes.map(async (node) => (await node.home.serve()).inferUrl))
  let count = 0
  cameras = setInterval(() => {
    count += 1
    for (const url of urls) void postPicture(url, samplePicture(count % 10)).catch(() => undefined)
  }, 100)
}

/** A command at somebody's console. */
function at(who: string, ...words: string[]): EdgedeckProcess {
  const command = new EdgedeckProcess([...words, '--config', join(dir, 'config.yaml')], {
    XDG_STATE_HOME: join(dir, who),
  })
  commands.push(command)
  return command
}

async function must(command: EdgedeckProcess): Promise<CommandResult> {
  const result = await command.result
  expect(result.code, `${result.stderr}\n${result.stdout}`).toBe(0)
  return result
}

async function shelve(version: string): Promise<Item> {
  for (const node of nodes.slice(1)) await node.shelve(version)
  return (nodes[0] as ChangingNode).shelve(version)
}

function roll(who: string, item: Item): EdgedeckProcess {
  const name = `${item.name}@${item.version}#${item.digest}`
  return at(who, 'rollout', 'start', name, '--all', '--from', 'link', ...QUICK, '-o', 'ndjson')
}

/** Wait until both nodes say that they serve it; one that is busy is late with its answer. */
async function untilServed(version: string): Promise<void> {
  await eventually(
    async () => {
      const { stdout } = await at('mia', 'nodes', '-o', 'json').result
      const models = (JSON.parse(stdout || '[]') as { model: string | null }[]).map(({ model }) => model)
      return models.length === NAMES.length && models.every((model) => model === `digits@${version} fp32`)
    },
    { timeoutMs: 60_000, what: `all serve ${version}` },
  )
}

test('an operator is killed at it, another carries her rollout on by her mandates; a later one is undone', {
  timeout: 600_000,
}, async () => {
  const [second, third] = [await shelve('2.0.0'), await shelve('3.0.0')]
  await start()
  const mia = roll('mia', second)
  await mia.until(() => /"step":"activate"/.test(mia.stdout), 90_000)
  mia.child.kill('SIGKILL')
  await must(at('jo', 'rollout', 'drive'))
  await untilServed('2.0.0')
  const { stdout } = await must(at('jo', 'rollout', 'explain', '-o', 'ndjson'))
  const events = stdout
    .trim()
    .split('\n')
    .map(
      (line) =>
        JSON.parse(line) as {
          type: string
          term: number
          holder?: string
          by?: { name: string }
          plan?: { rollout: string }
        },
    )
  expect(events[0]).toMatchObject({ type: 'rollout.started', by: { name: 'mia' } })
  const drivers = events.filter(({ type }) => type === 'driver.took')
  expect(drivers.map(({ term, holder }) => `${term} ${holder?.split(' ')[0]}`)).toEqual(['1 mia', '2 jo'])

  await must(roll('jo', third))
  await untilServed('3.0.0')
  const undone = await must(at('mia', 'rollout', 'undo', '--why', 'it was for a test'))
  expect(undone.stdout).toMatch(/digits 2\.0\.0|digits@2\.0\.0/)
  await untilServed('2.0.0')

  // Mandates for what no package holds count as well.
  await must(at('jo', 'rollout', 'undo', events[0]?.plan?.rollout ?? ''))
  await untilServed('1.0.0')
})
