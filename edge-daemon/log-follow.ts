import type { DaemonConfig } from './config/settings.ts'
import { FollowService } from './logs/follow/service.ts'
import type { Logger } from './logs/logger.ts'
import type { Store } from './store/store.ts'

/** Make what follows the node's logs, as it is configured. */
export function makeFollow(
  { logs, state, store: { durability, syncEvery } }: DaemonConfig,
  parts: { readonly store: Store; readonly log: Logger },
): FollowService {
  return new FollowService({
    settings: {
      files: logs.files,
      containers: logs.containers,
      units: logs.journald.units,
      from: logs.from,
      forward: logs.forward,
      before: logs.before,
      redact: logs.redact,
      maxLineBytes: logs.maxLine,
      bytesPerSec: logs.bytesPerSec,
    },
    stateDir: state.dir,
    // A sync that is under way when it is due takes its own time.
    settleMs: durability === 'sync' ? 0 : 2 * syncEvery + 1000,
    ...parts,
  })
}
