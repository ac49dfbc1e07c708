import { request } from 'node:https'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inferenceTls } from '../../../edge-daemon/inference-tls.ts'
import { DaemonHome, SOURCE } from '../../support/edge-daemon.ts'
import { FleetAuthority } from '../../support/fleet-authority.ts'
import { clientSocket, joinFiles } from '../../support/joined-node.ts'
import { TestConsole } from '../../support/live-node.ts'
import { samplePicture } from '../../support/pictures.ts'

test('devices are served over TLS 1.3 with the certificate of the fleet, and a stop breaks no request', async () => {
  using authority = await FleetAuthority.create()
  await using home = new DaemonHome()
  joinFiles(home.stateDir, await authority.node('plant', 'n1', { dns: ['localhost'] }))
  home.configure({ 'inference.tls.cert': 'fleet', 'faults.slow': '3s', 'faults.allow': true })
  const { daemon, inferUrl, liveUrl } = await home.serve({ program: SOURCE })
  expect(inferUrl).toMatch(/^https:/)
  const ask = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const url = new URL('/infer', inferUrl.replace('127.0.0.1', 'localhost'))
      const asked = request(
        url,
        { method: 'POST', family: 4, ca: authority.rootPem, headers: { 'content-type': 'image/png' }, ...options },
        (answer) => {
          let text = ''
          answer.on('data', (part: Buffer) => {
            text += part.toString()
          })
          answer.on('end', () => resolve(text))
        },
      )
      asked.on('error', (error) => resolve(error.message))
      asked.end(Buffer.from(samplePicture(7)))
    })
  expect(JSON.parse(await ask({}))).toMatchObject({ code: 200, pred: 7 })
  expect(await ask({ maxVersion: 'TLSv1.2' })).toMatch(/protocol version/)
  // Slow enough that the stop finds it under way, well after the moment in which idle connections are cut.
  const console = await TestConsole.open(liveUrl, clientSocket(await authority.operator('mia')))
  console.send({ t: 'subscribe', id: 's', topic: 'status', credits: 1000 })
  const slow = ask({})
  await console.until(() => console.of('status').at(-1)?.inference.inFlight === 1)
  const [last, end] = await Promise.all([slow, daemon.stop()])
  expect(end).toEqual({ code: 0, signal: null })
  expect(JSON.parse(last)).toMatchObject({ code: 200, pred: 7 })
})

test('says what is wrong with the files', () => {
  expect(inferenceTls({ cert: null, key: null }, null)).toBeNull()
  expect(() => inferenceTls({ cert: 'fleet', key: null }, null)).toThrow(/has not joined/)
  expect(() => inferenceTls({ cert: 'a.pem', key: null }, null)).toThrow(/both cert and key/)
  expect(() => inferenceTls({ cert: '/nowhere/a', key: join('/nowhere', 'b') }, null)).toThrow(/cannot be used/)
})
