import { describe, expect, it } from 'vitest'
import { EdgeError } from '../../../protocol/errors.ts'
import { carryOut, DEMO_COMMANDS, type DemoControls, parseDemoCommand } from '../../../src/demo/scenario.ts'

function fault(line: string): EdgeError {
  try {
    parseDemoCommand(line)
  } catch (error) {
    if (error instanceof EdgeError) return error
  }
  throw new Error(`"${line}" was taken`)
}

describe('a line of the headless demo', () => {
  it.each([
    ['kill node-1', { verb: 'kill', node: 'node-1' }],
    ['  revive   node-1 ', { verb: 'revive', node: 'node-1' }],
    ['cut node-2', { verb: 'cut', node: 'node-2' }],
    ['silence node-2', { verb: 'silence', node: 'node-2' }],
    ['restore node-2', { verb: 'restore', node: 'node-2' }],
    ['garbage node-3', { verb: 'garbage', node: 'node-3' }],
    ['slow node-1 120', { verb: 'slow', node: 'node-1', ms: 120 }],
    ['slow node-1 120ms', { verb: 'slow', node: 'node-1', ms: 120 }],
    ['slow node-1 0', { verb: 'slow', node: 'node-1', ms: 0 }],
    ['cloud down', { verb: 'cloud', up: false }],
    ['cloud up', { verb: 'cloud', up: true }],
    ['cameras 0', { verb: 'cameras', framesPerSec: 0 }],
    ['cameras 8', { verb: 'cameras', framesPerSec: 8 }],
    ['quit', { verb: 'quit' }],
  ])('reads "%s"', (line, command) => {
    expect(parseDemoCommand(line)).toEqual(command)
  })

  it.each(['kill', 'kill node-1 node-2', 'slow node-1', 'slow node-1 fast', 'slow node-1 -5', 'slow node-1 60001'])(
    'refuses "%s" with its code',
    (line) => {
      expect(fault(line).code).toBe('USAGE')
    },
  )

  it.each(['cloud', 'cloud sideways', 'cameras', 'cameras many', 'cameras 61', 'cameras 1.5', 'quit now'])(
    'refuses "%s" with its code',
    (line) => {
      expect(fault(line).code).toBe('USAGE')
    },
  )

  it('names every command when the verb is unknown', () => {
    const line = fault('explode node-1').toLine()
    expect(line).toContain('"explode" is no command')
    for (const command of DEMO_COMMANDS) expect(line).toContain(command)
  })

  it('says how a known verb is written', () => {
    expect(fault('slow node-1').message).toBe('write: slow NODE MS')
    expect(fault('cloud').message).toBe('write: cloud down or cloud up')
  })
})

describe('carrying out', () => {
  it('turns each command into the one call it means', async () => {
    const calls: unknown[][] = []
    const controls = new Proxy({} as DemoControls, {
      get:
        (_, name) =>
        async (...args: unknown[]) =>
          calls.push([name, ...args]),
    })
    for (const line of ['kill a', 'silence a', 'slow a 5', 'cloud down', 'cloud up', 'cameras 3', 'garbage a']) {
      const command = parseDemoCommand(line)
      if (command.verb !== 'quit') await carryOut(command, controls)
    }
    expect(calls).toEqual([
      ['kill', 'a'],
      ['silence', 'a'],
      ['slow', 'a', 5],
      ['cloudDown'],
      ['cloudUp'],
      ['cameras', 3],
      ['garbage', 'a'],
    ])
  })
})
