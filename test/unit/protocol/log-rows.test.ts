import { describe, expect, it } from 'vitest'
import { daemonFrameSchema } from '../../../protocol/frames.ts'
import { isLogRowsFrame } from '../../../protocol/log-rows.ts'
import { seededRandom } from '../../support/random.ts'

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

const row = {
  seq: 12,
  node_id: 'n1',
  timestamp: 1_793_000_000_000,
  level: 'error',
  source: 'nginx',
  msg: 'upstream timed out',
  fields: { camera: '7', tries: 3, ok: false, why: null },
  origin: 'f3a9:40213',
}
const frame = (rows: Json[]): { [key: string]: Json } => ({ t: 'rows', id: 'logs-1', topic: 'logs', rows })

/** Values that are just within and just without what a schema takes. */
const VALUES: readonly Json[] = [
  ...[
    0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    253_402_300_799_999,
    253_402_300_800_000,
    true,
    null,
    '',
    'x',
    'error',
    'loud',
    [],
    {},
  ],
  ...[64, 65, 253, 254, 256, 257, 65_536, 65_537].map((count) => 'x'.repeat(count)),
  Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`f${index}`, index])),
  Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`f${index}`, index])),
  { ['n'.repeat(257)]: 1 },
  { a: [1] },
  { a: { b: 1 } },
]
const KEYS = ['t', 'id', 'topic', 'rows', 'seq', 'node_id', 'timestamp', 'level', 'source', 'msg', 'fields', 'origin']
const MORE_KEYS = ['cut_chars', 'before', 'strange', 'constructor', 'toString']

function mutated(random: () => number): Json {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T
  const value = structuredClone(frame([row, { ...row, seq: 13 }])) as { rows: Record<string, Json>[] } & Record<
    string,
    Json
  >
  for (let change = 0; change <= random() * 2; change += 1) {
    const target = random() < 0.3 ? value : random() < 0.2 ? (value.rows[0]?.fields ?? {}) : value.rows[0]
    if (typeof target !== 'object' || target === null || Array.isArray(target)) continue
    const key = pick([...KEYS, ...KEYS, ...MORE_KEYS])
    if (random() < 0.2) delete target[key]
    else target[key] = structuredClone(pick(VALUES))
    if (!Array.isArray(value.rows)) break
  }
  return value
}

describe('the quick look at a frame of log rows', () => {
  it('says yes to what a node sends', () => {
    expect(isLogRowsFrame(frame([row]))).toBe(true)
    expect(isLogRowsFrame(frame([]))).toBe(true)
  })

  it('never says yes where the schema says no or would change something', () => {
    const random = seededRandom(6)
    let yes = 0
    for (let round = 0; round < 20_000; round += 1) {
      const value = JSON.parse(JSON.stringify(mutated(random))) as unknown
      if (!isLogRowsFrame(value)) continue
      yes += 1
      const parsed = daemonFrameSchema.safeParse(value)
      expect({ value, parsed: parsed.success && parsed.data }).toEqual({ value, parsed: value })
    }
    expect(yes).toBeGreaterThan(1000)
  })

  it('leaves the name that is none of an object to the schema', () => {
    const text = JSON.stringify(frame([row])).replace('"camera"', '"__proto__"')
    expect(isLogRowsFrame(JSON.parse(text))).toBe(false)
  })
})
