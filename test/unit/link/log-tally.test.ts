import { expect, test } from 'vitest'
import { tallyLogs } from '../../../src/link/log-tally.ts'
import { KeptLogs } from '../../support/kept-logs.ts'

test('counts of nodes whose clocks are apart by halves of a ms are known from when they were asked for, or from when one has lines', async () => {
  const [whole, short] = [new KeptLogs('whole'), new KeptLogs('short')]
  for (let at = 900; at < 1900; at += 100) whole.keep(at)
  const signal = new AbortController().signal
  const wish = { fromMs: 1000, toMs: 2000, stepMs: 100 }
  for (const offsetMs of [-0.7, -0.5, 0, 0.5, 0.7]) {
    expect((await tallyLogs([{ key: 'whole', link: whole, offsetMs }], wish, signal)).knownFromMs).toBe(1000)
  }
  short.keep(1500)
  const both = [whole, short].map((link) => ({ key: link.key, link, offsetMs: 0 }))
  expect((await tallyLogs(both, wish, signal)).knownFromMs).toBe(1500)
})
