import type { StatusChanges } from '../../protocol/change.ts'

/** One family of gauges. */
export interface Gauge {
  readonly name: string
  readonly help: string
  readonly points: readonly (readonly [value: number | null, labels?: Readonly<Record<string, string | number>>])[]
}

/** What `/metrics` tells of the change that a node carries; nothing where it never carried one. */
export function changePoints(changes: StatusChanges | undefined): Gauge[] {
  const change = changes?.change ?? null
  if (change === null) return []
  const { rollout, item, phase, until, served, uncleanStarts, isLocked, fault } = change
  const labels = { rollout, kind: item.kind, item: `${item.name}@${item.version}` }
  const told = fault === null ? labels : { ...labels, fault: fault.kind }
  return [
    {
      name: 'edge_change_info',
      help: 'The change that the node carries or carried last.',
      points: [[1, { ...told, phase }]],
    },
    { name: 'edge_change_locked', help: '1 while a rollout holds the node.', points: [[isLocked ? 1 : 0]] },
    {
      name: 'edge_change_until_seconds',
      help: 'Unix time at which a node on probation goes back by itself.',
      points: [[until === null ? null : until / 1000]],
    },
    { name: 'edge_change_unclean_starts', help: 'Starts on the new item that ended badly.', points: [[uncleanStarts]] },
    {
      name: 'edge_change_answers',
      help: 'Answers since the new item was activated.',
      points: [
        [served?.requests ?? null, { result: 'all' }],
        [served?.failed ?? null, { result: 'failed' }],
        [served?.slow ?? null, { result: 'slow' }],
      ],
    },
  ]
}
