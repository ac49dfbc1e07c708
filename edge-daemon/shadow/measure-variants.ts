import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { Priority } from '../inference/background.ts'
import type { ServedModel } from '../models/models.ts'
import { Arm } from './arm.ts'
import { requireRoomBeside } from './room-beside.ts'
import type { Measured } from './variant-choice.ts'

const WARM_UP = 3
const ROUNDS = 25
const FEWEST_ROUNDS = 5
/** After so long no further round is begun. */
const ENOUGH_MS = 5000
/** Longest that all of it may take: a busy node has little time for what is done behind what serves. */
const DEADLINE_MS = 90_000

/** What is measured, with what, and how. */
export interface VariantTrial {
  /** The same model by variants. */
  readonly models: readonly ServedModel[]
  readonly pictures: readonly Uint8Array[]
  readonly pixelLimit: number
  readonly priority: Priority
  readonly signal?: AbortSignal | undefined
  readonly childEntry?: string | undefined
}

/**
 * Measure how long each variant runs on this node for a picture, each in a child of its own: turn by turn and in changing
 * order, so that what else the node does hits all alike; the median of each.
 * @returns by variant; nothing when it was not done in time or there are no pictures.
 * @throws what `signal` was aborted for
 */
export async function measureVariants(trial: VariantTrial): Promise<Readonly<Record<string, Measured>>> {
  const { models, pictures, pixelLimit, priority, childEntry, signal } = trial
  if (pictures.length === 0) return {}
  const arms = models.map((model) => new Arm({ model, pixelLimit, priority, childEntry }))
  const isOver = AbortSignal.timeout(DEADLINE_MS)
  const ending = signal === undefined ? isOver : AbortSignal.any([signal, isOver])
  const stop = (): void => void Promise.all(arms.map((arm) => arm.stop()))
  ending.addEventListener('abort', stop)
  try {
    const measured = await measureArms(trial, arms, ending)
    signal?.throwIfAborted()
    return ending.aborted ? {} : measured
  } finally {
    ending.removeEventListener('abort', stop)
    await Promise.all(arms.map((arm) => arm.stop()))
  }
}

interface Runner {
  readonly name: string
  readonly arm: Arm
  readonly runsMs: number[]
  fault: string | null
}

async function measureArms(
  { models, pictures }: VariantTrial,
  arms: readonly Arm[],
  ending: AbortSignal,
): Promise<Record<string, Measured>> {
  const runners = models.map(({ variant }, index): Runner => {
    return { name: variant, arm: arms[index] as Arm, runsMs: [], fault: null }
  })
  for (const [index, runner] of runners.entries()) {
    await attempt(runner, async () => {
      requireRoomBeside(models[index] as ServedModel, process.availableMemory())
      await runner.arm.start()
    })
  }
  const startedAtMs = performance.now()
  for (let round = -WARM_UP; round < ROUNDS && !ending.aborted; round += 1) {
    if (round >= FEWEST_ROUNDS && performance.now() - startedAtMs > ENOUGH_MS) break
    const picture = pictures[(round + WARM_UP) % pictures.length] as Uint8Array
    for (const runner of round % 2 === 0 ? runners : runners.toReversed()) {
      if (runner.fault !== null) continue
      await attempt(runner, async () => {
        const answer = await runner.arm.ask(picture)
        if (!answer.ok) runner.fault = 'it fails on the pictures that it is measured with'
        else if (round >= 0) runner.runsMs.push(answer.runMs)
      })
    }
  }
  return Object.fromEntries(
    runners.map(({ name, runsMs, fault }) => [name, fault === null ? { runMs: median(runsMs) } : { fault }]),
  )
}

async function attempt(runner: Runner, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error
    runner.fault = messageOf(error)
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? 0
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2
}
