import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HeadlessDemo } from '../support/headless-demo.ts'

const NOTHING = { processes: [], files: [] }

describe('leaving the demo', () => {
  it('by SIGKILL leaves no process and no file after a few seconds', async () => {
    await using demo = new HeadlessDemo()
    await demo.untilServing()
    demo.signal('SIGKILL')
    await demo.until('all is gone', () => {
      const { processes, files } = demo.leftovers()
      return processes.length === 0 && files.length === 0
    })
  })

  it('by SIGKILL in the middle of starting leaves nothing either', async () => {
    await using demo = new HeadlessDemo()
    await demo.until('daemons are being started', () => demo.latest.nodes.some((node) => node.pid !== null))
    demo.note()
    demo.signal('SIGKILL')
    await demo.until('all is gone', () => {
      const { processes, files } = demo.leftovers()
      return processes.length === 0 && files.length === 0
    })
  })

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ] as const)('by %s ends in order with code %i', async (signal, code) => {
    await using demo = new HeadlessDemo()
    await demo.until('it has begun', () => demo.latest.nodes.some((node) => node.pid !== null))
    demo.note()
    demo.signal(signal)
    await demo.until('it ends', () => demo.ended !== null)
    expect(demo.ended).toEqual({ code, signal: null })
    expect(demo.leftovers()).toEqual(NOTHING)
  })

  it('is not asked for by the end of standard input, and takes no second demo along', async () => {
    await using first = new HeadlessDemo()
    const cache = mkdtempSync(path.join(tmpdir(), 'edgedeck-e2e-cache-'))
    onTestFinished(() => rmSync(cache, { recursive: true, force: true }))
    await using second = new HeadlessDemo({ PATH: cache, XDG_CACHE_HOME: cache })
    first.closeInput()
    await Promise.all([first.untilServing(), second.untilServing()])
    expect([first.latest.cloud.kind, second.latest.cloud.kind]).toEqual(['nats', 'http'])
    second.send('garbage node-1')
    await second.until('node-1 sends unreadable pictures', async () => {
      const answer = await fetch(`${second.latest.cloud.url}?subject=results`)
      return ((await answer.json()) as { blocks: unknown[] }).blocks.length > 0
    })
    second.send('quit')
    await second.until('the second ends', () => second.ended !== null)
    expect(second.leftovers()).toEqual(NOTHING)
    expect(readdirSync(cache)).toEqual([])
    const { lines } = first
    await first.until('the first goes on', () => first.lines > lines + 1)
    expect(first.latest.nodes.map((node) => node.state)).toEqual(['up', 'up', 'up'])
  })
})
