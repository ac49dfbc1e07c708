import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { LIVE_SUBPROTOCOL, MAX_FRAME_BYTES } from '../../../protocol/frames.ts'
import { LinkProbe } from '../../support/link-probe.ts'
import { statusFrame, welcomeFrame } from '../../support/live-frames.ts'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => server.close())
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/live`
}
/** A peer that speaks WebSocket and then does what the test says. */
async function peer(
  act: (socket: WebSocket, request: IncomingMessage) => void,
  protocol: string | false = LIVE_SUBPROTOCOL,
): Promise<string> {
  const server = createServer()
  const sockets = new WebSocketServer({ server, handleProtocols: () => protocol })
  sockets.on('connection', act)
  stops.push(() => {
    for (const socket of sockets.clients) socket.terminate()
  })
  return listening(server)
}
function probe(url: string, options: ConstructorParameters<typeof LinkProbe>[1] = {}): LinkProbe {
  const made = new LinkProbe(url, options)
  stops.push(() => made.link.stop())
  made.link.start()
  return made
}
const welcome = JSON.stringify(welcomeFrame())
/** Send a welcome when greeted, then `then`. */
function afterHello(then: (socket: WebSocket) => void): (socket: WebSocket) => void {
  return (socket) => {
    socket.once('message', () => {
      socket.send(welcome)
      then(socket)
    })
  }
}

describe('a link to a bad peer', () => {
  it('gives up on one that takes the connection and says nothing, and tells so', async () => {
    const held: Socket[] = []
    const url = await listening(createTcpServer((socket) => held.push(socket)))
    stops.push(() => {
      for (const socket of held) socket.destroy()
    })
    const link = probe(url, { handshakeTimeoutMs: 300 })
    await link.until(() => link.of('refused').length >= 2)
    expect(link.of('refused')[0]?.reason).toBe('it took the connection, but did not answer')
  })

  it('leaves one that floods again for longer each time', async () => {
    const status = JSON.stringify(statusFrame({ at: 1 }))
    const url = await peer(
      afterHello((socket) => {
        for (let i = 0; i < 200; i += 1) socket.send(status)
      }),
    )
    const inflow = { framesPerSec: 10, bytesPerSec: 1e9, burstSec: 1 }
    const link = probe(url, { inflow, penalty: { minMs: 10, maxMs: 40 }, random: () => 0 })
    await link.until(() => link.of('closed').length >= 4)
    const waits = link.of('closed').map(({ retryInMs }) => retryInMs)
    expect(waits.slice(0, 4)).toEqual([10, 20, 40, 40])
  })

  it('gives up on one that answers the handshake one byte at a time', async () => {
    const timers: NodeJS.Timeout[] = []
    const url = await listening(
      createTcpServer((socket) => {
        const answer = 'HTTP/1.1 101 Switching Protocols\r\nX-Padding: '
        let sent = 0
        socket.on('error', () => undefined)
        timers.push(
          setInterval(() => {
            socket.write(answer[sent] ?? 'x')
            sent += 1
          }, 50),
        )
      }),
    )
    stops.push(() => {
      for (const timer of timers) clearInterval(timer)
    })
    // So long that the bytes come in time on a busy machine too: what is silent between them is called by another name.
    const link = probe(url, { handshakeTimeoutMs: 5000 })
    await link.until(() => link.of('refused').length >= 1)
    expect(link.of('refused')[0]?.reason).toBe('it took the connection, but did not answer in time')
  })

  it('gives up on one that never says welcome', async () => {
    const link = probe(await peer(() => undefined), { handshakeTimeoutMs: 300 })
    await link.until(() => link.of('refused').length >= 1)
    expect(link.of('refused')[0]?.reason).toContain('no welcome within 300 ms')
  })

  it('refuses one that speaks another subprotocol or no WebSocket at all', async () => {
    const other = probe(await peer(() => undefined, 'chat'))
    const none = probe(await peer(() => undefined, false))
    const page = probe(await listening(createServer((_request, response) => response.writeHead(404).end('no'))))
    const ssh = probe(
      await listening(
        createTcpServer((socket) => {
          socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.6\r\n')
        }),
      ),
    )
    for (const link of [other, none, page, ssh]) await link.until(() => link.of('refused').length >= 1)
    expect(other.of('refused')[0]?.reason).toContain('does not speak edgedeck')
    expect(none.of('refused')[0]?.reason).toContain('does not speak edgedeck')
    expect(page.of('refused')[0]?.reason).toContain('no live feed on this path')
    expect(ssh.of('refused')[0]?.reason).not.toBe('')
  })

  it('survives single frames that are not of the protocol and names them', async () => {
    const status = JSON.stringify(statusFrame({ at: 1 }))
    const url = await peer(
      afterHello((socket) => {
        for (const bad of ['{', '[]', '{"t":"status"}', `${'['.repeat(50_000)}`, '{"t":"nonsense"}']) socket.send(bad)
        socket.send(Buffer.from([0xff, 0x00]))
        socket.send(status)
      }),
    )
    const link = probe(url)
    await link.until(() => link.frames().includes('status'))
    expect(link.of('misbehaved').map((event) => event.code)).toEqual(Array.from({ length: 6 }, () => 'FRAME_INVALID'))
    expect(link.of('closed')).toEqual([])
  })

  it('leaves one whose every frame is wrong, and comes back only after the longest wait', async () => {
    let sessions = 0
    const url = await peer(
      afterHello((socket) => {
        sessions += 1
        for (let i = 0; i < 1000; i += 1) socket.send('garbage')
      }),
    )
    const link = probe(url, { penalty: { minMs: 600_000, maxMs: 600_000 }, random: () => 0 })
    await link.until(() => link.of('closed').length === 1)
    expect(link.of('misbehaved')).toHaveLength(20)
    expect(link.of('closed')[0]).toMatchObject({
      retryInMs: 600_000,
      reason: expect.stringContaining('not of the protocol'),
    })
    expect(sessions).toBe(1)
  })

  it('leaves one that floods, names it, and takes no more than the bound', async () => {
    const status = JSON.stringify(statusFrame({ at: 1 }))
    const url = await peer(
      afterHello((socket) => {
        for (let i = 0; i < 5000; i += 1) socket.send(status)
      }),
    )
    const inflow = { framesPerSec: 50, bytesPerSec: 1e9, burstSec: 2 }
    const link = probe(url, { inflow, penalty: { minMs: 600_000, maxMs: 600_000 } })
    await link.until(() => link.of('closed').length === 1)
    expect(link.of('misbehaved')).toMatchObject([
      {
        code: 'FRAME_RATE',
        message: expect.stringMatching(/^it floods: 1\d\d frames and 0\.\d MB within two seconds/),
      },
    ])
    expect(link.of('closed')[0]?.reason).toContain('flooded')
    expect(link.frames().length).toBeLessThanOrEqual(200)
  })

  it('cuts a frame over the size limit without reading it whole', async () => {
    const url = await peer(afterHello((socket) => socket.send('x'.repeat(MAX_FRAME_BYTES + 1))))
    const link = probe(url)
    await link.until(() => link.of('closed').length >= 1)
    expect(link.of('misbehaved')[0]).toMatchObject({ code: 'FRAME_TOO_LARGE' })
    expect(link.of('closed')[0]?.reason).toBe('it sent a frame over the size limit')
  })

  it('notices a peer that is gone without a word', async () => {
    const url = await peer(afterHello((socket) => socket.pause()))
    const link = probe(url, { silenceTimeoutMs: 400, probeEveryMs: 100 })
    await link.until(() => link.of('closed').length >= 1)
    expect(link.of('closed')[0]?.reason).toMatch(/^nothing came for/)
    await link.until(() => link.of('opened').length >= 2)
  })

  it('refuses another version of the protocol and a refusal in words', async () => {
    const newer = await peer((socket) => socket.send(JSON.stringify({ ...welcomeFrame(), v: 2 })))
    const refusal = { t: 'error', id: null, code: 'OVERLOADED', msg: 'no more sessions', next: [] }
    const full = await peer((socket) => {
      socket.send(JSON.stringify(refusal))
      socket.close(1013, 'no more sessions')
    })
    const links = [probe(newer), probe(full)] as const
    for (const link of links) await link.until(() => link.of('refused').length >= 1)
    expect(links[0].of('refused')[0]?.reason).toContain('live version 2')
    expect(links[1].of('refused')[0]?.reason).toBe('it refused us: no more sessions')
  })

  it('takes nothing before the welcome and nothing for a subscription that it did not make', async () => {
    const early = JSON.stringify(statusFrame({ at: 1 }))
    const url = await peer((socket) => {
      socket.send(early)
      afterHello(() => {
        socket.send(JSON.stringify({ ...statusFrame({ at: 2 }), id: 'somebody-else' }))
        socket.send(JSON.stringify(statusFrame({ at: 3 })))
      })(socket)
    })
    const link = probe(url)
    await link.until(() => link.frames().includes('status'))
    const statuses = link.of('frame').flatMap(({ frame }) => (frame.t === 'status' ? [frame.at] : []))
    expect(statuses).toEqual([3])
    expect(link.of('misbehaved')).toMatchObject([{ message: '"status" came before the welcome' }])
  })
})
