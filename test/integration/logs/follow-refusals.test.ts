import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FollowService } from '../../../edge-daemon/logs/follow/service.ts'
import { openStore, type Store } from '../../../edge-daemon/store/store.ts'
import { eventually } from '../../support/edge-daemon.ts'
import { followSettings } from '../../support/follow-settings.ts'

const LINES = 30_000
const SAID: string[] = []
const say = (event: string, msg = ''): void => void SAID.push(`${event} ${msg}`)

/** How long a refused call waits for the one behind it, ms: longer than that takes, where one is sent. */
const BEHIND_MS = 500

/** A store that now and then refuses a call and takes the one behind it, as one does on a full disk that gets room again. */
function refusing(store: Store): Pick<Store, 'append' | 'read'> & { readonly refused: number } {
  let [calls, refused] = [0, 0]
  return {
    append: (records) => {
      calls += 1
      if (calls % 3 !== 2 || refused > 2) return store.append(records)
      refused += 1
      return sleep(BEHIND_MS, { stored: false, code: 'STORE_FAILING', msg: 'the disk is full' } as const)
    },
    read: (request) => store.read(request),
    get refused() {
      return refused
    },
  }
}

test('lines of a call that the store refused are read again, though it kept the call behind it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-refused-'))
  try {
    const text = Array.from({ length: LINES }, (_, n) => `INFO line ${n + 1} ${'.'.repeat(60)}\n`).join('')
    writeFileSync(join(dir, 'app.log'), text)
    const store = await openStore({ dir: join(dir, 'store'), nodeName: 'n1', maxBytes: 1e9, segmentBytes: 4e6 })
    const kept: number[] = []
    store.onCommit((records) => {
      for (const { line } of records) {
        const number = /line (\d+) /.exec(line)?.[1]
        if (number !== undefined) kept.push(Number(number))
      }
    })
    const unsure = refusing(store)
    const log = { info: say, warn: say, error: say }
    const service = new FollowService({
      settings: followSettings(join(dir, '*.log')),
      stateDir: dir,
      store: unsure,
      settleMs: 0,
      log,
    })
    await service.start()
    await eventually(() => kept.includes(LINES), { timeoutMs: 60_000, what: 'the last line is kept' })
    await service.stop()
    await store.close()
    expect(unsure.refused).toBe(3)
    expect(kept.length).toBe(LINES)
    expect(kept.every((number, at) => number === at + 1)).toBe(true)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}, 300_000)
