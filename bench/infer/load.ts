import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Connection } from './connection.ts'

/** What one run of the load generator prints, as JSON. */
export interface LoadReport {
  readonly requests: number
  readonly durationMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers that were not 200 with the right digit, or not stored though they should be. */
  readonly wrong: number
}

interface Prepared {
  readonly label: number
  readonly bytes: Buffer
}

/**
 * Send the model's samples in a closed loop over so many connections for so long; a process of its own, so that it can
 * be pinned to another core than the server.
 *
 *     node bench/infer/load.ts PORT CONNECTIONS DURATION_MS MUST_BE_STORED
 */
async function main([port, connections, durationMs, mustBeStored]: readonly string[]): Promise<void> {
  const requests = prepare()
  const tookMs: number[] = []
  let wrong = 0
  let next = 0
  const startedAt = performance.now()
  const endAt = startedAt + Number(durationMs)
  const one = async (): Promise<void> => {
    const connection = new Connection(Number(port))
    while (performance.now() < endAt) {
      const request = requests[next % requests.length] as Prepared
      next += 1
      const answer = await connection.send(request.bytes)
      tookMs.push(answer.tookMs)
      const said = JSON.parse(answer.body) as { pred?: unknown; stored?: unknown }
      const kept = mustBeStored !== 'true' || said.stored === true
      if (answer.status !== 200 || said.pred !== request.label || !kept) wrong += 1
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: Number(connections) }, one))
  const report: LoadReport = {
    requests: tookMs.length,
    durationMs: performance.now() - startedAt,
    ...percentiles(tookMs),
    wrong,
  }
  console.log(JSON.stringify(report))
}

function prepare(): Prepared[] {
  const folder = join(import.meta.dirname, '../../models/digits/samples')
  return readdirSync(folder).map((name) => {
    const body = JSON.stringify({ image_base64: readFileSync(join(folder, name)).toString('base64') })
    const head = `POST /infer HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    return { label: Number(name[0]), bytes: Buffer.from(head + body) }
  })
}

function percentiles(tookMs: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = Float64Array.from(tookMs).sort()
  const at = (share: number): number => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

await main(process.argv.slice(2))
