import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { EdgeError } from '../../protocol/errors.ts'
import { seededRandom } from '../support/random.ts'
import { growing, type Input, mutate } from './mutate.ts'

/** Cases of each decoder; more with `EDGE_FUZZ_CASES`. */
const CASES = Number(process.env.EDGE_FUZZ_CASES ?? 250)
/** Where the cases begin; `EDGE_FUZZ_SEED` for others. */
export const SEED = Number(process.env.EDGE_FUZZ_SEED ?? 20_261_125)
/** Time for the cases of one decoder, ms; the rest is left out on a slow machine, and said. */
const BUDGET_MS = 8 * Math.max(250, CASES)
/** Longest input that grows, bytes, and how much shorter the one is that it is compared with. */
const GROWN = 48 * 1024
const SHORTER = 8
/** Eight times the input may cost so many times the time; in squares it would be 64. */
const MAX_GROWTH = 36
/** Below this, ms, a clock says little. */
const NOISE_MS = 25

/** Something that reads what others wrote. */
export interface Decoder {
  readonly name: string
  /** Inputs that it takes. */
  readonly samples: readonly Input[]
  /** Read it; a promise is waited for. */
  readonly decode: (input: never) => unknown
  /** Whether a result says that the input was taken; for samples and the corpus. */
  readonly isTaken: (result: never) => boolean
  /** Errors that it may throw; an {@link EdgeError} is always one. None when it never throws. */
  readonly declares?: (error: Error) => boolean
  /** Share of the usual number of cases, for what is slow by itself. */
  readonly share?: number
  /** False for what is slow by itself. */
  readonly grows?: boolean
}

const CORPUS = new URL('corpus/', import.meta.url)

/** Samples on file: those whose name begins with `bad-` must be refused, others taken. Texts but for `.bin`. */
export function corpusOf(name: string): { readonly file: string; readonly input: Input; readonly isBad: boolean }[] {
  const folder = new URL(`${name}/`, CORPUS)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .toSorted()
    .map((file) => {
      const bytes = readFileSync(new URL(file, folder))
      return { file, input: file.endsWith('.bin') ? bytes : bytes.toString('utf8'), isBad: file.startsWith('bad-') }
    })
}

/** What a decoder broke, or null: it threw what it does not declare. */
export async function tryOne(decoder: Decoder, input: Input): Promise<{ taken: boolean; broke: string | null }> {
  try {
    const result = await decoder.decode(input as never)
    return { taken: decoder.isTaken(result as never), broke: null }
  } catch (error) {
    if (error instanceof EdgeError) return { taken: false, broke: null }
    if (error instanceof Error && decoder.declares?.(error) === true) return { taken: false, broke: null }
    return { taken: false, broke: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

/** Try many changed samples. Returns what broke, with the input, and how many were tried. */
export async function tryMany(decoder: Decoder): Promise<{ faults: string[]; cases: number }> {
  const random = seededRandom(SEED)
  const samples = [...decoder.samples, ...corpusOf(decoder.name).map(({ input }) => input)]
  const alike = (sample: Input): readonly Input[] => samples.filter((other) => typeof other === typeof sample)
  const faults: string[] = []
  const endMs = performance.now() + BUDGET_MS
  let cases = 0
  const wanted = Math.ceil(CASES * (decoder.share ?? 1))
  for (; cases < wanted && faults.length < 3 && performance.now() < endMs; cases += 1) {
    const sample = samples[Math.floor(random() * samples.length)] ?? ''
    const input = mutate(sample, random, alike(sample))
    const { broke } = await tryOne(decoder, input)
    if (broke !== null) faults.push(`${broke}\n  by ${shown(input)}`)
  }
  return { faults, cases }
}

/** See how the time grows with the input. Returns what grows too much. */
export async function tryGrowth(decoder: Decoder): Promise<string[]> {
  const random = seededRandom(SEED)
  const faults: string[] = []
  for (const sample of decoder.samples.slice(0, 3)) {
    for (const grow of growing(sample, random)) {
      const long = grow(GROWN)
      const { broke } = await tryOne(decoder, long)
      if (broke !== null) {
        faults.push(`${broke}\n  by ${shown(long)}`)
        continue
      }
      let longMs = await bestMs(decoder, long)
      if (longMs < NOISE_MS) continue
      const shortMs = await bestMs(decoder, grow(GROWN / SHORTER))
      const isSquared = (): boolean => longMs > MAX_GROWTH * shortMs + NOISE_MS
      if (isSquared()) longMs = Math.min(longMs, await bestMs(decoder, long))
      if (isSquared()) {
        faults.push(`${shortMs.toFixed(1)} ms for an eighth, ${longMs.toFixed(1)} ms for ${shown(long)}`)
      }
    }
  }
  return faults
}

/** Time of the processor, not of the clock: a machine with much to do else is no slower by it. The best of some runs, ms. */
async function bestMs(decoder: Decoder, input: Input): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let run = 0; run < 3; run += 1) {
    const began = process.cpuUsage()
    await tryOne(decoder, input)
    const { user, system } = process.cpuUsage(began)
    best = Math.min(best, (user + system) / 1000)
    if (best < NOISE_MS) break
  }
  return best
}

function shown(input: Input): string {
  const text = typeof input === 'string' ? JSON.stringify(input) : input.toString('hex')
  return text.length > 400 ? `${text.slice(0, 400)}… (${input.length} long)` : text
}
