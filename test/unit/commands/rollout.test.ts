import { describe, expect, it } from 'vitest'
import type { EdgeError } from '../../../protocol/errors.ts'
import { isSafe } from '../../../protocol/untrusted-text.ts'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import { type RolloutSurroundings, runRollout } from '../../../src/commands/rollout.ts'
import { EXIT_OF_ROLLOUT } from '../../../src/requests/exit-codes.ts'
import type { Plan, RolloutEvent } from '../../../src/rollout/contract.ts'
import { modelItem } from '../../support/change-status.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { RememberedRollouts } from '../../support/remembered-rollouts.ts'
import { author, planNode, planOf } from '../../support/rollout-plan.ts'

const NODES = ['press-1', 'press-2', 'press-3']
const at = (ms: number) => ({ at: ms, term: 1 })

const TOOK: RolloutEvent = { ...at(1100), type: 'driver.took', holder: 'here' }
const PAUSED: RolloutEvent = { ...at(1300), type: 'rollout.paused', why: 'gates of canary cannot tell' }
const FAILING: RolloutEvent = { ...at(1300), type: 'rollout.failing', why: '9 of 100 failed' }
const ended = (outcome: 'done' | 'reverted', ...keys: string[]): RolloutEvent => ({
  ...at(1400),
  type: 'rollout.ended',
  outcome,
  exceptions: keys.map((key) => ({ key, why: 'dark' })),
})

class Desk {
  readonly rollouts: RememberedRollouts
  readonly io = new CapturedIo()
  readonly questions: string[] = []
  answers: string[] = []
  production = false
  hasTerminal = true
  /** Whether packages are on this machine and go to the bucket first. */
  isHere = false

  constructor(planned?: (wish: { nodes: readonly string[] }) => Plan) {
    this.rollouts = new RememberedRollouts(planned)
  }

  /** Type a command line; resolves with its exit code. */
  async type(...words: string[]): Promise<number> {
    const request = readCommandLine(['rollout', ...words], '1')
    if (request.kind !== 'rollout') throw new Error(`it asks for ${request.kind}`)
    const place: RolloutSurroundings = {
      service: this.rollouts,
      context: 'works',
      production: this.production,
      ask: !this.hasTerminal
        ? null
        : async (question) => {
            this.questions.push(question)
            return this.answers.shift() ?? ''
          },
      select: async (selection) => ({
        nodes: NODES.filter((key) => selection.holds({ key, site: 'plant-a' }, null)).map((key) => ({
          key,
          site: 'plant-a',
        })),
        silent: [],
      }),
      find: async (name, from) => {
        if (name !== './digits') throw new Error(`nobody declared ${name}`)
        return { item: modelItem('2.0.0'), sources: [{ kind: 'nats', bucket: from[0] ?? 'packages' }] }
      },
      brings: () => this.isHere,
      readText: () => 'soak: 10s\ncanary: 1\n',
      nowMs: () => 61_000,
    }
    return EXIT_OF_ROLLOUT[await runRollout(request, place, this.io)]
  }
}

/** A desk at which one rollout stands in the journal. */
async function standing(...events: RolloutEvent[]): Promise<Desk> {
  const desk = new Desk()
  await desk.rollouts.start(planOf({ canary: ['press-1'], 'wave-1': ['press-2'] }), 'line 3 asked')
  desk.rollouts.write('r7k2m', ...events)
  return desk
}

