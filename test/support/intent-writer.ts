import { AuditLog } from '../../edge-daemon/audit/audit-log.ts'
import { openStore } from '../../edge-daemon/store/store.ts'

// Writes down that somebody wants something, in the store named first of the node named second, and is killed before it is done.
const [dir = '', nodeName = ''] = process.argv.slice(2)
const store = await openStore({ dir, nodeName, maxBytes: 1e8, segmentBytes: 1e6 })
const log = new AuditLog({ store, nodeName })
await log.start()
await log.write({
  timestamp: Date.now(),
  phase: 'intent',
  verb: 'resend',
  args: { requestId: 'r1' },
  who: { kind: 'operator', name: 'mia', role: 'operator' },
  route: 'direct',
  address: '10.0.0.9',
})
process.kill(process.pid, 'SIGKILL')
