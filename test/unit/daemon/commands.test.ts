import { expect, test } from 'vitest'
import type { CommandArgs } from '../../../edge-daemon/commands/contract.ts'
import { faultCommands } from '../../../edge-daemon/commands/faults.ts'
import { resendCommands } from '../../../edge-daemon/commands/resend.ts'
import type { ResendReport } from '../../../edge-daemon/upstream/resend/request.ts'
import type { ResendOrder } from '../../../edge-daemon/upstream/resend/resends.ts'

function node(allowFaults = true) {
  const orders: ResendOrder[] = []
  const slow: number[] = []
  const report = (requestId: string): ResendReport => {
    return { requestId, target: 'nats', state: 'waiting', records: 0, blocks: 0, leftOut: 0, error: null }
  }
  const table = {
    ...faultCommands({ service: { setFault: ({ slowMs }) => slow.push(slowMs) }, allowFaults }),
    ...resendCommands({
      order: async (order) => {
        orders.push(order)
        return report(order.requestId)
      },
      report,
    }),
  }
  return { orders, slow, run: async (verb: keyof typeof table, args: CommandArgs = {}) => table[verb](args) }
}

test('takes a declared fault only where it is allowed, and within bounds', async () => {
  const { run, slow } = node()
  expect(await run('fault.slow', { ms: 20 })).toEqual({ slowMs: 20 })
  await expect(run('fault.slow', { ms: -1 })).rejects.toThrow('needs "ms"')
  await expect(node(false).run('fault.slow', { ms: 20 })).rejects.toThrow('no declared faults')
  expect(slow).toEqual([20])
})

test('orders a range with the classes that go up by themselves, unless others are named', async () => {
  const { run, orders } = node()
  const range = { requestId: 'r-1', fromMs: 1, toMs: 2 }
  expect(await run('resend', range)).toMatchObject({ requestId: 'r-1', state: 'waiting', records: 0, blocks: 0 })
  await run('resend', { ...range, classes: ['normal', 'alert'], target: 'eu' })
  expect(orders).toEqual([
    { ...range, classes: ['ledger', 'alert', 'error', 'abnormal', 'stat', 'metric'], target: null },
    { ...range, classes: ['alert', 'normal'], target: 'eu' },
  ])
  expect(await run('resend.status', { requestId: 'r-1' })).toMatchObject({ requestId: 'r-1' })
})

test.each([
  [{ requestId: 'r', fromMs: 2, toMs: 1 }],
  [{ requestId: 'r', fromMs: 1 }],
  [{ requestId: '../r', fromMs: 1, toMs: 2 }],
  [{ requestId: 'r', fromMs: 1, toMs: 2, classes: ['input'] }],
  [{ requestId: 'r', fromMs: 1, toMs: 2, classes: [] }],
])('refuses to resend %j', async (args) => {
  const { run, orders } = node()
  await expect(run('resend', args)).rejects.toMatchObject({ code: 'COMMAND_REFUSED' })
  expect(orders).toEqual([])
})
