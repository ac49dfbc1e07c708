import { describe, expect, it } from 'vitest'
import { NEW_CHAIN } from '../../../edge-daemon/store/chain-file.ts'
import type { PlainRecord } from '../../../edge-daemon/store/commit.ts'
import { type EngineOptions, LogEngine } from '../../../edge-daemon/store/engine.ts'
import { engineOptions, ledgerOf, readAll, storeFolder } from '../../support/store-folder.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const START = 1_793_000_000_000
const LIMITS = { sample: { maxBytes: null, maxAgeMs: 5 * MINUTE_MS } }

/** A node with a clock that anybody may set, and one that nobody can. */
class Node {
  wallMs = START
  monotonicMs = 0
  readonly #options: EngineOptions
  engine: LogEngine

  constructor(dir: string, changes: Partial<EngineOptions> = {}) {
    const clocks = { nowMs: () => this.wallMs, monotonicMs: () => this.monotonicMs }
    this.#options = engineOptions(dir, { limits: LIMITS, ...clocks, ...changes })
    this.engine = LogEngine.open(this.#options)
  }

  /** Let time pass, a sample every 10 s. */
  live(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10_000) {
      this.wallMs += 10_000
      this.monotonicMs += 10_000
      const sample: PlainRecord = { class: 'sample', timestamp: this.wallMs, bodyJson: '{}' }
      this.engine.commit([sample])
      this.engine.enforceRetention()
    }
  }

  /** Start again; the clock that nobody can set begins anew. */
  restart(offMs: number): void {
    this.engine.close()
    this.wallMs += offMs
    this.monotonicMs = 0
    this.engine = LogEngine.open(this.#options)
  }

  samples(): number {
    return readAll(this.engine, { classes: ['sample'] }).length
  }
}

describe('the age of what is kept', () => {
  it('has a limit: at least 5 min of samples stay, and never as much as 9, and the ledger tells of the rest', () => {
    using folder = storeFolder()
    const node = new Node(folder.dir)
    for (let n = 0; n < 60; n += 1) {
      node.live(MINUTE_MS)
      if (n < 10) continue
      expect(node.samples()).toBeGreaterThanOrEqual(30)
      expect(node.samples()).toBeLessThan(54)
    }
    const gone = ledgerOf(node.engine).reduce((sum, { records }) => sum + (records.sample ?? 0), 0)
    expect(gone + node.samples()).toBe(360)
    expect(ledgerOf(node.engine).every(({ reason }) => reason === 'max_age')).toBe(true)
    node.engine.close()
  })

  it.each([
    ['an hour ahead', HOUR_MS],
    ['an hour back', -HOUR_MS],
    ['to 1970', -START],
    ['ten years ahead', 87_600 * HOUR_MS],
  ])('takes no notice of a clock that jumps %s', (_, jumpMs) => {
    using folder = storeFolder()
    const node = new Node(folder.dir)
    node.live(4 * MINUTE_MS)
    node.wallMs += jumpMs
    node.live(10_000)
    expect(node.samples()).toBe(25)
    node.live(20 * MINUTE_MS)
    expect(node.samples()).toBeLessThan(54)
    node.engine.close()
  })

  it('does not count the time that the node was off, whatever the clock says at the start', () => {
    for (const offMs of [72 * HOUR_MS, -START, 87_600 * HOUR_MS]) {
      using folder = storeFolder()
      const node = new Node(folder.dir)
      node.live(4 * MINUTE_MS)
      node.restart(offMs)
      node.live(10_000)
      expect(node.samples()).toBe(25)
      node.live(20 * MINUTE_MS)
      expect(node.samples()).toBeLessThan(54)
      node.engine.close()
    }
  })

  it('never takes what an awaited target lacks, be it never reached, and waits for no other', () => {
    const kept = (awaited: readonly string[][] | null, synced: readonly string[]): number => {
      using folder = storeFolder()
      const node = new Node(folder.dir, { awaited, limits: { error: { maxBytes: null, maxAgeMs: MINUTE_MS } } })
      node.engine.commit([{ class: 'error', timestamp: START, bodyJson: '{}' }])
      for (const target of synced) node.engine.saveChain(target, 'error', { ...NEW_CHAIN, cursor: 1, syncedSeq: 1 })
      node.engine.saveChain('dropped', 'error', NEW_CHAIN)
      node.live(5 * MINUTE_MS)
      const errors = readAll(node.engine, { classes: ['error'] }).length
      node.engine.close()
      return errors
    }
    expect(kept([['hub']], [])).toBe(1)
    expect(kept([['hub'], ['http']], ['hub'])).toBe(1)
    expect(kept([['hub'], ['http']], ['hub', 'http'])).toBe(0)
    // Of regions that take turns one is enough.
    expect(kept([['east', 'west']], ['west'])).toBe(0)
    expect(kept([], [])).toBe(0)
    expect(kept(null, ['hub'])).toBe(1)
  })
})
