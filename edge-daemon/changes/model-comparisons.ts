import type { Item, ShadowReport } from '../../protocol/change.ts'
import { EdgeError, messageOf } from '../../protocol/errors.ts'
import type { Priority } from '../inference/background.ts'
import type { ServedModel } from '../models/models.ts'
import type { PackageReader } from '../models/package-reader.ts'
import type { PackageShelf } from '../models/shelf.ts'
import type { AnswerTap } from '../shadow/answer-tap.ts'
import { emptyReport, type ShadowRun, type ShadowSource, startShadow } from '../shadow/shadow.ts'
import type { Store } from '../store/store.ts'
import type { Comparison } from './contract.ts'
import { readPatiently } from './patient-read.ts'
import type { ShadowWish } from './slot-state.ts'

/** Pictures that a watch over a probation compares at most: it ends with the probation, whatever it has seen. */
const WATCHED = 1_000_000

/** What {@link ModelComparisons} are made of. */
export interface ModelComparisonsOptions {
  readonly tap: AnswerTap
  readonly store: Pick<Store, 'read'>
  readonly shelf: Pick<PackageShelf, 'find' | 'trust'>
  readonly reader: Pick<PackageReader, 'verify'>
  /** What serves now. */
  readonly serving: () => ServedModel | null
  /** The model of an item; null is what the node was set up with. */
  readonly modelOf: (item: Item | null, signal: AbortSignal) => Promise<ServedModel>
  /** Most pixels that a picture may have. */
  readonly pixelLimit: number
  readonly priority: Priority
}

interface Both {
  readonly candidate: ServedModel
  readonly current: ServedModel
}

/** Runs models of items beside what serves: a candidate before it serves, and what served before while it is on probation. */
export class ModelComparisons {
  readonly #options: ModelComparisonsOptions

  constructor(options: ModelComparisonsOptions) {
    this.#options = options
  }

  /** @see ChangeKind.compare */
  compare(item: Item, { source, samples, samplePct, labelled }: ShadowWish): Comparison {
    const { tap, store, modelOf } = this.#options
    return this.#begin(source, samples, async (signal) => {
      const both = { candidate: await modelOf(item, signal), current: this.#serving() }
      if (source === 'live') return { both, from: { kind: 'live', tap, samplePct, serving: 'current' } }
      if (source === 'kept') return { both, from: { kind: 'kept', store } }
      return { both, from: { kind: 'labelled', folder: await this.#labelled(labelled, signal) } }
    })
  }

  /** @see ChangeKind.watch */
  watch(before: Item | null, samplePct: number): Comparison {
    const { tap, modelOf } = this.#options
    return this.#begin('live', WATCHED, async (signal) => {
      const both = { candidate: this.#serving(), current: await modelOf(before, signal) }
      return { both, from: { kind: 'live', tap, samplePct, serving: 'candidate' } }
    })
  }

  #begin(
    source: ShadowReport['source'],
    wanted: number,
    prepare: (signal: AbortSignal) => Promise<{ readonly both: Both; readonly from: ShadowSource }>,
  ): Comparison {
    const { pixelLimit, priority } = this.#options
    const ending = new AbortController()
    let run: ShadowRun | null = null
    const begin = async (): Promise<void> => {
      const { both, from } = await prepare(ending.signal)
      if (ending.signal.aborted) return
      run = startShadow({ ...both, source: from, wanted, pixelLimit, priority })
      const end = await run.whenDone
      // What is wrong with the node or its pictures is not the candidate's fault: the report says why there is so little.
      if (end.kind === 'failed' && end.by === 'candidate') throw end.error
    }
    let fault: string | null = null
    const done = begin().catch((error: unknown) => {
      fault = messageOf(error)
      throw error
    })
    // Who stops it does not hear of its failures any more.
    done.catch(() => undefined)
    return {
      report: () => run?.report() ?? emptyReport({ source, wanted, fault }),
      done,
      stop: async () => {
        ending.abort()
        await run?.stop()
        await done.catch(() => undefined)
      },
    }
  }

  #serving(): ServedModel {
    const model = this.#options.serving()
    if (model === null) throw new EdgeError('NOT_READY', { message: 'no model serves that another could be beside' })
    return model
  }

  /** Folder of a labelled set, verified anew. */
  async #labelled(digest: string | undefined, signal: AbortSignal): Promise<string> {
    const { shelf, reader } = this.#options
    const held = digest === undefined ? null : await readPatiently(() => shelf.find(digest), { signal })
    if (digest === undefined || held === null) {
      throw new EdgeError('PACKAGE_MISSING', {
        message: digest === undefined ? 'no labelled set was named' : `the labelled set ${digest} is not on this node`,
        next: ['bring it there: edgedeck model push', 'or compare on live or kept pictures'],
      })
    }
    const wish = { folder: held.folder, trust: shelf.trust, digest, signal }
    const { statement } = await readPatiently(() => reader.verify(wish), { signal })
    if (statement.kind !== 'labelled') {
      throw new EdgeError('PACKAGE_INVALID', {
        message: `the package ${digest} is of kind ${statement.kind}, not a labelled set`,
        next: ['name the digest of a labelled set'],
      })
    }
    return held.folder
  }
}
