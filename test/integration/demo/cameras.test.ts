import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { PNG } from 'pngjs'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Cameras } from '../../../src/demo/cameras.ts'
import { isAlive } from '../../support/process-tree.ts'

/** A node that decodes what it gets. */
async function node(): Promise<{ url: string; good: () => number; bad: () => number }> {
  let good = 0
  let bad = 0
  const server = http.createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    try {
      PNG.sync.read(Buffer.concat(parts))
      good += 1
    } catch {
      bad += 1
    }
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/infer`, good: () => good, bad: () => bad }
}

describe('the cameras of the fleet', () => {
  it('send pictures from a process of their own, unreadable ones on request, and end with it', async () => {
    const [first, second] = [await node(), await node()]
    const gone: number[] = []
    const cameras = new Cameras({ framesPerSec: 20, onSpawn: () => undefined, onExit: (pid) => gone.push(pid) })
    onTestFinished(() => cameras.stop())
    cameras.start()
    const pid = cameras.pid as number
    const dir = mkdtempSync(path.join(tmpdir(), 'cameras-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
    const log = path.join(dir, 'a.log')
    cameras.point('a', first.url, log)
    cameras.point('b', second.url, path.join(dir, 'b.log'))
    await vi.waitFor(() => expect(Math.min(first.good(), second.good())).toBeGreaterThan(5), 60_000)
    expect(first.bad()).toBe(0)

    cameras.setGarbage('a', true)
    await vi.waitFor(() => expect(first.bad()).toBeGreaterThan(3), 60_000)
    expect(second.bad()).toBe(0)
    cameras.setGarbage('a', false)
    const moreGood = async (count: number): Promise<void> => {
      const good = first.good()
      await vi.waitFor(() => expect(first.good()).toBeGreaterThanOrEqual(good + count), 60_000)
    }
    // Some may have been on their way when it was told.
    await moreGood(12)
    const bad = first.bad()
    await moreGood(6)
    expect(first.bad()).toBe(bad)

    await vi.waitFor(() => expect(cameras.counts('a')?.sent).toBeGreaterThan(0), 60_000)
    await cameras.stop()
    expect(readFileSync(log, 'utf8')).toContain(` level=info msg="sends to its node" url="${first.url}"\n`)
    // Each as it was: a busy machine's answers are slow ones.
    expect(readFileSync(log, 'utf8')).toMatch(/ level=(?:debug msg="picture answered"|warn msg="slow answer") ms=/)
    expect(isAlive(pid)).toBe(false)
    expect(gone).toEqual([pid])
  })
})
