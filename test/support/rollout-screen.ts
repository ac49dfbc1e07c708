import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findItem } from '../../src/commands/rollout-package.ts'
import { safe } from '../../src/fleet/clean.ts'
import type { Plan } from '../../src/rollout/contract.ts'
import type { RolloutWish } from '../../src/rollout/service.ts'
import { parseStrategy } from '../../src/rollout/strategy.ts'
import type { PackagePlace } from '../../src/ui/rollouts/face.ts'
import { changeStatus, changesWith } from './change-status.ts'
import { ConsoleScreen, type ConsoleScreenOptions, START_MS } from './console-screen.ts'
import { JournalRollouts, type Said } from './journal-rollouts.ts'
import { ID, NODES, OFFERS, planFor, STORY } from './rollout-story.ts'

const endings: (() => void)[] = []

/** End every screen that a test opened, and remove its journal. */
export function closeRolloutScreens(): void {
  for (const end of endings.splice(0)) end()
}

/** A console over a fleet whose rollouts have a journal in a folder, which others may have written to. */
export async function openRolloutScreen(
  options: Partial<ConsoleScreenOptions> = {},
  story: readonly Said[] = [],
  planned: (wish: RolloutWish) => Plan = planFor,
  dir = mkdtempSync(join(tmpdir(), 'edgedeck-rollouts-')),
  places: readonly PackagePlace[] = [{ name: safe('bucket models'), read: async () => OFFERS }],
) {
  const service = new JournalRollouts(dir, planned)
  service.nowMs = () => START_MS
  service.drivenBy = 'ben@laptop'
  await service.say(ID, ...story)
  const screen: ConsoleScreen = new ConsoleScreen({
    columns: 120,
    rows: 40,
    nodes: NODES.map((name) => ({ name })),
    rollouts: {
      service,
      places,
      find: async (typed) => {
        const item = await findItem(typed)
        const nobodySays = { sizeBytes: null, sinceMs: null, signedBy: [], push: null }
        return { item, ...nobodySays, where: safe('as typed'), sources: [{ kind: 'link' }] }
      },
      strategy: async (file) => parseStrategy('soak: 30s\nmaxSoak: 5m\npauseAfter: [canary]\n', file),
    },
    ...options,
  })
  service.nowMs = () => screen.nowMs
  endings.push(() => {
    screen.dispose()
    rmSync(dir, { recursive: true, force: true })
  })
  await screen.pass(3)
  return { screen, service, dir }
}

/** The same while a rollout goes on. */
export async function openRolloutStory(
  options: Partial<ConsoleScreenOptions> = {},
  planned?: (wish: RolloutWish) => Plan,
) {
  const opened = await openRolloutScreen(
    options,
    STORY.map((event) => ({ term: 2, ...event })),
    planned,
  )
  const served = { requests: 412, failed: 3, slow: 8 }
  opened.screen.changes.set('质检-东区-03', changesWith(changeStatus('probation', START_MS, { served })))
  return opened
}

/** A lone escape is told from the beginning of a sequence by the time after it. */
export async function pressEscape(screen: ConsoleScreen): Promise<void> {
  await screen.type('\x1b')
  await new Promise((resolve) => setTimeout(resolve, 150))
  await screen.pass(1)
}
