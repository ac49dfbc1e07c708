import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { KubeApi } from '../../../src/kube/kube-api.ts'
import { PodHost } from '../../../src/kube/pod-host.ts'
import { hear } from '../../support/channel.ts'

const servers: WebSocketServer[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** An API server of before Kubernetes 1.30 that runs one program; gives what was sent to it. */
async function oldServer(): Promise<{ readonly host: PodHost; readonly sent: number[]; readonly told: string[] }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'v4.channel.k8s.io' })
  servers.push(server)
  const sent: number[] = []
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => sent.push(data[0] ?? -1))
    socket.send(Buffer.from('\u0001out'))
    // What comes when the listener is there already and the program has ended.
    setTimeout(() => {
      socket.send(Buffer.from('\u0003{"status":"Success"}'))
      socket.close()
    }, 100)
  })
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const cluster = {
    context: 'old',
    server: `http://127.0.0.1:${port}`,
    namespace: null,
    isUnverified: false,
    requestOptions: async () => ({}),
  }
  const told: string[] = []
  const container = { namespace: 'vision', pod: 'camera', name: 'app' }
  return { host: new PodHost(new KubeApi(cluster), container, { tell: (text) => told.push(text) }), sent, told }
}

test('an older server is not told of the end of input, which the operator is, once', async () => {
  const { host, sent, told } = await oldServer()
  for (const _ of [1, 2]) {
    const channel = await host.run('cat')
    channel.write(Buffer.from('in'))
    channel.endInput()
    const { stdout, end } = await hear(channel)
    expect(stdout.toString()).toBe('out')
    expect(end).toEqual({ kind: 'exited', code: 0, signal: null })
  }
  expect(sent).toEqual([0, 0])
  expect(told).toEqual([
    'vision/camera (app): the API server is older than Kubernetes 1.30 and cannot tell a command that its input has ended',
  ])
})
