import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, test, vi } from 'vitest'
import { tcpLink } from '../../support/tcp-link.ts'

/** A server that sends back what it gets. */
async function echo(): Promise<{ port: number; heard: () => number; [Symbol.asyncDispose](): Promise<void> }> {
  let heard = 0
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      heard += chunk.length
      socket.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    heard: () => heard,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

test('the link of the tests is as slow as it is told, keeps order, and can swallow answers alone', async () => {
  await using server = await echo()
  await using link = await tcpLink(server.port)
  const client = connect(link.port, '127.0.0.1')
  const got: Buffer[] = []
  client.on('data', (chunk) => got.push(chunk))
  client.on('error', () => client.destroy())
  const sent = Buffer.from(Array.from({ length: 32_000 }, (_, index) => (index >> 8) & 0xff))
  const answered = async (bytes: number): Promise<number> => {
    const startedAtMs = performance.now()
    await vi.waitFor(() => expect(Buffer.concat(got)).toHaveLength(bytes), { timeout: 60_000, interval: 5 })
    return performance.now() - startedAtMs
  }

  link.shape({ delayMs: 100 })
  client.write(sent)
  const delayedMs = await answered(sent.length)
  expect(delayedMs).toBeGreaterThan(195)

  // 256 kbit at 512 kbit/s take half a second one way; the other way runs beside it.
  link.shape({ kbitPerSec: 512 })
  client.write(sent)
  const throttledMs = await answered(2 * sent.length)
  expect(throttledMs).toBeGreaterThan(480)
  // Of bytes taken for bits it would be four seconds; a machine that is busy takes its time too.
  expect(throttledMs).toBeLessThan(3900)
  expect(Buffer.concat(got)).toEqual(Buffer.concat([sent, sent]))

  link.shape({})
  link.hang('answers')
  client.write('x')
  await vi.waitFor(() => expect(server.heard()).toBe(2 * sent.length + 1), { timeout: 60_000, interval: 5 })
  expect(Buffer.concat(got)).toHaveLength(2 * sent.length)
  client.destroy()
})
