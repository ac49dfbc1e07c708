import { expect, it } from 'vitest'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import type { LogsCommandRequest } from '../../../src/command-line/log-commands.ts'
import { runLogs } from '../../../src/commands/logs.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { LiveNode } from '../../support/live-node.ts'
import { tcpLink } from '../../support/tcp-link.ts'

interface Printed {
  readonly kind: string
  readonly node: string
  readonly msg: string
  readonly late: boolean
  readonly missed: number
}

it('follows nodes whose clocks differ in one true order, and tells what comes late when a link was cut', async () => {
  const shiftsMs = { ahead: 90_000, behind: -7_200_000 } as const
  const names = Object.keys(shiftsMs) as (keyof typeof shiftsMs)[]
  const nodes = new Map<string, LiveNode>()
  for (const name of names) {
    const about = { name, site: 's', version: '0', instance: 'i', startedAt: 1 }
    const node = new LiveNode({ node: about, intervalMs: 200 })
    node.wallShiftMs = shiftsMs[name]
    nodes.set(name, await node.start())
  }
  await using link = await tcpLink(Number(new URL(nodes.get('behind')?.url ?? '').port))
  const say = (name: keyof typeof shiftsMs, msg: string): void => {
    const timestamp = Date.now() + shiftsMs[name]
    nodes.get(name)?.publish('logs', { level: 'info', source: 'app', msg, timestamp })
  }
  const io = new CapturedIo()
  const wish = readCommandLine('logs -f -o ndjson --tail 500'.split(' '), '0') as LogsCommandRequest
  const addresses = [
    { key: 'ahead', url: nodes.get('ahead')?.url ?? '' },
    { key: 'behind', url: `ws://127.0.0.1:${link.port}/live` },
  ]
  const access = { version: '0' }
  const running = runLogs({ ...wish, nodes: addresses, access, clouds: [], colour: false }, io)
  const printed: Printed[] = []
  const until = async (so: () => boolean): Promise<void> => {
    for (const endMs = performance.now() + 60_000; ; ) {
      const text = io.out()
      for (const line of text.split('\n')) if (line !== '') printed.push(JSON.parse(line) as Printed)
      if (so()) return
      if (performance.now() > endMs) throw new Error(`not so: ${JSON.stringify(printed.slice(-5))} ${io.err()}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  // Far more apart than what a busy machine leaves unsure of a clock.
  const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 200))
  try {
    const count = (node: string): number => printed.filter((row) => row.node === node && row.kind === 'line').length
    for (const name of names) say(name, 'hello')
    await until(() => names.every((name) => count(name) === 1))
    for (let n = 1; n <= 30; n += 1) {
      say(n % 2 === 0 ? 'ahead' : 'behind', `${n}`)
      await tick()
    }
    await until(() => count('ahead') + count('behind') === 32)
    expect(printed.slice(2).map(({ msg }) => msg)).toEqual(Array.from({ length: 30 }, (_, index) => `${index + 1}`))
    expect(printed.filter(({ late }) => late)).toEqual([])

    link.cut()
    for (let n = 31; n <= 50; n += 1) {
      say(n % 2 === 0 ? 'ahead' : 'behind', `${n}`)
      await tick()
    }
    // What came while the link was away is shown before it is back.
    await until(() => count('ahead') === 1 + 15 + 10)
    await link.mend()
    await until(() => count('behind') === 1 + 15 + 10)
    const after = printed.slice(32)
    expect(after.filter(({ late }) => !late).map(({ msg }) => Number(msg) % 2)).toEqual(Array(10).fill(0))
    expect(after.filter(({ late }) => late).map(({ msg }) => Number(msg))).toEqual([
      31, 33, 35, 37, 39, 41, 43, 45, 47, 49,
    ])
    expect(new Set(printed.map(({ msg }) => msg)).size).toBe(51)
  } finally {
    io.abort()
    await running
    for (const node of nodes.values()) await node.server.stop()
  }
})
