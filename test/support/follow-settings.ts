import type { FollowSettings } from '../../edge-daemon/logs/follow/contract.ts'

/** Follow files of a path or pattern from their beginning, in an allowance that is never reached. */
export function followSettings(
  path: string,
  format: FollowSettings['files'][number]['format'] = 'auto',
): FollowSettings {
  return {
    files: [{ path, source: null, format, multiline: null }],
    containers: { dir: null, format: 'auto' },
    units: [],
    from: 'start',
    forward: 'error',
    before: 0,
    redact: [],
    maxLineBytes: 32_768,
    bytesPerSec: 50e6,
  }
}
