import { expect, test } from 'vitest'
import { RolloutFigures, recentFigures } from '../../../../src/ui/rollouts/figures.ts'
import { latencyOf } from '../../../support/live-frames.ts'

type Told = NonNullable<ReturnType<Parameters<RolloutFigures['sample']>[2]>>

function told(requests: number, failed: number, slow: number, instance = 'i1'): Told {
  return { instance, counts: { requests, failed, slow }, latency: latencyOf([requests / 10]) }
}

const sides = (changed: string[], unchanged: string[]) => ({ changed, unchanged })

test('sums what both sides counted over one and the same stretch of time', () => {
  const figures = new RolloutFigures()
  const at = (ms: number, by: Readonly<Record<string, Told>>) =>
    figures.sample(ms, sides(['a', 'b'], ['c']), (key) => by[key] ?? null)
  at(0, { a: told(100, 0, 0), b: told(50, 0, 0), c: told(1000, 5, 5) })
  at(2000, { a: told(110, 1, 2), b: told(60, 0, 3), c: told(1020, 5, 6) })
  const [first, second] = figures.points
  expect(first?.changed).toMatchObject({ nodes: 2, requests: 0, failedPct: null })
  expect(second?.changed).toMatchObject({ requests: 20, failedPct: 5, slowPct: 25 })
  expect(second?.unchanged).toMatchObject({ nodes: 1, requests: 20, failedPct: 0, slowPct: 5 })
})

test('a node that started anew or changed sides is not counted in that stretch', () => {
  const figures = new RolloutFigures()
  figures.sample(0, sides(['a'], ['b']), () => told(100, 0, 0))
  figures.sample(2000, sides(['a', 'b'], []), (key) => (key === 'a' ? told(5, 5, 5, 'i2') : told(110, 10, 10)))
  expect(figures.points.at(-1)?.changed).toMatchObject({ requests: 0, failedPct: null, slowPct: null })
  figures.sample(4000, sides(['a', 'b'], []), (key) => (key === 'a' ? told(15, 6, 5, 'i2') : told(120, 10, 10)))
  expect(figures.points.at(-1)?.changed).toMatchObject({ requests: 20, failedPct: 5, slowPct: 0 })
})

test('the last minute weighs steps by what was answered in them, and holds ten minutes at most', () => {
  const figures = new RolloutFigures()
  let requests = 0
  for (let step = 0; step < 400; step += 1) {
    requests += step % 2 === 0 ? 90 : 10
    figures.sample(step * 2000, sides(['a'], []), () => told(requests, 0, Math.floor(requests / 100) * 10))
  }
  expect(figures.points).toHaveLength(300)
  expect(recentFigures(figures.points, 'changed', 30)?.slowPct).toBeCloseTo(10, 5)
  expect(recentFigures([], 'changed', 30)).toBeNull()
})
