import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newKey, pemOfKey, publicOf } from '../../../identity/keys.ts'
import { readPem } from '../../../identity/verify.ts'
import { CONTROLLER_PATHS } from '../../../protocol/enrolment.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { EdgedeckProcess, edgedeck } from '../../support/edgedeck.ts'
import {
  type Answer,
  ControllerClient,
  ControllerHome,
  given,
  PASSPHRASE,
  refused,
} from '../../support/fleet-controller.ts'

const MANY = 200

let home: ControllerHome
const started: EdgedeckProcess[] = []

beforeAll(async () => {
  home = await ControllerHome.create()
  // So many handshakes at once take a busy machine longer than a hostile peer is given.
  home.configure({ limits: { headTimeout: '60s' } })
})

afterAll(() => {
  for (const { child } of started) child.kill('SIGKILL')
  home[Symbol.dispose]()
})

/** A controller as a process of its own that serves. */
async function serve(): Promise<{ process: EdgedeckProcess; client: ControllerClient }> {
  const process = new EdgedeckProcess(['controller', '--config', home.configFile])
  started.push(process)
  await process.until(() => process.stdout.includes('"listening"') || process.child.exitCode !== null)
  const line = process.stdout.split('\n').find((text) => text.includes('"listening"'))
  if (line === undefined) throw new Error(`the controller ended:\n${process.stderr}`)
  const { fields } = JSON.parse(line) as { fields: { port: number } }
  return { process, client: new ControllerClient(fields.port) }
}

test('a controller that is killed while it answers has given no token to two, and goes on', async () => {
  const first = await serve()
  const joins = Array.from({ length: 8 }, (_, n) => ({ token: home.token('plant', `n${n}`), key: newKey() }))
  const killed = joins.map(({ token, key }) => first.client.join(token, key).catch((): Answer | null => null))
  const journal = (): string => readFileSync(join(home.stateDir, 'joins.ndjson'), 'utf8')
  await eventually(() => journal().includes('"joined"'))
  first.process.child.kill('SIGKILL')
  await first.process.result
  const answered = (await Promise.all(killed)).filter((answer) => answer !== null)
  for (const answer of answered) given(answer)

  const second = await serve()
  for (const { token, key } of joins) {
    const [leaf] = readPem(given(await second.client.join(token, key)).certificate)
    expect(leaf?.publicKey.equals(publicOf(key))).toBe(true)
    expect(refused(await second.client.join(token))).toBe('TOKEN_USED')
  }
  const uses = journal()
    .split('\n')
    .filter((line) => line.includes('"joined"'))
  expect(uses).toHaveLength(joins.length)

  // Nobody else may serve the folder meanwhile; the end is orderly, and nobody who waits is kept.
  const third = await edgedeck(['controller', '--config', home.configFile])
  expect([third.code, third.stderr]).toEqual([69, expect.stringContaining('CONTROLLER_LOCKED')])
  const { token, key } = joins[0] as (typeof joins)[number]
  const { certificate } = given(await second.client.join(token, key))
  const { version } = JSON.parse((await second.client.deny('', { certificate, key })).text) as { version: number }
  const waiting = second.client.deny(`?after=${version}`, { certificate, key })
  await eventually(async () => {
    const { text } = await second.client.ask(CONTROLLER_PATHS.metrics, { cert: certificate, key: pemOfKey(key) })
    return text.includes('edgectl_deny_waiting 1')
  })
  second.process.child.kill('SIGTERM')
  expect((await waiting).status).toBe(304)
  expect((await second.process.result).code).toBe(0)
  expect(second.process.stdout).toContain('"stopped"')
})

test(`${MANY} nodes join at once, by tokens of the command line too, and a lot is not much`, async () => {
  const { process, client } = await serve()
  const printed = await edgedeck(
    ['pki', 'token', '--config', home.configFile, '--site', 'plant', '--node', 'by-hand', '--replace', '-o', 'json'],
    { EDGEDECK_PASSPHRASE: PASSPHRASE },
  )
  const [{ token: byHand = '' } = {}] = JSON.parse(printed.stdout) as { token: string }[]
  const tokens = [byHand, ...Array.from({ length: MANY - 1 }, (_, n) => home.token('plant', `many-${n}`))]
  const keys = tokens.map(() => newKey())
  const before = processorMs(process.child.pid as number)
  const answers = await Promise.all(tokens.map((token, n) => client.join(token, keys[n])))
  const tookMs = processorMs(process.child.pid as number) - before
  const leaves = answers.map((answer) => readPem(given(answer).certificate)[0])
  expect(leaves.every((leaf, n) => leaf?.publicKey.equals(publicOf(keys[n] as never)))).toBe(true)
  expect(new Set(leaves.map((leaf) => leaf?.serialNumber)).size).toBe(MANY)
  // Of its processor time, not of the clock: others may hold the machine.
  expect(tookMs).toBeLessThan(40_000)
  // Only a hash of what was printed is kept, and nothing of it is in the log.
  const [, secret = ''] = /"k":"([^"]+)"/.exec(Buffer.from(byHand.slice(5), 'base64url').toString()) ?? []
  expect(secret).toHaveLength(43)
  for (const text of [readFileSync(join(home.stateDir, 'joins.ndjson'), 'utf8'), process.stdout]) {
    expect(text).not.toContain(secret)
    expect(text).not.toContain(PASSPHRASE)
  }
})

test('what cannot be served ends at once with a cure', async () => {
  const none = await edgedeck(['controller', '--config', '/nonexistent.yaml'])
  expect([none.code, none.stderr]).toEqual([78, expect.stringContaining('CONFIG_UNREADABLE')])
  const wrong = await edgedeck(['pki', 'token', '--config', home.configFile, '--site', 'plant'])
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--node NAME')])
})

/** Processor time that a process has had so far, all its threads together, ms: the kernel counts it in hundredths of a second. */
function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}
