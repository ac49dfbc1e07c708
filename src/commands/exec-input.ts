import { EdgeError } from '../../protocol/errors.ts'
import { formatBytes } from '../ui/format.ts'

/** Most of our input that is given to nodes: each gets all of it, at its own time. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024

/**
 * All of an input, so that it can be given to many.
 * @throws EdgeError `USAGE` when it is too long
 */
export async function readInput(input: AsyncIterable<Buffer>, maxBytes = MAX_INPUT_BYTES): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of input) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      throw new EdgeError('USAGE', {
        message: `standard input has more than ${formatBytes(maxBytes)}`,
        next: ['bring large files to the nodes another way, such as scp, and name them in the command'],
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
