import type { Item, Source } from '../../protocol/change.ts'
import { EdgeError, type ErrorCode, messageOf } from '../../protocol/errors.ts'
import {
  type BlobWish,
  type DeliveredPackage,
  type DeliveryRun,
  type DeliveryWish,
  type PackageSource,
  SourceFault,
} from './contract.ts'
import type { IncomingPackage } from './incoming-package.ts'
import type { IncomingPackages } from './incoming-packages.ts'

/** Where deliveries write what happened. */
export interface DeliveryLog {
  info(event: string, msg: string, fields?: Readonly<Record<string, string | number>>): void
  warn(event: string, msg: string, fields?: Readonly<Record<string, string | number>>): void
}

/** What a {@link Delivery} is made of. */
export interface DeliveryOptions {
  readonly packages: IncomingPackages
  /** Places that a source stands for: a bucket is asked in each region. None for a console that brings it by itself. */
  readonly open: (source: Source) => readonly PackageSource[]
  readonly log: DeliveryLog
  /** It is given up when nothing came for so long. */
  readonly patienceMs?: number
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number }
  /** Monotonic clock, ms. */
  readonly nowMs?: () => number
}

const PATIENCE_MS = 600_000
const BACKOFF = { firstMs: 500, maxMs: 30_000 } as const
/** Rounds over all sources in which each says for sure that it has it not. */
const SURE_ROUNDS = 3
/** What is wrong with what a source gave, or could not be looked at: the next one is asked, and later this one again. */
const OF_A_SOURCE: ReadonlySet<ErrorCode> = new Set(['PACKAGE_INVALID', 'PACKAGE_UNTRUSTED', 'PACKAGE_UNREAD'])

/** What all sources said in one round. */
interface Round {
  readonly faults: { readonly source: string; readonly error: SourceFault | EdgeError }[]
  /** Of what came, that dripped from sources which were left for it. */
  drippedBytes: number
}

/** What one source is asked with. */
interface Asking extends DeliveryRun {
  /** So many bytes of it were written. */
  readonly came: (bytes: number) => void
}

/** Brings packages to the node: one place after the other is asked, as long as something comes. */
export class Delivery {
  readonly #options: DeliveryOptions

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  /** @see Deliver */
  async deliver({ item, sources }: DeliveryWish, { signal, progress }: DeliveryRun): Promise<DeliveredPackage> {
    const { packages, log } = this.#options
    const both = AbortSignal.any([signal, packages.ended])
    const opened = sources.flatMap((source) => this.#options.open(source))
    const isBrought = sources.some(({ kind }) => kind === 'link')
    const unwant = packages.want(item.digest)
    try {
      const kept = await this.#bring(item, { opened, isBrought, signal: both, progress })
      log.info('package.delivered', `${item.name}@${item.version} is here`, { digest: item.digest })
      return kept
    } catch (error) {
      both.throwIfAborted()
      throw packages.refusalOf(error)
    } finally {
      unwant()
      for (const source of opened) await source.close().catch(() => {})
    }
  }

  async #bring(
    item: Item,
    run: DeliveryRun & { readonly opened: readonly PackageSource[]; readonly isBrought: boolean },
  ): Promise<DeliveredPackage> {
    const { packages, log, patienceMs = PATIENCE_MS, backoff: bounds = BACKOFF } = this.#options
    const { nowMs = () => performance.now() } = this.#options
    const { opened, isBrought, signal } = run
    let tries = 0
    let cameAtMs = nowMs()
    let sureRounds = 0
    let hadBytes: number | null = null
    for (;;) {
      const round: Round = { faults: [], drippedBytes: 0 }
      const kept = await this.#lookHere(item, round)
      if (kept !== null) return kept
      hadBytes ??= await this.#bytesHere(item)
      const whole = await this.#askAll(item, run, round)
      for (const { error } of round.faults) log.warn('package.source_failed', messageOf(error), { digest: item.digest })
      if (whole !== null) return whole
      const bytes = await this.#bytesHere(item)
      if (bytes - hadBytes > round.drippedBytes) {
        cameAtMs = nowMs()
        tries = 0
      }
      hadBytes = bytes
      const last = round.faults.at(-1)
      sureRounds = !isBrought && round.faults.every(({ error }) => isSure(error)) ? sureRounds + 1 : 0
      if (sureRounds >= SURE_ROUNDS || nowMs() - cameAtMs > patienceMs) {
        throw gaveUp(item, round, { isBrought, hasSources: opened.length > 0, cause: last?.error })
      }
      // Consoles bring pieces meanwhile; only a whole package ends the wait.
      await packages.arrival(item.digest, Math.min(waitMs(bounds, tries), patienceMs), signal)
      tries += 1
    }
  }

