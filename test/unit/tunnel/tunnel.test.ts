import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  decodeTunnelMessage,
  encodeTunnelMessage,
  MAX_TUNNEL_CHUNK_BYTES,
  TUNNEL_HEADER_BYTES,
} from '../../../protocol/tunnel.ts'
import { Tunnel } from '../../../tunnel/tunnel.ts'
import { type Carriage, tunnelPair } from '../../support/fake-bus.ts'
import { seededRandom } from '../../support/random.ts'

afterEach(() => {
  vi.useRealTimers()
})

function closed(end: Tunnel): Promise<void> {
  return new Promise((resolve) => end.once('close', () => resolve()))
}

/** Everything that comes out of an end until it is over, and how it ended. */
function listen(end: Tunnel): { bytes: Buffer[]; error: string | null; over: Promise<void> } {
  const heard = { bytes: [] as Buffer[], error: null as string | null, over: Promise.resolve() }
  end.on('data', (bytes: Buffer) => heard.bytes.push(bytes))
  end.on('error', (error) => {
    heard.error = error.message
  })
  heard.over = closed(end)
  return heard
}

function randomBytes(random: () => number, size: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, () => Math.floor(random() * 256)))
}

describe('a message', () => {
  test('is read as it was written', () => {
    const message = { kind: 'data', seq: 4_000_000_000, acked: 2 ** 47 + 5, payload: Buffer.from('abc') } as const
    expect(decodeTunnelMessage(encodeTunnelMessage(message))).toEqual(message)
  })

  test('is nothing when it is short, long, of no kind, or carries what its kind does not', () => {
    const random = seededRandom(5)
    const data = encodeTunnelMessage({ kind: 'data', seq: 1, acked: 0, payload: Buffer.alloc(10) })
    expect(decodeTunnelMessage(data.subarray(0, TUNNEL_HEADER_BYTES - 1))).toBeNull()
    expect(decodeTunnelMessage(data.subarray(0, TUNNEL_HEADER_BYTES))).toBeNull()
    expect(decodeTunnelMessage(Buffer.alloc(TUNNEL_HEADER_BYTES + MAX_TUNNEL_CHUNK_BYTES + 1, 0x11))).toBeNull()
    const ack = encodeTunnelMessage({ kind: 'ack', seq: 1, acked: 0, payload: Buffer.alloc(0) })
    expect(decodeTunnelMessage(Buffer.concat([ack, Buffer.from('x')]))).toBeNull()
    for (let i = 0; i < 2000; i += 1) decodeTunnelMessage(randomBytes(random, Math.floor(random() * 40)))
  })
})

describe('over a bus that keeps its word', () => {
  test('every byte comes once and in order, both ways at once, whatever the sizes of the writes', async () => {
    const random = seededRandom(1)
    const { near, far } = tunnelPair()
    const ends = [near, far].map((end) => ({ end, heard: listen(end), digest: createHash('sha256') }))
    const writeAll = async ({ end, digest }: (typeof ends)[number]): Promise<void> => {
      for (let i = 0; i < 60; i += 1) {
        const bytes = randomBytes(random, 1 + Math.floor(random() ** 3 * 200_000))
        digest.update(bytes)
        if (!end.write(bytes)) await once(end, 'drain')
      }
      end.end()
    }
    await Promise.all(ends.map(writeAll))
    await Promise.all(ends.map(({ heard }) => heard.over))
    const [a, b] = ends
    const digestOf = (bytes: Buffer[] | undefined): string =>
      createHash('sha256')
        .update(Buffer.concat(bytes ?? []))
        .digest('hex')
    expect(digestOf(b?.heard.bytes)).toBe(a?.digest.digest('hex'))
    expect(digestOf(a?.heard.bytes)).toBe(b?.digest.digest('hex'))
    expect(ends.map(({ heard }) => heard.error)).toEqual([null, null])
  })

  test('a reader that does not read stops the writer within a window, and what comes then is whole', async () => {
    vi.useFakeTimers()
    let underWay = 0
    let most = 0
    const { near, far, sent } = tunnelPair({
      there: (message) => {
        underWay += message.length
        most = Math.max(most, underWay)
        return [message]
      },
    })
    near.write(Buffer.alloc(1_000_000, 7))
    await vi.advanceTimersByTimeAsync(30)
    const stuckAt = sent.there
    expect(most).toBeLessThan(65_536 + 64 * 1024 + 10 * TUNNEL_HEADER_BYTES)
    await vi.advanceTimersByTimeAsync(200)
    // Only that it is still there.
    expect(sent.there - stuckAt).toBeLessThan(10)
    vi.useRealTimers()
    const heard = listen(far)
    near.end()
    far.end()
    await heard.over
    expect(Buffer.concat(heard.bytes).equals(Buffer.alloc(1_000_000, 7))).toBe(true)
  })

  test('stands for as long as both ends say that they are there', async () => {
    vi.useFakeTimers()
    let isCut = false
    const { near, far } = tunnelPair({ there: (message) => (isCut ? [] : [message]) }, { silenceMs: 120 })
    far.on('error', () => undefined)
    near.on('error', () => undefined)
    await vi.advanceTimersByTimeAsync(400)
    expect([near.destroyed, far.destroyed]).toEqual([false, false])
    isCut = true
    await vi.advanceTimersByTimeAsync(400)
    expect([near.destroyed, far.destroyed]).toEqual([true, true])
  })

  test('the other end hears why one end was given up', async () => {
    const { near, far } = tunnelPair()
    const heard = listen(far)
    near.on('error', () => undefined)
    near.destroy(new Error('certificate refused'))
    await heard.over
    expect(heard.error).toBe('closed by the other end: certificate refused')
  })
})

