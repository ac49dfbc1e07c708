import type { ChannelEnd, OutputName, RemoteChannel } from '../../src/remote/contract.ts'

/** All that a program wrote and how it ended. */
export interface Heard {
  readonly stdout: Buffer
  readonly stderr: Buffer
  readonly end: ChannelEnd
}

/** Listen to a program to its end. */
export async function hear(channel: RemoteChannel): Promise<Heard> {
  const chunks: Record<OutputName, Buffer[]> = { stdout: [], stderr: [] }
  channel.onOutput((chunk, output) => chunks[output].push(chunk))
  const end = await channel.ended
  return { stdout: Buffer.concat(chunks.stdout), stderr: Buffer.concat(chunks.stderr), end }
}
