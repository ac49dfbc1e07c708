import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Connection } from '../../../bench/infer/connection.ts'
import { clockTicksPerSec, cpuTimeUsOfTree } from '../../../bench/infer/cpu-time.ts'

const REQUEST = Buffer.from('POST /infer HTTP/1.1\r\n\r\n')

describe('the benchmark’s connection', () => {
  let server: Server | undefined
  let connection: Connection | undefined
  let connections = 0

  afterEach(() => {
    connection?.close()
    server?.close()
    connections = 0
  })

  async function serve(answer: (socket: Socket, request: number) => void): Promise<Connection> {
    let requests = 0
    server = createServer((socket) => {
      connections += 1
      socket.on('data', () => {
        requests += 1
        answer(socket, requests)
      })
      socket.on('error', () => undefined)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    connection = new Connection((server.address() as AddressInfo).port)
    return connection
  }

  it('puts an answer together from any pieces and uses the connection again', async () => {
    const client = await serve((socket, request) => {
      const answer = `HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nnumber ${request}`
      socket.setNoDelay(true)
      let at = 0
      const piece = (): void => {
        socket.write(answer.slice(at, at + 7))
        at += 7
        if (at < answer.length) setImmediate(piece)
      }
      piece()
    })
    expect(await client.send(REQUEST)).toMatchObject({ status: 200, body: 'number 1' })
    expect(await client.send(REQUEST)).toMatchObject({ status: 200, body: 'number 2' })
    expect(connections).toBe(1)
  })

  it.each([
    ['HTTP/1.0 503 NO\r\nContent-Length: 2\r\n\r\nno'],
    ['HTTP/1.1 503 NO\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno'],
  ])('connects anew for each request when the server closes after it (%j)', async (answer) => {
    const client = await serve((socket) => socket.end(answer))
    for (let request = 1; request <= 3; request += 1) {
      expect(await client.send(REQUEST)).toMatchObject({ status: 503, body: 'no' })
      expect(connections).toBe(request)
    }
  })

  it('fails a request whose answer is cut off, and the next one may go well', async () => {
    const client = await serve((socket, request) =>
      request === 1
        ? socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort')
        : socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'),
    )
    await expect(client.send(REQUEST)).rejects.toThrow('closed the connection')
    expect((await client.send(REQUEST)).body).toBe('good')
  })

  it('refuses an answer without a length', async () => {
    const client = await serve((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nhello'))
    await expect(client.send(REQUEST)).rejects.toThrow('no Content-Length')
  })
})

describe('the benchmark’s CPU time', () => {
  it('counts what the children of a process spend', async () => {
    const burn = 'while (process.cpuUsage().user < 300000);'
    const script = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(`${burn} console.log('done'); setInterval(() => {}, 1000)`)}], { stdio: 'inherit' })`
    const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    try {
      await once(parent.stdout, 'data')
      expect(cpuTimeUsOfTree(parent.pid as number, clockTicksPerSec())).toBeGreaterThan(290_000)
    } finally {
      process.kill(-(parent.pid as number), 'SIGKILL')
    }
  })

  it('is nothing for a process that is gone', () => {
    expect(cpuTimeUsOfTree(2 ** 22 + 1, 100)).toBe(0)
  })
})
