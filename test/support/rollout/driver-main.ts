import type { Observation, StepOrder, StepOutcome, Target } from '../../../src/rollout/contract.ts'
import { RolloutDriver } from '../../../src/rollout/driver.ts'
import { FileJournal } from '../../../src/rollout/journal/file-journal.ts'
import { FileLeases } from '../../../src/rollout/journal/file-lease.ts'
import { plainBrain } from './plain-brain.ts'

/**
 * A driver as a process of its own, over nodes that answer by HTTP: `driver-main.ts DIR URL LEASE_MS HOLDER`. It drives
 * `r1` again and again until that has ended.
 */
const [dir = '', url = '', leaseMs = '', holder = ''] = process.argv.slice(2)

let seen: Observation = { nowMs: Date.now(), watchingSince: Date.now(), nodes: new Map() }

async function call(path: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) })
  return answer.json()
}

async function look(): Promise<void> {
  const told = (await call('/observe', {})) as Omit<Observation, 'nodes'> & { nodes: [string, never][] }
  seen = { ...told, nowMs: Date.now(), nodes: new Map(told.nodes) }
}

const target: Target = {
  observe: () => seen,
  carryOut: async (order: StepOrder): Promise<StepOutcome> => {
    const outcome = (await call('/step', order)) as StepOutcome
    await look()
    return outcome
  },
}

await look()
setInterval(() => void look().catch(() => undefined), 50).unref()
for (;;) {
  const driver = new RolloutDriver({
    rollout: 'r1',
    holder,
    journal: new FileJournal({ dir, lookEveryMs: 20 }),
    leases: new FileLeases({ dir, leaseMs: Number(leaseMs) }),
    targetOf: () => target,
    decide: plainBrain,
    judge: null,
    tickMs: 40,
  })
  const end = await driver.run(new AbortController().signal)
  if (end.why === 'ended') break
  await new Promise((resolve) => setTimeout(resolve, end.why === 'held' ? 30 : 10))
}
process.exit(0)
