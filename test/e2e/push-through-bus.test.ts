import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newPackageKey, packageKeyText } from '../../identity/package-signature.ts'
import { BusRolloutFleet } from '../support/bus-rollout-fleet.ts'
import type { ChangingNode } from '../support/changing-node.ts'
import { eventually } from '../support/edge-daemon.ts'
import { writePackage } from '../support/model-package.ts'
import { tcpLink } from '../support/tcp-link.ts'

/** Many windows of a tunnel (256 KiB), and many pieces of a push. */
const GRAPH_BYTES = 3_000_000
const KBIT_PER_SEC = 2000

test('a package is pushed to a node that only the bus reaches, also after the push was killed in the middle', {
  timeout: 600_000,
}, async () => {
  await using fleet = await BusRolloutFleet.create(['n1'])
  const [node] = fleet.nodes as readonly [ChangingNode]
  const key = newPackageKey()
  await using link = await tcpLink(fleet.bus.port)
  // The push is far from its end when it is seen to have begun.
  link.shape({ kbitPerSec: KBIT_PER_SEC })
  const servers = [`tls://localhost:${link.port}`]
  node.configure({ 'node.name': 'n1', 'upstream.nats.servers': servers, 'models.trust': [packageKeyText(key)] })
  const folder = join(node.home.dir, 'pushed')
  const files = { 'manifest.json': '{}', 'graph.onnx': randomBytes(GRAPH_BYTES) }
  const { digest } = await writePackage(folder, files, { kind: 'model', name: 'digits', version: '9.0.0', keys: [key] })
  await fleet.start()
  const push = () => fleet.at('mia', 'model', 'push', folder, '--to', 'nodes:n1', '-o', 'json')
  const incoming = join(node.home.stateDir, 'packages/incoming', digest)
  const first = push()
  await eventually(() => existsSync(incoming), { timeoutMs: 120_000, what: 'the push has begun' })
  first.child.kill('SIGKILL')
  await first.result
  expect(existsSync(join(node.home.stateDir, 'packages', digest))).toBe(false)
  link.shape({})

  const { code, stdout, stderr } = await push().result
  expect(code, stdout + stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject([{ to: 'n1', what: 'pushed' }])
  expect(existsSync(join(node.home.stateDir, 'packages', digest, 'graph.onnx'))).toBe(true)
  const again = await push().result
  expect(JSON.parse(again.stdout), again.stderr).toMatchObject([{ to: 'n1', what: 'there', bytes: 0 }])
})
