import type { Item } from '../../protocol/change.ts'
import { EdgeError, type ErrorCode, messageOf } from '../../protocol/errors.ts'
import type { ChangeKind } from './contract.ts'

const AGAIN_FIRST_MS = 500
const AGAIN_MAX_MS = 30_000
/** What no second try helps: the package itself is gone or no longer what was confirmed. */
const SPOILT: ReadonlySet<ErrorCode> = new Set([
  'PACKAGE_MISSING',
  'PACKAGE_INVALID',
  'PACKAGE_UNTRUSTED',
  'MODEL_INVALID',
])

/** Whether an item itself is gone or spoilt, so that trying again changes nothing. */
export function isSpoilt(error: unknown): boolean {
  return error instanceof EdgeError && SPOILT.has(error.code)
}

/** What {@link serveAgain} goes by. */
export interface WayBack {
  /** What is to serve; null is what the node was set up with. */
  readonly wanted: Item | null
  readonly signal: AbortSignal
  /** Told of every try that failed. */
  readonly failed: (msg: string) => void
  /** Told when what was confirmed can no longer be served, so that what the node was set up with serves in its place. */
  readonly putAside: (item: Item, msg: string) => void
}

/**
 * Have what was confirmed serve again, however often it takes: what is taken back serves until then. Only a package that is
 * spoilt on the disk is not waited for, since then what was taken back would serve for ever. Resolves false when it was called off.
 */
export async function serveAgain(kind: Pick<ChangeKind, 'serve'>, way: WayBack): Promise<boolean> {
  let { wanted } = way
  const { signal } = way
  for (let waitMs = AGAIN_FIRST_MS; !signal.aborted; ) {
    try {
      await kind.serve(wanted, { keepBefore: false, signal })
      return true
    } catch (error) {
      const msg = error instanceof EdgeError ? error.toLine() : messageOf(error)
      way.failed(msg)
      if (wanted !== null && isSpoilt(error)) {
        way.putAside(wanted, msg)
        wanted = null
        continue
      }
    }
    await sleep(waitMs, signal)
    waitMs = Math.min(AGAIN_MAX_MS, waitMs * 2)
  }
  return false
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
