/** A process that owns a model child, for tests that kill it: prints the child's pid when the child is busy for a minute. */
import { setTimeout as delay } from 'node:timers/promises'
import { startService } from './inference-node.ts'
import { samplePicture } from './pictures.ts'

const { service } = await startService({ slowMs: 60_000, timeoutMs: 120_000 })
void service.infer(samplePicture(7))
while (service.status().inFlight === 0) await delay(5)
process.stdout.write(`${service.status().childPid}\n`)
process.stdin.resume()
