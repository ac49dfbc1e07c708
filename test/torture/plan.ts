/** What can be done to a running system. */
export const FAULTS = [
  'kill daemon',
  'kill daemon at a call',
  'kill hub',
  'lose the hub’s tail',
  'cut link',
  'half-open link',
  'answers lost',
  'slow link',
  'throttled link',
  'clock jump',
  'intruder',
] as const

/** @see FAULTS */
export type Fault = (typeof FAULTS)[number]

/** One step of a plan: at a time since the start, something is done to one node (or all, where it is the hub's). */
export interface Step {
  readonly atMs: number
  readonly fault: Fault
  /** Index of the node. */
  readonly node: number
  /** How long it lasts, where it lasts. */
  readonly forMs: number
}

/** How often a fault is chosen, and how long it lasts. */
const WEIGHTS: Readonly<Record<Fault, { weight: number; minMs: number; maxMs: number }>> = {
  'kill daemon': { weight: 4, minMs: 0, maxMs: 0 },
  'kill daemon at a call': { weight: 4, minMs: 0, maxMs: 0 },
  'kill hub': { weight: 3, minMs: 500, maxMs: 3000 },
  'lose the hub’s tail': { weight: 2, minMs: 500, maxMs: 3000 },
  // Longer than the hub's duplicate window and than the time an acknowledgement may take.
  'cut link': { weight: 3, minMs: 2000, maxMs: 7000 },
  'half-open link': { weight: 2, minMs: 3000, maxMs: 8000 },
  'answers lost': { weight: 3, minMs: 2000, maxMs: 6000 },
  'slow link': { weight: 2, minMs: 6000, maxMs: 10_000 },
  'throttled link': { weight: 2, minMs: 3000, maxMs: 8000 },
  'clock jump': { weight: 2, minMs: 1000, maxMs: 4000 },
  intruder: { weight: 1, minMs: 0, maxMs: 0 },
}

const MIN_GAP_MS = 200
const MAX_GAP_MS = 3000

/**
 * Plan the faults of a run: every fault of the list at least once if the time allows, then by weight, at random times
 * and on random nodes. The same numbers from `random` give the same plan.
 */
export function planFaults(
  random: () => number,
  run: { readonly seconds: number; readonly nodes: number; readonly faults?: readonly Fault[] },
): Step[] {
  const { seconds, nodes, faults = FAULTS } = run
  const first = shuffled(faults, random)
  const steps: Step[] = []
  for (let atMs = 1000; atMs < seconds * 1000; atMs += MIN_GAP_MS + random() * (MAX_GAP_MS - MIN_GAP_MS)) {
    const fault = first.pop() ?? weighted(faults, random)
    const { minMs, maxMs } = WEIGHTS[fault]
    steps.push({
      atMs: Math.round(atMs),
      fault,
      node: Math.floor(random() * nodes),
      forMs: Math.round(minMs + random() * (maxMs - minMs)),
    })
  }
  return steps
}

function weighted(faults: readonly Fault[], random: () => number): Fault {
  let left = random() * faults.reduce((sum, fault) => sum + WEIGHTS[fault].weight, 0)
  for (const fault of faults) {
    left -= WEIGHTS[fault].weight
    if (left < 0) return fault
  }
  return faults[0] as Fault
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items]
  for (let last = order.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1))
    const [a, b] = [order[last] as T, order[other] as T]
    order[last] = b
    order[other] = a
  }
  return order
}
