import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { UplinkLink } from '../../../src/demo/uplink.ts'

/** A cloud that echoes, and a link to it. */
async function linked(): Promise<{ link: UplinkLink; served: () => number }> {
  let served = 0
  const server = net.createServer((socket) => {
    served += 1
    socket.on('error', () => undefined)
    socket.pipe(socket)
    onTestFinished(() => void socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const link = new UplinkLink(() => ({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }))
  await link.start()
  onTestFinished(async () => {
    await link.stop()
    server.close()
  })
  return { link, served: () => served }
}

function dial(link: UplinkLink): { socket: net.Socket; heard: () => string; closed: () => boolean } {
  const socket = net.connect(link.port, '127.0.0.1')
  let heard = ''
  let closed = false
  socket.setEncoding('utf8').on('data', (text: string) => {
    heard += text
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    closed = true
  })
  onTestFinished(() => void socket.destroy())
  return { socket, heard: () => heard, closed: () => closed }
}

describe('the link between a node and the cloud', () => {
  it('carries both ways', async () => {
    const { link } = await linked()
    const node = dial(link)
    node.socket.write('block')
    await vi.waitFor(() => expect(node.heard()).toBe('block'), 60_000)
  })

  it('resets what is open and refuses what comes while it is cut', async () => {
    const { link, served } = await linked()
    const before = dial(link)
    before.socket.write('a')
    await vi.waitFor(() => expect(before.heard()).toBe('a'), 60_000)
    link.cut()
    await vi.waitFor(() => expect(before.closed()).toBe(true), 60_000)
    const during = dial(link)
    await vi.waitFor(() => expect(during.closed()).toBe(true), 60_000)
    expect(served()).toBe(1)
  })

  it('carries again on the same port when it is restored', async () => {
    const { link } = await linked()
    const { port } = link
    link.cut()
    link.restore()
    expect(link.port).toBe(port)
    const node = dial(link)
    node.socket.write('b')
    await vi.waitFor(() => expect(node.heard()).toBe('b'), 60_000)
  })

  it('keeps connections and carries nothing while it is silent, then resets them', async () => {
    const { link, served } = await linked()
    const before = dial(link)
    before.socket.write('a')
    await vi.waitFor(() => expect(before.heard()).toBe('a'), 60_000)
    link.silence()
    const during = dial(link)
    await once(during.socket, 'connect')
    before.socket.write('lost')
    during.socket.write('lost')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect({ heard: before.heard(), closed: before.closed() }).toEqual({ heard: 'a', closed: false })
    expect({ heard: during.heard(), closed: during.closed(), served: served() }).toEqual({
      heard: '',
      closed: false,
      served: 1,
    })
    link.restore()
    await vi.waitFor(() => expect([before.closed(), during.closed()]).toEqual([true, true]), 60_000)
  })

  it('refuses while there is no cloud', async () => {
    const link = new UplinkLink(() => null)
    await link.start()
    onTestFinished(() => link.stop())
    const node = dial(link)
    await vi.waitFor(() => expect(node.closed()).toBe(true), 60_000)
  })
})
