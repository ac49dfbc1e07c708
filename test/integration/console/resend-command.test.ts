import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CommandResult } from '../../../edge-daemon/live/contract.ts'
import { EdgeError } from '../../../protocol/errors.ts'
import { type ResendRequest, runResend } from '../../../src/commands/resend.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { LiveNode } from '../../support/live-node.ts'

let node: LiveNode
let asked: { verb: string; args: unknown }[]
let answer: (verb: string) => Promise<CommandResult>
beforeEach(async () => {
  asked = []
  node = await new LiveNode({
    command: (_peer, { verb, args }) => {
      asked.push({ verb, args: { ...args } })
      return answer(verb)
    },
  }).start()
})
afterEach(() => node.server.stop())

const progress = (state: string, records: number) => ({
  requestId: 'r1',
  target: 'east',
  state,
  records,
  blocks: 1,
  leftOut: 0,
  error: null,
})

async function resend(change: Partial<ResendRequest> = {}, io = new CapturedIo()) {
  const done = await runResend(
    {
      name: 'n1',
      node: { key: 'n1', url: node.url },
      access: { version: '0.0.0' },
      fromMs: 1_793_000_000_000,
      toMs: 1_793_000_060_000,
      classes: null,
      target: null,
      why: null,
      requestId: 'r1',
      again: false,
      wait: true,
      format: 'table',
      timeoutMs: 60_000,
      pollMs: 10,
      ...change,
    },
    io,
  )
  return { done, stdout: io.out(), stderr: io.err() }
}

describe('edgedeck resend', () => {
  it('asks for the range by the clock of the node, and follows it to its end', async () => {
    node.wallShiftMs = 3_600_000
    const states = [progress('waiting', 0), progress('running', 3), progress('running', 3), progress('done', 7)]
    answer = () => Promise.resolve(states.length > 1 ? (states.shift() ?? {}) : (states[0] ?? {}))
    const { done, stdout } = await resend({ format: 'ndjson', classes: ['alert', 'normal'], target: 'east' })
    expect(done).toBe(true)
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).records),
    ).toEqual([0, 3, 7])
    expect(asked[0]).toMatchObject({
      verb: 'resend',
      args: { requestId: 'r1', classes: ['alert', 'normal'], target: 'east' },
    })
    const { fromMs = 0, toMs = 0 } = (asked[0]?.args ?? {}) as { fromMs?: number; toMs?: number }
    expect(Math.abs(fromMs - 1_793_000_000_000 - 3_600_000)).toBeLessThan(60_000)
    expect(toMs - fromMs).toBe(60_000)
    expect(asked.slice(1).map(({ verb }) => verb)).toEqual(['resend.status', 'resend.status', 'resend.status'])
  })

  it('only asks when nobody wants to wait', async () => {
    answer = () => Promise.resolve(progress('waiting', 0))
    const { done, stdout } = await resend({ wait: false })
    expect({ done, asked: asked.length }).toEqual({ done: true, asked: 1 })
    expect(stdout).toMatch(/^REQUEST +TARGET +STATE +RECORDS +BLOCKS +LEFT OUT +NOTE\nr1 +east +waiting +0 +1 +0\n$/)
    expect(asked[0]?.args).not.toHaveProperty('classes')
  })

  it('follows a request that the node knows, and makes it where the node does not', async () => {
    let isKnown = true
    answer = (verb) =>
      verb === 'resend.status' && !isKnown
        ? Promise.reject(new EdgeError('COMMAND_REFUSED', { message: 'no such request' }))
        : Promise.resolve(progress('done', 7))
    expect((await resend({ again: true })).done).toBe(true)
    isKnown = false
    expect((await resend({ again: true })).done).toBe(true)
    expect(asked.map(({ verb }) => verb)).toEqual(['resend.status', 'resend.status', 'resend'])
  })

  it('says how to go on when it is ended while it follows', async () => {
    const io = new CapturedIo()
    answer = (verb) => {
      if (verb === 'resend.status') io.abort()
      return Promise.resolve(progress('running', 1))
    }
    expect(await resend({}, io)).toMatchObject({
      done: false,
      stderr: 'edgedeck: it goes on on the node; look again with --request-id r1 --wait\n',
    })
  })

  it('hands on what the node refuses, and believes no answer of another shape', async () => {
    answer = (verb) => Promise.resolve({ verb, state: 'done\u001b[2J' })
    await expect(resend()).rejects.toMatchObject({ code: 'FRAME_INVALID' })
    // A node that knows no such verb.
    const old = await new LiveNode().start()
    await expect(resend({ node: { key: 'n1', url: old.url } })).rejects.toMatchObject({
      code: 'COMMAND_REFUSED',
      next: ['ask nicely'],
    })
    await old.server.stop()
    const gone = { key: 'n1', url: 'ws://127.0.0.1:1/live' }
    await expect(resend({ node: gone })).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' })
  })
})
