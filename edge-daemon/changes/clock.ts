import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { Moment } from './slot-state.ts'

/** The clocks of this machine; where the system does not tell its starts apart, the wall clock does in minutes. */
export function systemClock(): () => Moment {
  const bootId = readBootId()
  return () => ({ wallMs: Date.now(), upMs: uptime() * 1000, bootId })
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 64)
  } catch {
    return `since-${Math.round((Date.now() - uptime() * 1000) / 60_000)}`
  }
}
