import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { readSentBytes, shareOf } from '../../../bench/wire/sent-bytes.ts'

test('counters are read from the page of a node, and a page without them is refused', async () => {
  let page = 'edge_raw_bytes_total 500\nedge_upstream_sent_bytes_total{class="stat"} 7\n'
  const server = createServer((_, answer) => answer.end(page)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/infer`
  expect(await readSentBytes(url)).toEqual({ rawBytes: 500, byClass: { stat: 7 } })
  page = 'nothing'
  await expect(readSentBytes(url)).rejects.toThrow('edge_raw_bytes_total')
  server.close()
})

test('what was sent in a run is scaled to so many bytes of pictures, class by class', () => {
  const before = { rawBytes: 1000, byClass: { stat: 10, alert: 0 }, link: 12 }
  const after = { rawBytes: 3000, byClass: { stat: 30, alert: 0, telemetry: 100 }, link: 34 }
  expect(shareOf(before, after, 4000)).toEqual({
    rawBytes: 2000,
    byClass: { stat: 40, alert: 0, telemetry: 200 },
    totalBytes: 240,
    linkBytes: 44,
  })
  expect(() => shareOf(before, before, 4000)).toThrow('no picture')
})
