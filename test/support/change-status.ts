import type { ChangeStatus, Item, ShadowReport, StatusChanges } from '../../protocol/change.ts'
import { latencyOf, wire } from './live-frames.ts'

/** A version of the digits model as a package. */
export function modelItem(version: string, kind: Item['kind'] = 'model'): Item {
  return { kind, name: 'digits', version, digest: version.replaceAll(/[^0-9a-f]/g, '').padEnd(64, '0') }
}

/** What a shadow saw: of `compared` pictures all but the differing pairs agree. */
export function shadowReport(
  compared: number,
  confusion: readonly (readonly [number, number, number])[] = [],
  more: Partial<ShadowReport> = {},
): ShadowReport {
  const differing = confusion.reduce((sum, [, , count]) => sum + count, 0)
  return {
    source: 'live',
    wanted: 200,
    isDone: compared >= 200,
    compared,
    agreed: compared - differing,
    errors: 0,
    candidateMs: wire(latencyOf([4, 5, 6])),
    currentMs: wire(latencyOf([7, 8, 9])),
    confusion: confusion.map(([a, b, count]) => [a, b, count]),
    ...more,
  }
}

/** A change that a node tells of, at `atMs` of its clock. */
export function changeStatus(
  phase: ChangeStatus['phase'],
  atMs: number,
  more: Partial<ChangeStatus> = {},
): ChangeStatus {
  return {
    rollout: 'r7k2m',
    term: 2,
    item: modelItem('2.0.0'),
    phase,
    since: atMs - 18_000,
    isLocked: true,
    activation: null,
    until: phase === 'probation' ? atMs + 42_000 : null,
    progress: null,
    fault: null,
    served: null,
    shadow: null,
    uncleanStarts: 0,
    ...more,
  }
}

/** What of changes a status tells, with this one under way. */
export function changesWith(change: ChangeStatus | null, more: Partial<StatusChanges> = {}): StatusChanges {
  return {
    change,
    confirmed: [modelItem('1.0.0')],
    models: ['digits@1.0.0'],
    nodeClass: 'light',
    variants: {},
    ...more,
  }
}
