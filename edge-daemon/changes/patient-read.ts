import { setTimeout as sleep } from 'node:timers/promises'
import { EdgeError } from '../../protocol/errors.ts'

/** How long is waited between two tries, ms: a shortage of files or memory is mostly over by then. */
const WAITS_MS: readonly number[] = [200, 400, 800, 1600]

/**
 * Read a package, a few times where the disk does not give it: what passes in seconds should not end a change.
 * @throws what `read` does at last; `PACKAGE_UNREAD` when the disk gave it at no time
 */
export async function readPatiently<T>(
  read: () => Promise<T>,
  {
    signal,
    waitsMs = WAITS_MS,
  }: { readonly signal?: AbortSignal | undefined; readonly waitsMs?: readonly number[] } = {},
): Promise<T> {
  for (const waitMs of waitsMs) {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof EdgeError) || error.code !== 'PACKAGE_UNREAD') throw error
    }
    await sleep(waitMs, undefined, { signal })
  }
  return read()
}
