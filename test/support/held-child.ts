/** Entry of a model child that begins to load only once the file is there that `TEST_HOLD_FILE` names. */
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

while (!existsSync(process.env.TEST_HOLD_FILE ?? '')) await sleep(10)
await import('../../edge-daemon/inference/child.ts')
