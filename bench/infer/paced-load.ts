import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Connection } from './connection.ts'

const CONNECTIONS = 32

/** Answers to pictures that were sent at their times. */
export interface Paced {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly answers: number
}

/**
 * Sends pictures to a daemon at a fixed rate, whatever the answers take: what is late is not asked less of.
 * @param isOver looked at before each picture, with the time since the first one
 * @throws Error when one is not answered with 200
 */
export async function pacedLoad(
  port: number,
  { perSec, isOver }: { readonly perSec: number; readonly isOver: (elapsedMs: number) => boolean },
): Promise<Paced> {
  const picture = readFileSync(join(import.meta.dirname, '../../models/digits/samples/7-7009.png'))
  const head = `POST /infer HTTP/1.1\r\nHost: edge\r\nContent-Type: image/png\r\nContent-Length: ${picture.length}\r\n\r\n`
  const request = Buffer.concat([Buffer.from(head), picture])
  const idle = Array.from({ length: CONNECTIONS }, () => new Connection(port))
  const tookMs: number[] = []
  const open = new Set<Promise<void>>()
  const startedAt = performance.now()
  for (let n = 0; !isOver((n * 1000) / perSec); n += 1) {
    const dueAt = startedAt + (n * 1000) / perSec
    const waitMs = dueAt - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    while (idle.length === 0) await Promise.race(open)
    const connection = idle.pop() as Connection
    const sentAt = performance.now()
    const answered = connection.send(request).then(({ status }) => {
      if (status !== 200) throw new Error(`answered ${status}`)
      tookMs.push(performance.now() - sentAt)
      idle.push(connection)
      open.delete(answered)
    })
    open.add(answered)
  }
  await Promise.all(open)
  for (const connection of idle) connection.close()
  const sorted = tookMs.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99), answers: sorted.length }
}