  /** What lies here whole. What the disk does not give now is a fault of this round, in which nobody is asked for it again. */
  async #lookHere({ digest }: Item, { faults }: Round): Promise<DeliveredPackage | null> {
    try {
      return await this.#options.packages.place.findWhole(digest)
    } catch (error) {
      if (!isUnread(error)) throw error
      faults.push({ source: 'the disk', error })
      return null
    }
  }

  async #bytesHere(item: Item): Promise<number> {
    return (await this.#options.packages.begun(item))?.progress().doneBytes ?? 0
  }

  async #askAll(
    item: Item,
    { opened, signal, progress }: DeliveryRun & { readonly opened: readonly PackageSource[] },
    round: Round,
  ): Promise<DeliveredPackage | null> {
    const { packages } = this.#options
    const { faults } = round
    if (faults.length > 0) return null
    for (const source of opened) {
      let cameBytes = 0
      const came = (bytes: number): void => {
        cameBytes += bytes
      }
      try {
        const incoming =
          (await packages.begun(item)) ?? (await packages.begin(item, await source.statement(item.digest, signal)))
        progress(incoming.progress())
        await packages.mustHaveRoom(incoming)
        for (const blob of incoming.missing()) {
          await this.#fetch(source, incoming, blob, { signal, progress, came })
        }
        if (incoming.missing().length === 0) return await packages.accept(incoming)
      } catch (error) {
        signal.throwIfAborted()
        if (!isOfSource(error)) throw error
        if (error instanceof SourceFault && error.kind === 'slow') round.drippedBytes += cameBytes
        faults.push({ source: source.name, error })
      }
    }
    return null
  }

  /** One blob from one source, as far as it gives it. */
  async #fetch(source: PackageSource, incoming: IncomingPackage, blob: BlobWish, run: Asking): Promise<void> {
    // What lies here may be what another source made up: that one would be blamed for it.
    for (const isLastTry of [false, true]) {
      const file = await incoming.claim(blob.sha256)
      if (file === null) throw new SourceFault('away', `${source.name}: a console brings ${blob.sha256}`)
      const beganAt = file.have
      let failure: unknown = null
      try {
        if (!file.isFull) await this.#read(source, incoming, file, run)
      } catch (error) {
        failure = error ?? new SourceFault('away', `${source.name}: it broke off`)
      }
      const outcome = await incoming.release(file)
      run.progress(incoming.progress())
      if (failure !== null) throw failure
      if (outcome === 'whole') return
      if (outcome === 'part') throw new SourceFault('away', `${source.name}: ${blob.sha256} is not whole`)
      if (beganAt === 0 || isLastTry) throw new SourceFault('wrong', `${source.name}: ${blob.sha256} is something else`)
    }
  }

  async #read(
    source: PackageSource,
    incoming: IncomingPackage,
    file: NonNullable<Awaited<ReturnType<IncomingPackage['claim']>>>,
    { signal, progress, came }: Asking,
  ): Promise<void> {
    const { packages } = this.#options
    const afterPiece = async (bytes: number, busyMs: number): Promise<void> => {
      came(bytes)
      incoming.grew(file)
      progress(incoming.progress())
      await packages.took(bytes, busyMs, signal)
    }
    for await (const piece of source.read(file.blob, file.have, signal)) {
      signal.throwIfAborted()
      // What was fetched again is paid for, too.
      const knownBytes = Math.min(piece.data.length, Math.max(0, file.have - piece.at))
      if (knownBytes > 0) await packages.took(knownBytes, 0, signal)
      if (!(await file.add(piece, afterPiece))) throw new SourceFault('wrong', `${source.name}: it leaves a hole`)
      if (file.isFull) return
    }
  }
}

/** Whether another source may do better. */
function isOfSource(error: unknown): error is SourceFault | EdgeError {
  if (error instanceof SourceFault) return true
  return error instanceof EdgeError && OF_A_SOURCE.has(error.code)
}

/** Whether the disk did not give what lies here already, which passes or does not. */
function isUnread(error: unknown): error is EdgeError {
  return error instanceof EdgeError && error.code === 'PACKAGE_UNREAD'
}

function isSure(error: SourceFault | EdgeError): boolean {
  if (error instanceof EdgeError) return !isUnread(error)
  return error.kind === 'missing' || error.kind === 'wrong'
}

/** Waits that double, each with up to half taken off, so that a fleet does not knock in step. */
function waitMs({ firstMs, maxMs }: { firstMs: number; maxMs: number }, tries: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(tries, 20)) * (1 - Math.random() / 2)
}

function gaveUp(
  item: Item,
  { faults }: Round,
  told: { readonly isBrought: boolean; readonly hasSources: boolean; readonly cause: unknown },
): EdgeError {
  const refusal = faults.find(({ error }) => error instanceof EdgeError)?.error
  if (refusal instanceof EdgeError) return refusal
  const name = `${item.kind} ${item.name}@${item.version}`
  const said = faults.map(({ error }) => error.message).join('; ')
  const { isBrought, hasSources, cause } = told
  if (faults.some(({ error }) => error instanceof SourceFault && error.kind === 'wrong')) {
    return new EdgeError('PACKAGE_INVALID', {
      message: `${name} is not what it should be where it comes from: ${said}`,
      next: ['push it again: edgedeck model push'],
      cause,
    })
  }
  return new EdgeError('PACKAGE_MISSING', {
    message: hasSources
      ? `${name} is not to be had: ${said}`
      : isBrought
        ? `no console has brought ${name}`
        : `this node reaches none of the places that ${name} should come from`,
    next: [
      isBrought ? 'bring it: edgedeck model push PACKAGE --to nodes' : 'push it there: edgedeck model push PACKAGE',
    ],
    cause,
  })
}