describe('rollout plan', () => {
  it('says who, when, what and how much of the fleet, and begins nothing', async () => {
    const desk = new Desk(() =>
      planOf(
        { canary: ['press-1'], 'wave-1': ['press-2', 'press-3'] },
        {
          nodes: [
            planNode('press-1'),
            planNode('press-2', { site: 'plant-b' }),
            planNode('press-3', { requestsPerSec: 12 }),
            planNode('press-4'),
          ],
          unchanged: ['press-4'],
          fleetRequestsPerSec: 30,
          deferred: [],
          leftOut: [{ key: 'press-5', why: 'its daemon is too old' }],
        },
      ),
    )
    expect(await desk.type('plan', './digits', '--all')).toBe(0)
    const text = desk.io.out()
    expect(text).toContain('digits 2.0.0, model')
    expect(text).toContain("3 nodes at 2 sites, 80 % of the fleet's traffic; 2m 0s at least")
    expect(text).toMatch(/canary +1 +20 % +plant-a +press-1 +watched 1m 0s to 10m 0s\n/)
    expect(text).toMatch(/wave-1 +2 +60 % +plant-a, plant-b +press-2, press-3 +watched 1m 0s to 10m 0s, then done\n/)
    expect(text).toContain('left out    press-5: its daemon is too old')
    expect(text).toContain('have it     press-4')
    expect(await desk.rollouts.list()).toEqual([])
  })

  it('takes the selection, sources, a strategy file and single keys', async () => {
    const desk = new Desk()
    await desk.type(
      'start',
      './digits',
      'press-*',
      '!press-3',
      '--plan',
      '--from',
      'spare',
      '--strategy',
      's.yaml',
      '--set',
      'gates.maxSlowPct=5',
      '--set',
      'waves=["50%"]',
    )
    const [wish] = desk.rollouts.wishes
    expect(wish?.nodes).toEqual(['press-1', 'press-2'])
    expect(wish?.sources).toEqual([{ kind: 'nats', bucket: 'spare' }])
    expect(wish?.strategy).toMatchObject({ soakSec: 10, canary: { kind: 'count', count: 1 }, waves: [{ percent: 50 }] })
    expect(wish?.strategy.gates).toMatchObject({ maxSlowPct: 5, maxFailedPct: 2 })
  })

  it('refuses keys that there are not, and no selection', async () => {
    const desk = new Desk()
    await expect(desk.type('plan', './digits', '--all', '--set', 'soaks=5m')).rejects.toMatchObject({ code: 'USAGE' })
    await expect(desk.type('plan', './digits', '--all', '--set', 'soak')).rejects.toMatchObject({ code: 'USAGE' })
    await expect(desk.type('plan', './digits')).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('as JSON is one object with the waves', async () => {
    const desk = new Desk()
    await desk.type('plan', './digits', '--all', '-o', 'json')
    expect(JSON.parse(desk.io.out())).toMatchObject({ waves: [{ name: 'canary', nodes: NODES }] })
  })
})

describe('rollout start', () => {
  it('drives to the end and prints what happens', async () => {
    const desk = new Desk()
    desk.rollouts.script = [TOOK, { ...at(1200), type: 'wave.began', wave: 'canary' }, ended('done')]
    expect(await desk.type('start', './digits', '--all', '--why', 'line 3')).toBe(0)
    const text = desk.io.out()
    expect(text).toContain('mia started digits 2.0.0 on 3 nodes in 1 wave: line 3')
    expect(text).toContain('canary begins')
    expect(text).toMatch(/r7k2m {2}digits 2\.0\.0 {2}done\n$/)
  })

  it('ends with 5 when it was taken back, or is done but for a node', async () => {
    const back = new Desk()
    back.rollouts.script = [TOOK, FAILING, ended('reverted')]
    expect(await back.type('start', './digits', '--all')).toBe(5)
    expect(back.io.out()).toContain('taken back: 9 of 100 failed')
    const partly = new Desk()
    partly.rollouts.script = [TOOK, ended('done', 'press-3')]
    expect(await partly.type('start', './digits', '--all')).toBe(5)
  })

  it('drives on while it is paused, and ends with 6 where it is told to leave it', async () => {
    const desk = new Desk()
    desk.rollouts.script = [TOOK, PAUSED]
    expect(await desk.type('start', './digits', '--all', '--leave-paused')).toBe(6)
    const staying = new Desk()
    staying.rollouts.script = [TOOK, PAUSED]
    const run = staying.type('start', './digits', '--all')
    await expect.poll(() => staying.io.err()).toContain('paused: gates of canary cannot tell')
    staying.rollouts.write('r7k2m', ended('done'))
    expect(await run).toBe(0)
  })

  it('leaves it standing when interrupted, and says how to go on', async () => {
    const desk = new Desk()
    desk.rollouts.script = [TOOK]
    const run = desk.type('start', './digits', '--all')
    await expect.poll(() => desk.rollouts.driver).not.toBeNull()
    desk.io.abort()
    expect(await run).toBe(6)
    expect(desk.io.err()).toContain('edgedeck rollout drive r7k2m goes on with it')
    expect(desk.rollouts.events('r7k2m').map(({ type }) => type)).not.toContain('rollout.ended')
  })

  it('says once that gates cannot tell yet, and what they say in the end', async () => {
    const judged = (verdict: 'pass' | 'inconclusive', msg: string): RolloutEvent => ({
      ...at(1200),
      type: 'gate.judged',
      wave: 'canary',
      verdict: {
        verdict,
        findings: [{ gate: 'failed', against: 'limit', verdict, msg, changed: null, baseline: null }],
      },
    })
    const desk = new Desk()
    const said = [judged('inconclusive', '0 of 1'), judged('inconclusive', '0 of 2'), judged('pass', '0 of 300')]
    desk.rollouts.script = [TOOK, { ...at(1200), type: 'wave.began', wave: 'canary' }, ...said, ended('done')]
    await desk.type('start', './digits', '--all')
    const text = desk.io.out()
    expect(text.match(/cannot tell yet/g)).toHaveLength(1)
    expect(text).toContain('gates pass: 0 of 300')
    await desk.type('explain')
    const explained = desk.io.out()
    expect(explained).not.toContain('0 of 1')
    await desk.type('explain', '--all')
    expect(desk.io.out()).toContain('0 of 1')
  })

  it('only writes it down with --detach', async () => {
    const desk = new Desk()
    expect(await desk.type('start', './digits', '--all', '--detach')).toBe(0)
    expect(desk.rollouts.events('r7k2m').map(({ type }) => type)).toEqual(['rollout.started'])
    expect(desk.io.out()).toContain('edgedeck rollout status r7k2m --wait')
  })

  it('has the number of nodes typed in a production context, and why', async () => {
    const desk = new Desk()
    desk.production = true
    desk.answers = ['2']
    await expect(desk.type('start', './digits', '--all', '--detach')).rejects.toMatchObject({ code: 'USAGE' })
    expect(await desk.rollouts.list()).toEqual([])
    desk.answers = ['3', 'line 3 asked']
    expect(await desk.type('start', './digits', '--all', '--detach')).toBe(0)
    expect(desk.questions[0]).toContain('PRODUCTION works: bring digits 2.0.0 to 3 nodes')
    expect(desk.rollouts.events('r7k2m')[0]).toMatchObject({ why: 'line 3 asked' })
    desk.hasTerminal = false
    await expect(desk.type('start', './digits', '--all')).rejects.toMatchObject({ code: 'USAGE' })
    expect(await desk.type('start', './digits', '--all', '--detach', '--yes', '--why', 'night shift')).toBe(0)
    await expect(desk.type('start', './digits', '--all', '--yes')).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('begins nothing where nothing is to be done', async () => {
    const desk = new Desk(() => planOf({}, { unchanged: NODES }))
    const error = await desk.type('start', './digits', '--all').then(
      () => null,
      (reason: EdgeError) => reason,
    )
    expect(error?.message).toContain('have it already')
    expect(await desk.rollouts.list()).toEqual([])
  })
})

describe('rollout status, list and explain', () => {
  it('show waves, nodes and the newest rollout where none is named', async () => {
    const desk = await standing(TOOK, { ...at(1200), type: 'wave.began', wave: 'canary' })
    expect(await desk.type('status')).toBe(0)
    const text = desk.io.out()
    expect(text).toContain('r7k2m  digits 2.0.0  in canary (nobody drives it)')
    expect(text).toContain('started by mia 1m 0s ago: line 3 asked')
    expect(text).toMatch(/canary +running +1/)
    expect(text).toMatch(/press-2 +plant-a +wave-1 +waiting/)
    await desk.type('list')
    expect(desk.io.out()).toMatch(/r7k2m +digits 2\.0\.0 +2 +1970-01-01 00:00 +mia +in canary/)
  })

  it('say that one whose wave is through does not begin', async () => {
    const fresh = await standing(TOOK)
    await fresh.type('status')
    expect(fresh.io.out()).toContain('digits 2.0.0  about to begin (nobody')
    const through = { ...at(1300), type: 'wave.ended', wave: 'canary', why: '1 of 1 changed' } as const
    const desk = await standing(TOOK, { ...at(1200), type: 'wave.began', wave: 'canary' }, through)
    await desk.type('status')
    expect(desk.io.out()).toContain('digits 2.0.0  between waves (nobody')
  })

  it('explain with the figures that gates decided by, from the journal alone', async () => {
    const finding = (gate: 'failed' | 'slow', verdict: 'pass' | 'fail', msg: string) => ({
      gate,
      against: 'limit' as const,
      verdict,
      msg,
      changed: null,
      baseline: null,
    })
    const desk = await standing(
      TOOK,
      { ...at(1200), type: 'wave.began', wave: 'canary' },
      { ...at(1250), type: 'step.intended', node: 'press-1', step: 'stage', attempt: 1, activation: null, why: null },
      {
        ...at(1290),
        type: 'gate.judged',
        wave: 'canary',
        verdict: {
          verdict: 'fail',
          findings: [
            finding('failed', 'fail', '9 of 100 failed (9.0 %), limit 2 %'),
            finding('slow', 'pass', '0 of 100 took over 50 ms'),
          ],
        },
      },
      FAILING,
      ended('reverted'),
    )
    await desk.type('explain', 'r7k2m')
    const text = desk.io.out()
    expect(text).toMatch(/fail +9 of 100 failed \(9\.0 %\), limit 2 %\n/)
    expect(text).toMatch(/pass +0 of 100 took over 50 ms\n/)
    expect(text).toContain('so it is taken back: 9 of 100 failed')
    expect(text).not.toContain('press-1 is to fetch it')
    await desk.type('explain', '--all')
    expect(desk.io.out()).toContain('press-1 is to fetch it')
    await desk.type('explain', '-o', 'ndjson')
    expect(desk.io.out().trim().split('\n')).toHaveLength(7)
  })

  it('show nothing raw of what stands in a journal', async () => {
    const desk = await standing({ ...PAUSED, why: 'wait\u001b[2J\u202e' })
    for (const words of [['status'], ['explain'], ['list'], ['status', '-o', 'json'], ['explain', '-o', 'ndjson']]) {
      await desk.type(...words)
      expect(isSafe(desk.io.out().replaceAll('\n', ''))).toBe(true)
    }
  })

  it('wait until it stands, was taken back or is done', async () => {
    const paused = await standing(TOOK)
    const wait = paused.type('status', '--wait')
    paused.rollouts.write('r7k2m', PAUSED)
    expect(await wait).toBe(6)
    const done = await standing(TOOK, ended('done'))
    expect(await done.type('status', '--wait', '-o', 'json')).toBe(0)
    expect(JSON.parse(done.io.out())).toMatchObject({ id: 'r7k2m', course: 'done', phase: 'done' })
  })

  it('say so when there is none', async () => {
    const desk = new Desk()
    await expect(desk.type('status')).rejects.toMatchObject({ code: 'ROLLOUT_MISSING' })
    expect(await desk.type('list', '-o', 'json')).toBe(0)
    expect(JSON.parse(desk.io.out())).toEqual([])
  })
})

describe('decisions', () => {
  it.each(['pause', 'resume', 'approve', 'promote', 'abort'] as const)(
    '%s is written down with why',
    async (decision) => {
      const desk = await standing(TOOK)
      expect(await desk.type(decision, '--why', 'because')).toBe(0)
      expect(desk.rollouts.events('r7k2m').at(-1)).toMatchObject({ type: 'person.decided', decision, why: 'because' })
    },
  )

  it('name a wave, wait for what comes of it, and tell that nobody drives', async () => {
    const desk = await standing(TOOK)
    const run = desk.type('abort', 'r7k2m', '--wait')
    await expect.poll(() => desk.rollouts.events('r7k2m').length).toBe(3)
    desk.rollouts.write('r7k2m', ended('reverted'))
    expect(await run).toBe(5)
    const other = await standing(TOOK)
    await other.type('promote', '--wave', 'canary')
    expect(other.rollouts.events('r7k2m').at(-1)).toMatchObject({ wave: 'canary' })
    expect(other.io.err()).toContain('nobody drives it')
  })

  it('have the name of the rollout typed in a production context', async () => {
    const desk = await standing(TOOK)
    desk.production = true
    desk.answers = ['yes']
    await expect(desk.type('abort')).rejects.toMatchObject({ code: 'USAGE' })
    desk.answers = ['r7k2m', 'wrong classes']
    expect(await desk.type('abort')).toBe(0)
    expect(desk.rollouts.events('r7k2m').at(-1)).toMatchObject({ decision: 'abort', why: 'wrong classes' })
  })

  it('undo is a rollout of its own over the same nodes', async () => {
    const desk = await standing(TOOK, ended('done'))
    await desk.type('undo', '--plan')
    expect(desk.rollouts.wishes[0]).toMatchObject({ undoes: 'r7k2m', nodes: ['press-1', 'press-2'] })
  })
})

it('names its author where nobody is known', async () => {
  const desk = new Desk()
  const plan = planOf({ canary: ['press-1'] })
  desk.rollouts.write('r7k2m', { at: 1, term: 0, type: 'rollout.started', plan, by: author(''), why: null })
  await desk.type('status')
  expect(desk.io.out()).toContain('started by somebody')
})
