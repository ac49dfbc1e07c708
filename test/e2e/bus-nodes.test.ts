import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { FleetAuthority } from '../support/fleet-authority.ts'
import { natsFixture } from '../support/nats-server.ts'
import { ReachNode } from '../support/reach-node.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/edgedeck.js', import.meta.url))

test('what ships finds a node on the bus and speaks with it, without an address', async () => {
  await using hub = await natsFixture()
  using authority = await FleetAuthority.create()
  await using _node = await ReachNode.start(authority, hub.url)
  const dir = mkdtempSync(join(tmpdir(), 'edgedeck-bus-nodes-'))
  const identityDir = join(dir, 'edgedeck', 'identities', 'acme')
  mkdirSync(identityDir, { recursive: true })
  cpSync((await authority.operator('mia')).dir, identityDir, { recursive: true })
  const config = join(dir, 'config.yaml')
  writeFileSync(config, JSON.stringify({ context: 'acme', contexts: { acme: { nats: { servers: [hub.url] } } } }))
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [LAUNCHER, 'nodes', '-o', 'json', '--timeout', '60s', '--config', config],
    { env: { ...process.env, XDG_STATE_HOME: dir } },
  )
  // A heartbeat says nothing of the memory: this came over a session.
  expect(JSON.parse(stdout)).toMatchObject([
    { name: 'n1', memPct: 25, site: 's1', state: 'up', model: 'digits@1.0.0 fp32' },
  ])
  rmSync(dir, { recursive: true, force: true })
})
