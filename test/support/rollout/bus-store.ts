import type { BusUser } from '../../../protocol/bus-users.ts'
import { BusStore } from '../../../src/rollout/journal/bus-store.ts'
import type { NatsBus } from '../nats-bus.ts'

/** The journals of a bus as one of its members reaches them; close it in the end. */
export async function storeOf(bus: NatsBus, user: BusUser, timeoutMs = 30_000): Promise<BusStore> {
  const member = await bus.member(user)
  return new BusStore({
    name: 'the bus',
    timeoutMs,
    open: async () => ({
      connection: await bus.connect(member, { reconnect: true, maxReconnectAttempts: -1, reconnectTimeWait: 100 }),
      apiPrefix: '$JS.archive.API',
    }),
  })
}
