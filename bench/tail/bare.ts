/**
 * The least that a tail of many nodes can be: connect to each, ask for its lines, print each as it comes. It neither checks
 * nor orders anything. `node bench/tail/bare.ts URL…`
 */
import { WebSocket } from 'ws'
import { LIVE_SUBPROTOCOL } from '../../protocol/frames.ts'

for (const url of process.argv.slice(2)) {
  const socket = new WebSocket(url, LIVE_SUBPROTOCOL, { perMessageDeflate: false })
  const send = (frame: object): void => socket.send(JSON.stringify(frame))
  socket.on('open', () => send({ t: 'hello', v: 1, at: Date.now(), client: { name: 'bare', version: '0' } }))
  socket.on('message', (data) => {
    const frame = JSON.parse(String(data)) as { t: string; id?: string; rows?: object[] }
    if (frame.t === 'welcome') send({ t: 'subscribe', id: 'l', topic: 'logs', credits: 32, level: 'debug' })
    if (frame.rows === undefined) return
    process.stdout.write(frame.rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    send({ t: 'credit', id: 'l', n: 1 })
  })
}
