import { LIVE_LIMITS, type TelemetryPace } from './live/contract.ts'
import type { UplinkPacer } from './upstream/uplink-pacer.ts'

/** Longest a status that was refused holds up the rows; it asks again at its next tick. */
const STATUS_FIRST_MS = 3000
/** Under a cap a rows frame takes about half a second of it. */
const ROWS_FRAME_MS = 500
const SMALLEST_ROWS_FRAME_BYTES = 4096

/** What consoles may use of the cap that they share with the uplinks. */
export function telemetryPace(
  pacer: Pick<UplinkPacer, 'capBytesPerSec' | 'mayTell' | 'told' | 'turn' | 'telemetrySpacingMs'>,
  monotonicMs: () => number = () => performance.now(),
): TelemetryPace {
  let statusFirstUntilMs = Number.NEGATIVE_INFINITY
  const { capBytesPerSec } = pacer
  const affordableBytes = capBytesPerSec === null ? Number.POSITIVE_INFINITY : (capBytesPerSec * ROWS_FRAME_MS) / 1000
  const rowsFrameBytes = Math.min(LIVE_LIMITS.rowsFrameBytes, Math.max(SMALLEST_ROWS_FRAME_BYTES, affordableBytes))
  return {
    rowsFrameBytes,
    heldBytes: rowsFrameBytes,
    mayTell: (what) => {
      const isFree = pacer.mayTell()
      if (what === 'status') {
        statusFirstUntilMs = isFree ? Number.NEGATIVE_INFINITY : monotonicMs() + STATUS_FIRST_MS
        return isFree
      }
      return isFree && monotonicMs() >= statusFirstUntilMs
    },
    spacingMs: (bytes) => pacer.telemetrySpacingMs(bytes),
    told: (bytes) => pacer.told(bytes),
    turn: async (bytes, signal) => {
      const turn = await pacer.turn({ class: 'telemetry', bytes }, signal)
      // A frame is handed over at once and whole, so nothing of it is still to be seen afterwards.
      turn?.ended()
      return turn !== null
    },
  }
}
