/**
 * Entry of a process that runs the digits model, opens files until none can be opened, kills the model's child, and
 * closes the files again once the service was told that a child cannot be started. Prints what it saw as JSON.
 */
import { closeSync, openSync } from 'node:fs'
import { InferenceService } from '../../edge-daemon/inference/inference-service.ts'
import { pickModel } from '../../edge-daemon/models/models.ts'

const [modelsDir = ''] = process.argv.slice(2)
const files: number[] = []
const seen: string[] = []
const { promise: isBack, resolve: back } = Promise.withResolvers<void>()
const service = new InferenceService({
  batchMax: 4,
  queueLimit: 10,
  timeoutMs: 60_000,
  pixelLimit: 1e6,
  restartFirstMs: 20,
  onEvent: (event) => {
    seen.push(event.event === 'model.restart_failed' ? `${event.event} ${event.error.code}` : event.event)
    if (event.event === 'model.restart_failed') for (const file of files.splice(0)) closeSync(file)
    if (event.event === 'model.ready' && event.why === 'restart') back()
  },
})
await service.start(await pickModel(modelsDir, null))
try {
  for (;;) files.push(openSync('/dev/null', 'r'))
} catch {
  process.kill(service.status().childPid ?? Number.NaN, 'SIGKILL')
}
await isBack
await service.stop()
process.stdout.write(JSON.stringify(seen))
