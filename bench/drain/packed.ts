import { jetstream } from '@nats-io/jetstream'
import { connect } from 'nats'

const RECORDS_A_MESSAGE = 64
const WINDOW = 512

/**
 * The limit that a drain is held against: 64 plain lines a message, 512 messages in flight, nothing compressed, no order,
 * no digest, nothing read from a disk. Returns records a second until the last acknowledgement.
 */
export async function packedPublishPerSec(
  url: string,
  { subject, lines, records }: { subject: string; lines: readonly string[]; records: number },
): Promise<number> {
  const connection = await connect({ servers: url })
  try {
    const js = jetstream(connection)
    const body = Array.from({ length: RECORDS_A_MESSAGE }, (_, n) => lines[n % lines.length]).join('\n')
    const messages = Math.ceil(records / RECORDS_A_MESSAGE)
    let next = 0
    const began = performance.now()
    const publish = async (): Promise<void> => {
      while (next < messages) {
        next += 1
        await js.publish(subject, body)
      }
    }
    await Promise.all(Array.from({ length: WINDOW }, publish))
    return (messages * RECORDS_A_MESSAGE) / ((performance.now() - began) / 1000)
  } finally {
    await connection.close()
  }
}