describe('over a bus that does not', () => {
  const nth = (at: number, what: (message: Uint8Array) => readonly Uint8Array[]): Carriage => {
    return (message, index) => (index === at ? what(message) : [message])
  }
  const faults: [string, Carriage, RegExp][] = [
    ['loses one', nth(3, () => []), /1 messages were lost/],
    ['loses the last', nth(7, () => []), /1 messages were lost/],
    ['repeats one', nth(2, (message) => [message, message]), /twice or out of order/],
    ['sends rubbish', nth(4, () => [Buffer.from('rubbish that is no message')]), /of no tunnel/],
    ['falls silent', (message, index) => (index < 5 ? [message] : []), /nothing came|lost/],
  ]
  test.each(faults)('that %s the tunnel breaks with the reason', async (_name, there, reason) => {
    const { near, far } = tunnelPair({ there }, { silenceMs: 2000 })
    near.on('error', () => undefined)
    const heard = listen(far)
    for (let i = 0; i < 8; i += 1) near.write(Buffer.alloc(100, i))
    // One message a write, since each waits for the one before.
    near.uncork()
    await heard.over
    expect(heard.error).toMatch(reason)
  })

  test('what came is always a beginning of what was sent', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = seededRandom(seed)
      let held: Uint8Array | null = null
      const there: Carriage = (message) => {
        const chance = random()
        if (chance < 0.02) return []
        if (chance < 0.04) return [message, message]
        if (chance < 0.06) {
          held = message
          return []
        }
        const carried = held === null ? [message] : [message, held]
        held = null
        return carried
      }
      const { near, far } = tunnelPair(
        { there, back: (message) => (random() < 0.01 ? [] : [message]) },
        { silenceMs: 400 },
      )
      near.on('error', () => undefined)
      const heard = listen(far)
      const sent = randomBytes(random, 300_000)
      for (let at = 0; at < sent.length && !near.destroyed; at += 5000) near.write(sent.subarray(at, at + 5000))
      near.end()
      far.end()
      await heard.over
      const got = Buffer.concat(heard.bytes)
      expect(sent.subarray(0, got.length).equals(got)).toBe(true)
      if (heard.error === null) expect(got.length).toBe(sent.length)
    }
  })

  test('a peer that sends more than the window, or acknowledges what never was, is left', () => {
    const message = (seq: number, acked: number): Uint8Array =>
      encodeTunnelMessage({ kind: 'data', seq, acked, payload: Buffer.alloc(MAX_TUNNEL_CHUNK_BYTES) })
    const make = (): Tunnel => {
      const end = new Tunnel({ publish: () => undefined, peerWindowBytes: 65_536, windowBytes: 65_536 })
      return end.on('error', () => undefined)
    }
    const flooded = make()
    for (let seq = 1; seq <= 4 && !flooded.destroyed; seq += 1) flooded.hear(message(seq, 0))
    const lied = make()
    lied.hear(message(1, 5))
    expect(flooded.errored?.message).toBe('the tunnel broke: it sent more than the window')
    expect(lied.errored?.message).toBe('the tunnel broke: it acknowledged what was never sent')
  })
})
