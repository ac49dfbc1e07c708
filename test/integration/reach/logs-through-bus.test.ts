import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'nats'
import { expect, test } from 'vitest'
import { readCommandLine } from '../../../src/command-line/command-line.ts'
import type { LogsCommandRequest } from '../../../src/command-line/log-commands.ts'
import { runLogs } from '../../../src/commands/logs.ts'
import { IdentityFolder } from '../../../src/identity/identity-source.ts'
import { FleetBus } from '../../../src/link/fleet-bus.ts'
import { CapturedIo } from '../../support/command-io.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { natsFixture } from '../../support/nats-server.ts'
import { ReachNode } from '../../support/reach-node.ts'

const LATE_MS = 400

test('logs of a node that only the bus reaches are read though the bus connects a while after the command began', {
  timeout: 240_000,
}, async () => {
  await using hub = await natsFixture()
  using authority = await FleetAuthority.create()
  const mia = await authority.operator('mia')
  await using node = await ReachNode.start(authority, hub.url)
  await expect.poll(() => node.node.events.map(({ event }) => event), { timeout: 90_000 }).toContain('rpc.listening')
  const bus = new FleetBus({
    open: () => delay(LATE_MS).then(() => connect({ servers: hub.url, reconnect: false })),
    who: () => 'mia',
    sites: () => '*',
  })
  const io = new CapturedIo()
  bus.start()
  try {
    const access = { version: '0', identity: new IdentityFolder(mia.dir), bus }
    const nodes = [{ key: 'n1', url: null, site: 's1' }]
    const wish = readCommandLine(
      'logs -o json --level debug --tail 10 --timeout 90s'.split(' '),
      '0',
    ) as LogsCommandRequest
    const isWhole = await runLogs({ ...wish, nodes, access, clouds: [], colour: false }, io)
    expect({ isWhole, err: io.err() }).toEqual({ isWhole: true, err: '' })
  } finally {
    await bus.stop()
  }
})
