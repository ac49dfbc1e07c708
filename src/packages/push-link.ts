import { setTimeout as sleep } from 'node:timers/promises'
import type { Item } from '../../protocol/change.ts'
import { PUT_BYTES, PUTS_UNDER_WAY, type Taken, takenSchema, type Wanted } from '../../protocol/delivery.ts'
import { EdgeError } from '../../protocol/errors.ts'
import { type LocalPackage, readStretch } from './local-package.ts'

/** Answer of a node to a verb. */
export type NodeAnswer =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly next: readonly string[] }

/** How a node is asked. */
export interface LinkRoute {
  readonly command: (
    verb: 'package.offer' | 'package.put',
    args: Record<string, string | number | Record<string, string>>,
    options: { readonly timeoutMs: number },
  ) => Promise<NodeAnswer>
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Told after each piece that the node has. */
  readonly pushed?: (bytes: number) => void
  /** It is given up when the node was not reached for so long. */
  readonly patienceMs?: number
}

const PATIENCE_MS = 120_000
const WAIT_MS = 1000
const LEAST_PUT_BYTES = 4096
/** A put that takes longer is made smaller the next time, and one that is quicker larger. */
const [SLOW_MS, QUICK_MS] = [3000, 500]
/** What the node says about a link that broke, or an offer that it forgot meanwhile: it is offered again. */
const AGAIN: readonly string[] = ['NODE_UNREACHABLE', 'CHANGE_UNFIT', 'OVERLOADED', 'NOT_READY']

class Refused extends Error {
  readonly answer: Extract<NodeAnswer, { ok: false }>

  constructor(answer: Extract<NodeAnswer, { ok: false }>) {
    super(answer.message)
    this.answer = answer
  }
}

/** What became of it: the node has it whole, or why not. */
export type LinkOutcome =
  | { readonly ok: true; readonly bytes: number }
  | (Extract<NodeAnswer, { ok: false }> & { readonly bytes: number })

/** Bring a package to a node over its link, and go on wherever the node says, also after the link broke. */
export async function pushOverLink(made: LocalPackage, route: LinkRoute): Promise<LinkOutcome> {
  const { signal, patienceMs = PATIENCE_MS } = route
  const push = new LinkPush(made, route)
  let reachedAtMs = performance.now()
  for (;;) {
    const before = push.bytes
    try {
      await push.once()
      return { ok: true, bytes: push.bytes }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Refused)) throw error
      if (push.bytes > before) reachedAtMs = performance.now()
      const isOver = !AGAIN.includes(error.answer.code) || performance.now() - reachedAtMs > patienceMs
      if (isOver) return { ...error.answer, bytes: push.bytes }
    }
    await sleep(WAIT_MS, undefined, { signal })
  }
}

class LinkPush {
  /** Bytes that the node took. */
  bytes = 0
  readonly #made: LocalPackage
  readonly #route: LinkRoute
  #putBytes = 32 * 1024

  constructor(made: LocalPackage, route: LinkRoute) {
    this.#made = made
    this.#route = route
  }

  async once(): Promise<void> {
    const { digest, statement, signed } = this.#made
    const { kind, name, version } = statement
    const item = { kind, name, version, digest } as Item
    let taken = await this.#ask('package.offer', { item: { ...item }, statementBytes: signed.length })
    const [first] = taken.wanted ?? []
    if (first?.blob === 'statement') {
      const read = async (at: number, size: number): Promise<Uint8Array> => signed.subarray(at, at + size)
      taken = await this.#put(first, read)
    }
    for (const wanted of taken.wanted ?? []) {
      if (taken.kept) return
      const blob = this.#made.blobs.find(({ sha256 }) => sha256 === wanted.blob)
      if (blob === undefined || blob.sizeBytes !== wanted.bytes) throw unknownAnswer()
      taken = await this.#put(wanted, (at, size) => readStretch(blob.path, at, size))
    }
    if (!taken.kept)
      throw new Refused({ ok: false, code: 'CHANGE_UNFIT', message: 'the node has not all of it', next: [] })
  }

  /** Put a blob from where the node wants it; a few pieces are under way at a time. Resolves with the last answer. */
  async #put({ blob, bytes, have }: Wanted, read: (at: number, size: number) => Promise<Uint8Array>): Promise<Taken> {
    const { digest } = this.#made
    let [at, known] = [have, have]
    const underWay: { readonly end: number; readonly answer: Promise<Taken | Refused> }[] = []
    for (;;) {
      while (at < bytes && underWay.length < PUTS_UNDER_WAY) {
        const piece = await read(at, Math.min(this.#putBytes, bytes - at))
        if (piece.length === 0)
          throw new EdgeError('PACKAGE_INVALID', { message: `${blob} was changed meanwhile`, next: ['pack it again'] })
        const data = Buffer.from(piece).toString('base64')
        const answer = this.#timed({ digest, blob, offset: at, data }).catch((error) => {
          if (error instanceof Refused) return error
          throw error
        })
        at += piece.length
        underWay.push({ end: at, answer })
      }
      const first = underWay.shift()
      if (first === undefined) throw unknownAnswer()
      const answer = await first.answer
      if (answer instanceof Refused) {
        await Promise.all(underWay.map((other) => other.answer))
        throw answer
      }
      const now = answer.have ?? first.end
      if (now > known) {
        this.bytes += now - known
        this.#route.pushed?.(now - known)
        known = now
      }
      if (answer.kept || now >= bytes) {
        await Promise.all(underWay.map((other) => other.answer))
        return answer
      }
      if (now < first.end) {
        // The node is elsewhere than we thought: what is under way does not fit either.
        await Promise.all(underWay.splice(0).map((other) => other.answer))
        if (now >= at) throw unknownAnswer()
        at = now
        this.#route.signal.throwIfAborted()
        await sleep(WAIT_MS / 10, undefined, { signal: this.#route.signal })
      }
    }
  }

  async #timed(args: { digest: string; blob: string; offset: number; data: string }): Promise<Taken> {
    const beganMs = performance.now()
    const taken = await this.#ask('package.put', args)
    const tookMs = performance.now() - beganMs
    if (tookMs > SLOW_MS) this.#putBytes = Math.max(LEAST_PUT_BYTES, this.#putBytes / 2)
    else if (tookMs < QUICK_MS) this.#putBytes = Math.min(PUT_BYTES, this.#putBytes * 2)
    return taken
  }

  async #ask(
    ...[verb, args]: [Parameters<LinkRoute['command']>[0], Parameters<LinkRoute['command']>[1]]
  ): Promise<Taken> {
    const { command, timeoutMs, signal } = this.#route
    signal.throwIfAborted()
    const answer = await command(verb, args, { timeoutMs })
    if (!answer.ok) throw new Refused(answer)
    const taken = takenSchema.safeParse(answer.result)
    if (!taken.success) throw unknownAnswer()
    return taken.data
  }
}

function unknownAnswer(): EdgeError {
  return new EdgeError('FRAME_INVALID', {
    message: 'the node answers in a way that this console does not know',
    next: ['bring console and daemon to one release'],
  })
}
