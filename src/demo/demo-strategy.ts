import { parseStrategy } from '../rollout/strategy.ts'

/** Name of the strategy's file in the demo's folder, for plain commands. */
export const DEMO_STRATEGY_FILE = 'strategy.yaml'

/** How a rollout goes in the demo: as anywhere, in seconds instead of minutes and on few pictures. */
export const DEMO_STRATEGY_TEXT = `# One of three nodes first, then the others, a node of a site at a time.
canary: 1
waves: ["100%"]
siteBudget: 1
soak: 10s
maxSoak: 100s
confirmWithin: 140s
# Cameras send 6 pictures a second: a minute of them at most, so that there are dim ones among them. The better model says
# something else on a few of a hundred, the worse one on some fifteen.
shadow: { source: live, samples: 300, samplePct: 100, maxDisagreePct: 10 }
# On a laptop that is busy otherwise, answers are slow whatever the model is; of the slow model each one is.
# Ten seconds of a camera would not show three times as many failures (severeFactor); a real rollout waits until they would.
gates: { minRequests: 30, maxSlowPct: 80, severeFactor: 1 }
localGates: { minRequests: 30, maxSlowPct: 80 }
`

/** @see DEMO_STRATEGY_TEXT */
export const DEMO_STRATEGY = parseStrategy(DEMO_STRATEGY_TEXT, DEMO_STRATEGY_FILE)
