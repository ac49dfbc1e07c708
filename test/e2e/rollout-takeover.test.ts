import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/edge-daemon.ts'
import type { EdgedeckProcess } from '../support/edgedeck.ts'
import { MUCH_TIME, RolloutFleet } from '../support/rollout-fleet.ts'

/** An entry of the journal, as `-o ndjson` prints it. */
interface Told {
  readonly seq: number
  readonly type: string
  readonly term: number
  readonly node?: string
  readonly step?: string
  readonly activation?: string | null
  readonly wave?: string
  readonly decision?: string
}

const NODES = 3
const all = (version: string) => Array.from({ length: NODES }, () => version)
const SHADOW = '{"source":"live","samples":20,"nodes":"canary"}'
/** A lease runs out first, then it goes on. */
const TAKEN_MS = 240_000

let fleet: RolloutFleet

beforeEach(() => {
  fleet = new RolloutFleet(NODES)
})
afterEach(async () => {
  await fleet[Symbol.asyncDispose]()
})

/** What a command printed so far, whole lines only. */
function told({ stdout }: { readonly stdout: string }): Told[] {
  const lines = stdout.slice(0, stdout.lastIndexOf('\n') + 1).trim()
  return lines === '' ? [] : lines.split('\n').map((line) => JSON.parse(line) as Told)
}

async function journal(): Promise<Told[]> {
  return told(await fleet.run('explain', '-o', 'ndjson'))
}

/** Wait until a command that is in a term of its own has printed such an event of that term. */
async function untilIn(command: EdgedeckProcess, term: number, so: (event: Told) => boolean): Promise<void> {
  await command.until(() => told(command).some((event) => event.term === term && so(event)), TAKEN_MS)
}

function termsOf(events: readonly Told[]): number[] {
  return events.filter(({ type }) => type === 'driver.took').map(({ term }) => term)
}

/** Nothing was begun twice: each node that was activated was so in one activation. */
function activationsOf(events: readonly Told[]): Record<string, number> {
  const ids = new Map<string, Set<string>>()
  for (const { type, step, node, activation } of events) {
    if (type !== 'step.intended' || step !== 'activate' || node === undefined || activation == null) continue
    ids.set(node, (ids.get(node) ?? new Set()).add(activation))
  }
  return Object.fromEntries([...ids].map(([node, own]) => [node, own.size]))
}

const once = { n1: 1, n2: 1, n3: 1 }

describe('a rollout whose drivers die', { timeout: 900_000 }, () => {
  test('goes on where each of them was killed: in stage, shadow, activate, soak and confirm', async () => {
    const item = await fleet.shelve('2.0.0')
    await fleet.start()
    const moments: readonly ((event: Told) => boolean)[] = [
      ({ type, step }) => type === 'step.intended' && step === 'stage',
      ({ type, step }) => type === 'step.intended' && step === 'shadow',
      ({ type, step }) => type === 'step.intended' && step === 'activate',
      ({ type, wave }) => type === 'gate.judged' && wave === 'canary',
      ({ type, step }) => type === 'step.intended' && step === 'confirm',
    ]
    let command = fleet.roll(item, '--set', `shadow=${SHADOW}`, ...MUCH_TIME, '-o', 'ndjson')
    for (const [index, moment] of moments.entries()) {
      await untilIn(command, index + 1, moment)
      command.child.kill('SIGKILL')
      await command.result
      command = fleet.begin('drive', '-o', 'ndjson')
    }
    const { code, stderr } = await command.result
    const events = await journal()
    expect(code, `${stderr}\n${JSON.stringify(events.slice(-10), null, 1)}`).toBe(0)
    expect(fleet.versions()).toEqual(all('2.0.0'))
    expect(termsOf(events)).toEqual([1, 2, 3, 4, 5, 6])
    expect(activationsOf(events)).toEqual(once)
    expect(fleet.failed).toBe(0)
  })

  test('is left to who took it over by a driver that was stopped for longer than its lease', async () => {
    const item = await fleet.shelve('2.0.0')
    await fleet.start()
    const first = fleet.roll(item, '--set', 'soak=5s', '-o', 'ndjson')
    await untilIn(first, 1, ({ type, wave }) => type === 'gate.judged' && wave === 'canary')
    first.child.kill('SIGSTOP')
    const second = fleet.begin('drive', '-o', 'ndjson')
    await untilIn(second, 2, ({ type }) => type === 'driver.took')
    first.child.kill('SIGCONT')
    const [one, other] = await Promise.all([first.result, second.result])
    expect([one.code, other.code], one.stderr + other.stderr).toEqual([0, 0])
    const events = await journal()
    expect(fleet.versions()).toEqual(all('2.0.0'))
    expect(termsOf(events)).toEqual([1, 2])
    const taken = events.findIndex(({ type, term }) => type === 'driver.took' && term === 2)
    expect(events.slice(taken).filter(({ term }) => term !== 2)).toEqual([])
    expect(activationsOf(events)).toEqual(once)
    // The one that had been stopped saw it through to the end all the same.
    expect(told(one).at(-1)?.type).toBe('rollout.ended')
  })

  test('goes on where the driver and the daemon of the canary were killed, driven by one of two consoles', async () => {
    const item = await fleet.shelve('2.0.0')
    await fleet.start()
    const first = fleet.roll(item)
    await first.until(() => first.stdout.includes('canary begins'), TAKEN_MS)
    await eventually(() => fleet.versions().includes('2.0.0'), { what: 'the canary serves it', timeoutMs: TAKEN_MS })
    first.child.kill('SIGKILL')
    await fleet.nodes[fleet.versions().indexOf('2.0.0')]?.killed()
    const [one, other] = [fleet.begin('drive'), fleet.begin('drive')]
    const results = await Promise.all([one.result, other.result])
    const said = results.map(({ stdout, stderr }) => stdout + stderr).join('\n')
    expect(
      results.map(({ code }) => code),
      said,
    ).toEqual([0, 0])
    expect(fleet.versions()).toEqual(all('2.0.0'))
    expect(termsOf(await journal())).toEqual([1, 2])
  })
})

describe('a rollout that one console drives and another decides about', () => {
  test('is paused, resumed and approved by the other, and waits for each of that', async () => {
    const item = await fleet.shelve('2.0.0')
    await fleet.start()
    const driver = fleet.roll(item, '--set', 'pauseAfter=["canary"]', '-o', 'ndjson')
    await untilIn(driver, 1, ({ type, step }) => type === 'step.intended' && step === 'activate')
    const paused = await fleet.run('pause', '--why', 'a look at it', '-o', 'json')
    expect(paused.code, paused.stderr).toBe(0)
    await driver.until(() => driver.stderr.includes('paused'))
    expect(JSON.parse((await fleet.run('status', '-o', 'json')).stdout)).toMatchObject({ phase: 'paused' })
    expect((await fleet.run('resume')).code).toBe(0)
    await driver.until(() => driver.stderr.includes('approv'), TAKEN_MS)
    const waiting = fleet.versions().filter((version) => version === '2.0.0').length
    expect(waiting).toBe(1)
    const approved = await fleet.run('approve', '--wait')
    expect(approved.code, approved.stdout + approved.stderr).toBe(0)
    expect((await driver.result).code).toBe(0)
    expect(fleet.versions()).toEqual(all('2.0.0'))
    const events = await journal()
    expect(events.flatMap(({ decision }) => decision ?? [])).toEqual(['pause', 'resume', 'approve'])
    expect(termsOf(events)).toEqual([1])
  })
})
