import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { OrderlyClose } from '../../../edge-daemon/inference/orderly-close.ts'

/** Longer than a connection may be quiet after the close. */
const HELD_UP_MS = 600

test('a request that came while the process was held up is answered, and its connection ends with the answer', async () => {
  const server = createServer((_request, response) => {
    orderly.began(response)
    response.end('answer')
  })
  const orderly = new OrderlyClose(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const device = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8')
  let heard = ''
  device.on('data', (text: string) => {
    heard += text
  })
  device.on('error', (error) => {
    heard += error.message
  })
  const request = 'GET / HTTP/1.1\r\nHost: n1\r\n\r\n'
  device.write(request)
  await once(device, 'data')
  const closed = orderly.close(60_000)
  device.write(request)
  for (const untilMs = performance.now() + HELD_UP_MS; performance.now() < untilMs; );
  await once(device, 'close')
  expect(heard.match(/answer/g)).toHaveLength(2)
  expect(heard).toMatch(/Connection: close\r\n/)
  await closed
})
