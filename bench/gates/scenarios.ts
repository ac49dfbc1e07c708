import { ORDINARY, type Scenario } from './simulated-rollout.ts'

const bursts = { burstsAnHour: 2, burstSize: 10 }
const heterogeneous = { siteSpread: 1, nodeSpread: 0.5 }
const siteFault = { siteFaultsAnHour: 2, siteFaultShare: 0.3 }

const day = { diurnal: 0.7, beforeSec: 86_400 }
const SIX: Scenario = { ...ORDINARY, sites: 2, nodesASite: 3 }

/** Fleets that the gates are tried on; `A/A` in the name: the release is as good as the one before. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'A/A ordinary': ORDINARY,
  'A/A heterogeneous': { ...ORDINARY, ...heterogeneous },
  'A/A bursts': { ...ORDINARY, ...bursts },
  'A/A diurnal': { ...ORDINARY, diurnal: 0.7 },
  'A/A site faults': { ...ORDINARY, ...siteFault },
  'A/A one node falls ill': { ...ORDINARY, sickShare: 0.3 },
  'A/A one node was ill': { ...ORDINARY, sickBefore: 0.2 },
  'A/A all of it': { ...ORDINARY, ...heterogeneous, ...bursts, ...siteFault, diurnal: 0.7, sickBefore: 0.2 },
  'A/A clean fleet': { ...ORDINARY, failedShare: 0.0002, slowShare: 0.0005 },
  'A/A six nodes at two sites': SIX,
  'three-fold ordinary': { ...ORDINARY, effect: 3 },
  'three-fold heterogeneous': { ...ORDINARY, ...heterogeneous, effect: 3 },
  'three-fold bursts': { ...ORDINARY, ...bursts, effect: 3 },
  'three-fold diurnal': { ...ORDINARY, diurnal: 0.7, effect: 3 },
  'three-fold site faults': { ...ORDINARY, ...siteFault, effect: 3 },
  'three-fold one node was ill': { ...ORDINARY, sickBefore: 0.2, effect: 3 },
  'three-fold all of it': {
    ...ORDINARY,
    ...heterogeneous,
    ...bursts,
    ...siteFault,
    diurnal: 0.7,
    sickBefore: 0.2,
    effect: 3,
  },
  'three-fold six nodes at two sites': { ...SIX, effect: 3 },
  'two-fold ordinary': { ...ORDINARY, effect: 2 },
  // Harder than fleets are: what the gates learn of the time before is wrong on purpose.
  'A/A diurnal, counted for a day': { ...ORDINARY, ...day },
  'A/A worse everywhere at once': { ...ORDINARY, shift: 2.5 },
  'A/A three nodes at a site': { ...ORDINARY, sites: 1, nodesASite: 3 },
  'three-fold three nodes at a site': { ...ORDINARY, sites: 1, nodesASite: 3, effect: 3 },
  'A/A six nodes, bursts': { ...SIX, ...bursts },
  'A/A six nodes, diurnal, counted for a day': { ...SIX, ...day },
  'A/A six nodes, worse everywhere at once': { ...SIX, shift: 2.5 },
  'A/A six nodes, all of it': { ...SIX, ...heterogeneous, ...bursts, ...siteFault, ...day },
  'three-fold six nodes, bursts': { ...SIX, ...bursts, effect: 3 },
  'three-fold six nodes, diurnal, counted for a day': { ...SIX, ...day, effect: 3 },
}
