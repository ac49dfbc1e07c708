/**
 * Whether the gates of a rollout may be trusted: whole simulated rollouts (canary, 10 %, 30 %, all; 48 nodes at 6 sites, two
 * requests a second each, judged every 10 s by the default limits, soak 5 min, at most 30 min) of a release that is as good as the one before (how
 * often is it stopped?) and of one whose nodes fail more often (how often, and when?).
 *
 * Run with `node bench/gates.ts [--rollouts 400] [--seed 1] [--soak 300] [--json] [name part]`.
 */
import { parseArgs } from 'node:util'
import { SCENARIOS } from './gates/scenarios.ts'
import { simulateRollout, WATCH } from './gates/simulated-rollout.ts'
import { seededRandom } from './simulator/random.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rollouts: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
    soak: { type: 'string', default: String(WATCH.soakSec) },
    json: { type: 'boolean', default: false },
  },
})
const rollouts = Number(values.rollouts)
const watch = { ...WATCH, soakSec: Number(values.soak) }

for (const [name, scenario] of Object.entries(SCENARIOS)) {
  if (positionals.length > 0 && !positionals.some((part) => name.includes(part))) continue
  const random = seededRandom(Number(values.seed))
  const startedAt = performance.now()
  const outcomes = Array.from({ length: rollouts }, () => simulateRollout(scenario, random, watch))
  const stopped = outcomes.filter(({ end }) => end === 'stopped')
  const row = {
    name,
    stoppedPct: (100 * stopped.length) / rollouts,
    inFirstSoakPct: (100 * stopped.filter(({ wave, atSec }) => wave === 0 && atSec <= watch.soakSec).length) / rollouts,
    inCanaryPct: (100 * stopped.filter(({ wave }) => wave === 0).length) / rollouts,
    medianSec: stopped.map(({ atSec }) => atSec).sort((a, b) => a - b)[stopped.length >> 1] ?? null,
    pausesARollout: outcomes.reduce((sum, { pauses }) => sum + pauses, 0) / rollouts,
    sec: (performance.now() - startedAt) / 1000,
  }
  process.stdout.write(
    values.json
      ? `${JSON.stringify(row)}\n`
      : `${name.padEnd(34)} stopped ${row.stoppedPct.toFixed(1).padStart(5)} %, within the first soak ${row.inFirstSoakPct.toFixed(1).padStart(5)} %, at the canary ${row.inCanaryPct.toFixed(1).padStart(5)} %, median ${row.medianSec ?? '–'} s into a wave; ${row.pausesARollout.toFixed(2)} pauses a rollout (${row.sec.toFixed(1)} s)\n`,
  )
}
