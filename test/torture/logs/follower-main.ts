/**
 * A process that follows logs into a real store, and tells on its output how far every log is kept: one line
 * `app number` for the highest number of each app, as it is committed. Argument: JSON of {@link FollowerMain}. It is to be killed.
 */
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import type { FollowSettings } from '../../../edge-daemon/logs/follow/contract.ts'
import { FollowService } from '../../../edge-daemon/logs/follow/service.ts'
import { openStore } from '../../../edge-daemon/store/store.ts'
import { numberedIn } from './numbered.ts'

/** What the process is told. */
export interface FollowerMain {
  readonly dir: string
  readonly settings: FollowSettings
}

const STDOUT = 1
const { dir, settings } = JSON.parse(process.argv[2] ?? '{}') as FollowerMain
const store = await openStore({ dir: join(dir, 'store'), nodeName: 'n1', maxBytes: 4e9, segmentBytes: 4e6 })
store.onCommit((records) => {
  const highest = new Map<string, number>()
  for (const { line } of records) {
    const found = numberedIn((JSON.parse(line) as { msg: string }).msg)
    if (found !== null) highest.set(found.app, Math.max(found.number, highest.get(found.app) ?? 0))
  }
  for (const [app, number] of highest) writeSync(STDOUT, `${app} ${number}\n`)
})
const say = (event: string, msg = ''): void => void writeSync(2, `${event} ${msg}\n`)
const service = new FollowService({
  settings,
  stateDir: dir,
  store,
  settleMs: 0,
  log: { info: say, warn: say, error: say },
})
await service.start()
writeSync(STDOUT, 'ready 0\n')
process.once('SIGTERM', async () => {
  await service.stop()
  await store.close()
  process.exit(0)
})
