import { once } from 'node:events'
import type { CommandIo } from './output.ts'

/**
 * Write and wait until the reader has room again, so that a slow pipe slows us instead of filling our memory. Returns at
 * once when the command is to end.
 */
export async function writePatiently({ stdout, signal }: CommandIo, text: string): Promise<void> {
  if (signal.aborted || text === '' || stdout.write(text)) return
  await once(stdout, 'drain', { signal }).catch((error: Error) => {
    if (error.name !== 'AbortError') throw error
  })
}
