import { expect, onTestFinished, test } from 'vitest'
import { ConsoleScreen } from '../../support/console-screen.ts'
import { KeptLogs } from '../../support/kept-logs.ts'

test('a pause counts what came since, also where lines were let go before it and of those that it holds', async () => {
  const node = new KeptLogs('n1')
  const options = { columns: 120, rows: 40, nodes: [{ name: 'n1', logsPerSec: 0 }], links: new Map([['n1', node]]) }
  const screen = new ConsoleScreen(options)
  onTestFinished(() => screen.dispose())
  const say = async (count: number): Promise<void> => {
    const rows = Array.from({ length: count }, () => node.keep(screen.nowMs, {}))
    const frame = { t: 'rows', id: 'logs', topic: 'logs', rows } as const
    screen.fleet.apply('n1', { kind: 'frame', frame, sizeBytes: 200 * count }, screen.nowMs)
    await screen.pass(1)
  }
  const title = (): string => screen.emulator.text().find((row) => row.includes(' logs of ')) ?? ''
  await screen.pass(2)
  await say(8000)
  await screen.type('l')
  await screen.pass(1)
  await screen.type('=')
  await say(10)
  expect(title()).toContain('PAUSED, 10 newer,')
  await say(9000)
  expect(title()).toMatch(/PAUSED, 9 010 newer \(\d \d{3} of them let go here\)/)
})
