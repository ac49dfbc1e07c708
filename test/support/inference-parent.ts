/** A process that owns a model child, for tests that kill it: prints the child's pid when the child serves. */
import { digitsModel, startService } from './inference-node.ts'

const { service } = await startService({}, await digitsModel())
process.stdout.write(`${service.status().childPid}\n`)
process.stdin.resume()
