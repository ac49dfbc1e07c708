import { expect, it } from 'vitest'
import { heartbeatOf } from '../../../edge-daemon/rpc/heartbeat.ts'
import type { ChangeStatus } from '../../../protocol/change.ts'
import { Histogram } from '../../../protocol/histogram.ts'
import { decodeHeartbeat, type Heartbeat } from '../../../protocol/presence.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import type { NodeView } from '../../../src/fleet/view.ts'
import { changeStatus, changesWith, modelItem } from '../../support/change-status.ts'
import { statusBody } from '../../support/live-node.ts'

const NOW = 1_793_000_000_000
const HOUR_MS = 3_600_000

/** What a node that carries a change sends to the bus. */
function beat(change: ChangeStatus | null): { readonly bytes: Buffer; readonly heartbeat: Heartbeat } {
  const status = { ...statusBody(new Histogram()), changes: changesWith(change) }
  const standing = { startedAtMs: NOW - HOUR_MS, deny: 4, trust: 1, audit: '9f86d081884c7d65' }
  const bytes = Buffer.from(JSON.stringify(heartbeatOf({ status, wallMs: NOW, monotonicMs: 1000 }, null, standing)))
  const heartbeat = decodeHeartbeat(bytes)
  if (heartbeat === null) throw new Error('it is no heartbeat')
  return { bytes, heartbeat }
}

/** The row of a node that only its heartbeats tell of. */
function row(change: ChangeStatus | null): NodeView {
  const fleet = new Fleet({ schedule: () => () => undefined })
  fleet.add('n1', { nowMs: NOW })
  const { heartbeat, bytes } = beat(change)
  fleet.apply('n1', { kind: 'heartbeat', heartbeat, site: 'plant', sizeBytes: bytes.length }, NOW)
  return fleet.view('now', NOW).nodes[0] as NodeView
}

it('tells of a change what a session would, in few bytes, and nothing where there is none', () => {
  const none = beat(null)
  expect(none.heartbeat.change).toBeUndefined()
  const probation = beat(changeStatus('probation', NOW))
  expect(probation.bytes.length - none.bytes.length).toBeLessThan(80)
  expect(row(changeStatus('probation', NOW))).toMatchObject({
    change: 'probation 42s, 2.0.0',
    changePhase: 'probation',
  })
  const own = { ...modelItem('2.0.0'), origin: 'node' } as const
  expect(row(changeStatus('activating', NOW, { item: own }))).toMatchObject({ change: 'activating own 2.0.0' })
  expect(row(null)).toMatchObject({ change: null, changePhase: null })
})

it('tells what was taken back, and why, for an hour after its lock was let go', () => {
  const slow = { kind: 'slow', msg: '12 % over 50 ms' } as const
  const reverted = changeStatus('reverted', NOW, { isLocked: false, fault: slow, since: NOW - HOUR_MS + 1 })
  expect(row(reverted)).toMatchObject({ change: 'reverted 2.0.0: slow', changePhase: 'reverted' })
  expect(row({ ...reverted, since: NOW - HOUR_MS })).toMatchObject({ change: null })
  const asked = { ...reverted, fault: { kind: 'asked', msg: 'mia asked' } } as const
  expect(row(asked)).toMatchObject({ change: 'taken back 2.0.0', changePhase: null })
  // What is confirmed and let go is what serves, which the row says already.
  expect(row(changeStatus('confirmed', NOW, { isLocked: false }))).toMatchObject({ change: null })
})
