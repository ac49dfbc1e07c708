import { describe, expect, it } from 'vitest'
import { readListening } from '../../../src/demo/daemon-process.ts'
import { headlessLine } from '../../../src/demo/headless.ts'
import type { DemoState } from '../../../src/demo/scenario.ts'
import { Fleet } from '../../../src/fleet/fleet.ts'
import type { FleetView, NodeView } from '../../../src/fleet/view.ts'

const STATE: DemoState = {
  nodes: [
    {
      name: 'node-1',
      site: 'plant-a',
      pid: null,
      stateDir: '/tmp/x/node-1',
      inferUrl: null,
      liveUrl: null,
      uplink: 'up',
      slowMs: 0,
      garbage: false,
      camera: null,
    },
  ],
  cloud: { kind: 'starting', url: null, up: false },
  framesPerSec: 6,
  models: [],
  strategyFile: null,
}

function viewOf(change: Partial<NodeView>): FleetView {
  const fleet = new Fleet({ schedule: () => () => undefined })
  fleet.add('node-1', { nowMs: 0 })
  const view = fleet.view('now', 0)
  return { ...view, nodes: view.nodes.map((node) => ({ ...node, ...change })) }
}

const FIGURES = {
  inferencesPerSec: 6.0412,
  p50Ms: 12.3456,
  p99Ms: 30.999,
  rawBytesPerSec: 600_000.123,
  upBytesPerSec: 3000.5,
  savedPct: 99.499_9,
  backlogRecords: 4,
}

describe('a line of the headless demo', () => {
  it('holds every field, null where nothing is known yet', () => {
    expect(headlessLine(STATE, viewOf({}))).toEqual({
      nodes: [
        {
          name: 'node-1',
          site: 'plant-a',
          state: null,
          pid: null,
          stateDir: '/tmp/x/node-1',
          inferUrl: null,
          liveUrl: null,
          inferencesPerSec: null,
          p50Ms: null,
          p99Ms: null,
          rawBytesPerSec: null,
          upstreamBytesPerSec: null,
          savedPct: null,
          backlogRecords: null,
        },
      ],
      cloud: { kind: null, url: null },
      models: [],
      strategy: null,
    })
  })

  it('shows the figures of the fleet model, rounded to hundredths', () => {
    expect(headlessLine(STATE, viewOf({ ...FIGURES, state: 'up' })).nodes[0]).toMatchObject({
      state: 'up',
      inferencesPerSec: 6.04,
      p50Ms: 12.35,
      p99Ms: 31,
      rawBytesPerSec: 600_000.12,
      upstreamBytesPerSec: 3000.5,
      savedPct: 99.5,
      backlogRecords: 4,
    })
  })

  it.each(['stale', 'offline'] as const)('knows no figures of a node that is %s', (state) => {
    const [node] = headlessLine(STATE, viewOf({ ...FIGURES, state })).nodes
    expect(node).toMatchObject({ state, inferencesPerSec: null, p99Ms: null, savedPct: null, backlogRecords: null })
  })
})

describe('the daemon saying where it serves', () => {
  const where = { inferUrl: 'http://127.0.0.1:1/infer', liveUrl: 'ws://127.0.0.1:2/live' }

  it('is read from its log line, with the addresses in fields or beside the message', () => {
    expect(
      readListening(
        JSON.stringify({ level: 'info', msg: 'listening', fields: { ...where, inferUrl: 'http://127.0.0.1:1' } }),
      ),
    ).toEqual(where)
    expect(readListening(JSON.stringify({ msg: 'listening', ...where }))).toEqual(where)
  })

  it.each(['listening', '{"msg":"listening"}', '{"msg":"not listening","inferUrl":"a","liveUrl":"b"}', 'null'])(
    'is not read from %s',
    (line) => {
      expect(readListening(line)).toBeNull()
    },
  )
})
