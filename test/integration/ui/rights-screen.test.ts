import { afterEach, expect, test } from 'vitest'
import type { Rights } from '../../../protocol/rights.ts'
import type { Standing } from '../../../src/identity/standing.ts'
import { ConsoleScreen, type ConsoleScreenOptions, START_MS } from '../../support/console-screen.ts'

const screens: ConsoleScreen[] = []
afterEach(() => {
  for (const screen of screens.splice(0)) screen.dispose()
})

async function open(options: Partial<ConsoleScreenOptions> = {}): Promise<ConsoleScreen> {
  const nodes = [{}, { site: 'plant-b', cpuPct: 95 }, { name: '质检-东区-03', site: '仓库', uplinkDown: true }]
  const screen = new ConsoleScreen({ columns: 80, rows: 24, nodes, ...options })
  screens.push(screen)
  await screen.pass(2)
  return screen
}

function standing(rights: Partial<Rights> = {}, untilMs = START_MS + 43_200_000): Standing {
  return { name: 'mia', rights: { role: 'viewer', permissions: [], sites: '*', ...rights }, untilMs }
}

const demo = {
  state: () => ({ nodes: [], cloud: { kind: 'http', up: true } }),
} as unknown as NonNullable<ConsoleScreenOptions['demo']>

test.each([
  [80, 24],
  [120, 40],
  [200, 60],
])(
  'a node that is spoken to in plain is called insecure in the header and on its row at %i×%i',
  async (columns, rows) => {
    const screen = await open({ columns, rows, insecure: ['质检-东区-03'], production: true, standing: standing() })
    const lines = screen.emulator.text()
    expect(lines[0]).toMatch(/^ edgedeck test {2}PRODUCTION {2}insecure {2}3 nodes/)
    expect(lines.find((line) => line.includes('质检-东区-03'))).toMatch(/up.* insecure /)
    expect(lines.find((line) => line.includes('node-1'))).not.toContain('insecure')
    await screen.type('\x1b[B')
    const wide = (await open({ columns: 200, rows: 60, standing: standing() })).emulator.text()
    expect(wide[0]).toContain('mia, viewer')
    expect(wide.join()).not.toMatch(/insecure|PRODUCTION|LINK/)
  },
)

test('tells in the header that a login is about to end, and what to do when it has', async () => {
  const screen = await open({ standing: standing({}, START_MS + 11 * 60_000) })
  expect(screen.emulator.text()[0]).not.toContain('login')
  await screen.pass(150)
  expect(screen.emulator.text()[0]).toContain('your login ends in 9 min')
  const late = await open({ standing: standing({}, START_MS) })
  expect(late.emulator.text()[0]).toContain('your login has ended: edgedeck login')
})

test('dims what the operator may not do, and says which right is missing', async () => {
  const screen = await open({ columns: 120, rows: 60, standing: standing(), demo })
  await screen.type(':slow / heal')
  expect(screen.emulator.screen()).toMatch(/Slow \/ heal model +needs the role operator/)
  await screen.type('\r')
  expect(screen.emulator.text().at(-1)).toContain('Slow / heal model needs the role operator')
  await screen.type('?')
  expect(screen.emulator.screen()).toMatch(/Kill \/ revive node +needs the role operator/)
  const elsewhere = standing({ role: 'operator', sites: ['plant-b'] })
  const other = await open({ columns: 120, rows: 40, standing: elsewhere, demo, nodes: [{ site: 'plant-a' }] })
  await other.type(':slow / heal')
  expect(other.emulator.screen()).toMatch(/Slow \/ heal model +needs the site plant-a/)
})

test('asks for no picture without the permission, and says so', async () => {
  const asked: number[] = []
  const link = {
    followResults: () => undefined,
    fetchPicture: async (seq: number) => {
      asked.push(seq)
      return { ok: false, code: 'PICTURE_NOT_KEPT', message: 'none', next: [] }
    },
  }
  const links = new Map([['node-1', link]]) as unknown as NonNullable<ConsoleScreenOptions['links']>
  const open1 = async (permissions: Rights['permissions']): Promise<ConsoleScreen> => {
    const screen = await open({ nodes: [{}], links, standing: standing({ permissions }) })
    const row = { seq: 7, node_id: 'node-1', timestamp: START_MS + 500, code: 500, msg: 'no' }
    const result = { ...row, pred: null, confidence: null, model: 'm@1', total_ms: 5, bytes: 9, reason: 'failed' }
    const frame = { t: 'rows' as const, id: 'results', topic: 'results' as const, rows: [result] }
    screen.fleet.apply('node-1', { kind: 'frame', frame, sizeBytes: 100 }, START_MS + 500)
    await screen.type('r')
    await screen.type('\r')
    return screen
  }
  expect((await open1([])).emulator.screen()).toContain('the permission data is missing')
  expect(asked).toEqual([])
  await open1(['data'])
  expect(asked).toEqual([7])
})
